// The bounds of math/bounds.h, at the worst inputs that largest_errors.cpp found.
#include <gtest/gtest.h>

#include <span>

#include "math/bounds.h"
#include "math/formula.h"
#include "reference.h"

namespace torch_elu {
namespace {

// The error is as large as was found, too: else the list is not of this formula.
template <typename number_t, typename wide_t>
void expect_within_bounds(std::span<const bounds::Found> values,
                          std::span<const bounds::Found> slopes) {
  for (const auto& [alpha, scale, input_scale, x, found] : values) {
    const Coefficients<number_t> coefficients(alpha, scale, input_scale);
    const wide_t exact = reference::Exact<wide_t>({"", alpha, scale, input_scale}).value(x);
    const double error =
        reference::error_in_ulp(value(static_cast<number_t>(x), coefficients), exact);
    EXPECT_LE(error, reference::bound_of_value(coefficients, x, static_cast<double>(exact)));
    EXPECT_NEAR(error, found, 1e-3) << "alpha " << alpha << " at " << x;
  }
  for (const auto& [alpha, scale, input_scale, x, found] : slopes) {
    const Coefficients<number_t> coefficients(alpha, scale, input_scale);
    const wide_t exact = reference::Exact<wide_t>({"", alpha, scale, input_scale}).slope(x);
    const double error =
        reference::error_in_ulp(slope(static_cast<number_t>(x), coefficients), exact);
    EXPECT_LE(error, reference::bound_of_slope(coefficients));
    EXPECT_NEAR(error, found, 1e-3) << "alpha " << alpha << " at " << x;
  }
}

TEST(Accuracy, float32_is_within_its_bounds_at_the_worst_inputs_found) {
  expect_within_bounds<float, double>(bounds::float_values, bounds::float_slopes);
  expect_within_bounds<float, double>(bounds::float_values_by_rest, {});
}

TEST(Accuracy, float64_is_within_its_bounds_at_the_worst_inputs_found) {
  expect_within_bounds<double, long double>(bounds::double_values, bounds::double_slopes);
  expect_within_bounds<double, long double>(bounds::double_values_by_rest, {});
}

}  // namespace
}  // namespace torch_elu

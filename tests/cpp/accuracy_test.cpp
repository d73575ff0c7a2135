// The bounds of math/bounds.h, at the worst inputs that largest_errors.cpp found.
#include <gtest/gtest.h>

#include <span>

#include "math/bounds.h"
#include "math/formula.h"
#include "reference.h"

namespace torch_elu {
namespace {

// Not less than what was found either: else the list is not of this formula.
template <typename number_t, typename wide_t>
void expect_within_bounds(std::span<const bounds::Found> values,
                          std::span<const bounds::Found> slopes) {
  using Bound = bounds::Bound<number_t>;
  for (const auto& [alpha, scale, input_scale, x, found] : values) {
    const Coefficients<number_t> k(alpha, scale, input_scale);
    const reference::Exact<wide_t> exact({"", alpha, scale, input_scale, 0});
    const wide_t wanted = exact.value(x);
    const double error = reference::error_in_ulp(value(static_cast<number_t>(x), k), wanted);
    const bool is_tiny = std::min<wide_t>(std::abs(x), std::abs(wanted)) < Bound::tiny;
    EXPECT_LE(error, is_tiny            ? Bound::value_of_tiny
                     : input_scale == 1 ? Bound::value
                                        : Bound::scaled);
    EXPECT_NEAR(error, found, 1e-3) << "alpha " << alpha << " at " << x;
  }
  for (const auto& [alpha, scale, input_scale, x, found] : slopes) {
    const Coefficients<number_t> k(alpha, scale, input_scale);
    const reference::Exact<wide_t> exact({"", alpha, scale, input_scale, 0});
    const double error =
        reference::error_in_ulp(slope(static_cast<number_t>(x), k), exact.slope(x));
    EXPECT_LE(error, Bound::slope);
    EXPECT_NEAR(error, found, 1e-3) << "alpha " << alpha << " at " << x;
  }
}

TEST(Accuracy, float32_is_within_its_bounds_at_the_worst_inputs_found) {
  expect_within_bounds<float, double>(bounds::float_values, bounds::float_slopes);
}

TEST(Accuracy, float64_is_within_its_bounds_at_the_worst_inputs_found) {
  expect_within_bounds<double, long double>(bounds::double_values, bounds::double_slopes);
}

}  // namespace
}  // namespace torch_elu

#pragma once

// What every kernel, whatever its device, does first with its operands.

#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>
#include <c10/util/StringUtil.h>

#include <cmath>
#include <limits>
#include <string>

#include "math/coefficients.h"

namespace torch_elu {

//= empty_output
//= is_supported
//= check_defined
//= unsupported_dtype
//= check_dtype
//= check_one_device
//= check_backward_operands

/// For elu_backward: the result tells the branch that it came from where alpha is positive.
inline void check_result_is_enough(bool is_result, const at::Scalar& alpha) {
  TORCH_CHECK(!is_result || alpha.toDouble() > 0,
              "torch_elu::elu_backward finds the gradient from the result only if alpha > 0, but "
              "got alpha=",
              alpha.toDouble(), ". Pass the input, with is_result=False, instead.");
}

/// The coefficients of the operator `name` for elements of type T: float, double, Float16 or
/// BFloat16.
template <typename T>
Coefficients<T> convert_coefficients(const at::Scalar& alpha, const char* name) {
  using number_t = opmath_t<T>;
  const double value = alpha.toDouble();
  TORCH_CHECK(!std::isfinite(value) || std::abs(value) <= std::numeric_limits<number_t>::max(),
              "torch_elu::", name, ": alpha=", value,
              " overflows float, in which this tensor is computed. Use a float64 tensor or a "
              "smaller alpha.");
  // One NaN for all: the payload of another would have to be kept from rounding.
  return {std::isnan(value) ? std::numeric_limits<number_t>::quiet_NaN()
                            : static_cast<number_t>(value)};
}

}  // namespace torch_elu

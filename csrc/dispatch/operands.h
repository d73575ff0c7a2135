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

/// The result's tensor: shape, dtype, device of `self`, and the strides that at::elu gives.
at::Tensor empty_output(const at::Tensor& self);

/// Whether the elements of both are one run of memory each, in the same order: dense tensors of the
/// same sizes and strides are, whatever the order of their dimensions.
inline bool is_one_run(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() &&
         ((a.is_contiguous() && b.is_contiguous()) ||
          (a.is_non_overlapping_and_dense() && a.strides() == b.strides()));
}

inline bool is_supported(at::ScalarType dtype) {
  return dtype == at::kFloat || dtype == at::kDouble || dtype == at::kHalf ||
         dtype == at::kBFloat16;
}

inline void check_defined(const at::Tensor& tensor, const char* name) {
  TORCH_CHECK(tensor.defined(), "torch_elu::", name,
              " expected a tensor, but got None (an undefined tensor in C++).");
}

inline std::string unsupported_dtype(at::ScalarType dtype, const char* name) {
  return c10::str("\"torch_elu::", name, "\" not implemented for '", c10::toString(dtype),
                  "': expected float64, float32, float16 or bfloat16. Convert the tensor first, as "
                  "in x.to(torch.float32).");
}

inline void check_dtype(at::ScalarType dtype, const char* name) {
  TORCH_CHECK_NOT_IMPLEMENTED(is_supported(dtype), unsupported_dtype(dtype, name));
}

inline void check_one_device(const at::Tensor& a, const char* a_name, const at::Tensor& b,
                             const char* b_name, const char* name) {
  TORCH_CHECK(a.device() == b.device(),
              "Expected all tensors to be on the same device, but torch_elu::", name, " got ",
              a_name, " on ", a.device(), " and ", b_name, " on ", b.device(),
              ". Move one of them with .to().");
}

/// The operands of the backward `name`, which calls the second one `saved_name`.
inline void check_backward_operands(const at::Tensor& grad_output, const at::Tensor& saved,
                                    const char* name, const char* saved_name) {
  TORCH_CHECK(grad_output.defined() && saved.defined(), "torch_elu::", name,
              " expected a tensor, but got None (an undefined tensor in C++) as ",
              grad_output.defined() ? saved_name : "grad_output", ".");
  check_one_device(grad_output, "grad_output", saved, saved_name, name);
  TORCH_CHECK(grad_output.scalar_type() == saved.scalar_type(), "torch_elu::", name,
              " expected grad_output to have the dtype of ", saved_name, ", ", saved.scalar_type(),
              ", but got ", grad_output.scalar_type(), ". Convert one of them.");
}

// Of a number that torch.compile left symbolic only the sign is asked, so that another number with
// this sign needs no other graph. One that only data will tell counts as such: if it is not, the
// kernel of the backward says so.
inline bool is_at_least_zero(const at::Scalar& number) {
  if (number.isSymFloat()) {
    return TORCH_GUARD_OR_TRUE(number.toSymFloat().sym_ge(c10::SymFloat(0.0)));
  }
  if (number.isSymInt()) {
    return TORCH_GUARD_OR_TRUE(number.toSymInt().sym_ge(c10::SymInt(0)));
  }
  return number.toDouble() >= 0;
}

/// Whether the result tells which branch it came from, and so the derivative.
inline bool is_result_enough(const at::Scalar& alpha, const at::Scalar& scale,
                             const at::Scalar& input_scale) {
  return is_at_least_zero(alpha) && is_at_least_zero(scale) && is_at_least_zero(input_scale);
}

/// For elu_backward.
inline void check_result_is_enough(bool is_result, const at::Scalar& alpha, const at::Scalar& scale,
                                   const at::Scalar& input_scale) {
  TORCH_CHECK(!is_result || is_result_enough(alpha, scale, input_scale),
              "torch_elu::elu_backward finds the gradient from the result only if alpha, scale and "
              "input_scale are >= 0, but got alpha=",
              alpha.toDouble(), ", scale=", scale.toDouble(),
              ", input_scale=", input_scale.toDouble(),
              ". Pass the input, with is_result=False, instead.");
}

/// Whether a coefficient can be converted to the type in which a tensor is computed.
template <typename number_t>
bool fits(double coefficient) {
  return !std::isfinite(coefficient) ||
         std::abs(coefficient) <= std::numeric_limits<number_t>::max();
}

/// The coefficients for elements of type T, all 1.
template <typename T>
const Coefficients<T>& unit_coefficients() {
  static const Coefficients<T> unit(1, 1, 1);
  return unit;
}

/// Of the coefficients of the operator `name` one overflows float.
[[noreturn]] void throw_overflow(const char* name, double alpha, double scale, double input_scale);

/// The coefficients of the operator `name` for elements of type T: float, double, Float16 or
/// BFloat16.
template <typename T>
Coefficients<T> convert_coefficients(const at::Scalar& alpha, const at::Scalar& scale,
                                     const at::Scalar& input_scale, const char* name) {
  // One NaN for all: the payload of another would have to be kept from rounding.
  const auto to_double = [](const at::Scalar& scalar) {
    const double value = scalar.toDouble();
    return std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value;
  };
  const double a = to_double(alpha), s = to_double(scale), i = to_double(input_scale);
  // A plain ELU, and so a small layer, need not wait for them to be computed.
  if (a == 1 && s == 1 && i == 1) {
    return unit_coefficients<T>();
  }
  using number_t = opmath_t<T>;
  if (!(fits<number_t>(a) && fits<number_t>(s) && fits<number_t>(i))) {
    throw_overflow(name, a, s, i);
  }
  return Coefficients<T>(a, s, i);
}

}  // namespace torch_elu

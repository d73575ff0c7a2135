#pragma once

// What every kernel, whatever its device, does first with its operands.

#include <ATen/ExpandUtils.h>
#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>

#include <cmath>
#include <limits>

#include "formula.h"

namespace torch_elu {

/// The result's tensor: shape, dtype, device of `self`, and the strides that at::elu gives.
at::Tensor empty_output(const at::Tensor& self);

// Dense tensors of the same layout are one run of memory each, whatever the order of their
// dimensions.
inline bool is_one_run(const at::Tensor& a, const at::Tensor& b) {
  return (a.is_contiguous() && b.is_contiguous()) ||
         (a.is_non_overlapping_and_dense() && b.is_non_overlapping_and_dense() &&
          a.strides() == b.strides());
}

inline void check_dtype(at::ScalarType dtype, const char* name) {
  TORCH_CHECK_NOT_IMPLEMENTED(
      dtype == at::kFloat || dtype == at::kDouble || dtype == at::kHalf || dtype == at::kBFloat16,
      "\"torch_elu::", name, "\" not implemented for '", c10::toString(dtype),
      "': expected float64, float32, float16 or bfloat16. Convert the tensor first, as in "
      "x.to(torch.float32).");
}

/// `saved` is the other operand of the backward `name`, which calls it `saved_name`.
inline void check_same_dtype(const at::Tensor& grad_output, const at::Tensor& saved,
                             const char* name, const char* saved_name) {
  TORCH_CHECK(grad_output.scalar_type() == saved.scalar_type(), "torch_elu::", name,
              " expected grad_output to have the dtype of ", saved_name, ", ", saved.scalar_type(),
              ", but got ", grad_output.scalar_type(), ". Convert one of them.");
}

/// `run` of the operands of the backward `name`, expanded to one shape where theirs differ.
template <typename Run>
at::Tensor with_one_shape(const at::Tensor& grad_output, const at::Tensor& saved, const char* name,
                          const Run& run) {
  if (grad_output.sizes().equals(saved.sizes())) {
    return run(grad_output, saved);
  }
  const auto [expanded_grad_output, expanded] = at::expand_outplace(grad_output, saved, name);
  return run(*expanded_grad_output, *expanded);
}

/// The coefficients for elements of type T, all 1.
template <typename T>
const Coefficients<T>& unit_coefficients() {
  static const Coefficients<T> unit(1, 1, 1);
  return unit;
}

/// The coefficients for elements of type T: float, double, Float16 or BFloat16.
template <typename T>
Coefficients<T> convert_coefficients(const at::Scalar& alpha, const at::Scalar& scale,
                                     const at::Scalar& input_scale) {
  using number_t = opmath_t<T>;
  const auto convert = [](const at::Scalar& scalar, const char* argument) {
    const double value = scalar.toDouble();
    TORCH_CHECK(!std::isfinite(value) || std::abs(value) <= std::numeric_limits<number_t>::max(),
                "torch_elu: ", argument, "=", value, " cannot be converted to type ",
                sizeof(number_t) == 4 ? "float" : "double",
                ", in which this tensor is computed, without overflow. Use a float64 tensor or a "
                "smaller value.");
    return value;
  };
  const double a = convert(alpha, "alpha"), s = convert(scale, "scale"),
               i = convert(input_scale, "input_scale");
  // A plain ELU, and so a small layer, need not wait for them to be computed.
  return a == 1 && s == 1 && i == 1 ? unit_coefficients<T>() : Coefficients<T>(a, s, i);
}

}  // namespace torch_elu

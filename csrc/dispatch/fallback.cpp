// Backends that have no kernel in this library (MPS, XPU, quantized, sparse, ...) run PyTorch's own
// elu, which raises PyTorch's own error where there is none. In a build without CUDA that holds for
// CUDA tensors too. An undefined tensor, None in Python, has no backend and arrives here.

#include <ATen/ops/add.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/elu_backward.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/where.h>
#include <torch/library.h>

#include <array>
#include <optional>
#include <tuple>

#include "dispatch/operands.h"
#include "dispatch/parametric.h"
#include "dispatch/parametric_derivatives.h"

namespace torch_elu {
namespace {

at::Tensor elu_fallback(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                        const at::Scalar& input_scale, bool /*save_output*/) {
  check_defined(self, "elu");
  return at::elu(self, alpha, scale, input_scale);
}

at::Tensor& elu_inplace_fallback(at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                                 const at::Scalar& input_scale) {
  check_defined(self, "elu_");
  return at::elu_(self, alpha, scale, input_scale);
}

at::Tensor& elu_out_fallback(const at::Tensor& self, const at::Scalar& alpha,
                             const at::Scalar& scale, const at::Scalar& input_scale,
                             at::Tensor& out) {
  check_defined(self, "elu.out");
  return at::elu_out(out, self, alpha, scale, input_scale);
}

at::Tensor elu_backward_fallback(const at::Tensor& grad_output, const at::Scalar& alpha,
                                 const at::Scalar& scale, const at::Scalar& input_scale,
                                 bool is_result, const at::Tensor& self_or_result) {
  check_defined(self_or_result, "elu_backward");
  return at::elu_backward(grad_output, alpha, scale, input_scale, is_result, self_or_result);
}

// For elu_plus_one PyTorch has no operator.
at::Tensor elu_plus_one_fallback(const at::Tensor& self) {
  check_defined(self, "elu_plus_one");
  check_dtype(self.scalar_type(), "elu_plus_one");
  return at::where(at::gt(self, 0), at::add(self, 1), at::exp(self));
}

at::Tensor elu_plus_one_backward_fallback(const at::Tensor& grad_output, const at::Tensor& result) {
  check_defined(result, "elu_plus_one_backward");
  check_dtype(result.scalar_type(), "elu_plus_one_backward");
  return at::mul(grad_output, at::where(at::gt(result, 1), at::Scalar(1), result));
}

at::Tensor parametric_elu_fallback(const at::Tensor& self, const at::Tensor& alpha,
                                   const std::optional<at::Tensor>& input_divisor) {
  constexpr const char* name = "parametric_elu";
  const at::Tensor divisor = input_divisor.value_or(at::Tensor());
  check_parameters(self, alpha, divisor, name);
  check_dtype(self.scalar_type(), name);
  return ParametricDerivatives(self, alpha, divisor).value().to(self.scalar_type());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> parametric_elu_backward_fallback(
    const at::Tensor& grad_output, const at::Tensor& self, const at::Tensor& alpha,
    const std::optional<at::Tensor>& input_divisor, std::array<bool, 3> output_mask) {
  constexpr const char* name = "parametric_elu_backward";
  const at::Tensor divisor = input_divisor.value_or(at::Tensor());
  check_backward_operands(grad_output, self, name, "self");
  check_parameters(self, alpha, divisor, name);
  check_dtype(self.scalar_type(), name);
  const ParametricDerivatives derivatives(self, alpha, divisor);
  const auto grad = ParametricDerivatives::wide(grad_output);
  const auto gradient = [&](size_t by, const at::Tensor& operand) {
    return output_mask[by] && operand.defined()
               ? as_gradient_of(operand, grad * derivatives.first(by))
               : at::Tensor();
  };
  return {gradient(0, self), gradient(1, alpha), gradient(2, divisor)};
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, CompositeExplicitAutograd, m) {
  m.impl("elu", &torch_elu::elu_fallback);
  m.impl("elu_", &torch_elu::elu_inplace_fallback);
  m.impl("elu.out", &torch_elu::elu_out_fallback);
  m.impl("elu_backward", &torch_elu::elu_backward_fallback);
  m.impl("elu_plus_one", &torch_elu::elu_plus_one_fallback);
  m.impl("elu_plus_one_backward", &torch_elu::elu_plus_one_backward_fallback);
  m.impl("parametric_elu", &torch_elu::parametric_elu_fallback);
  m.impl("parametric_elu_backward", &torch_elu::parametric_elu_backward_fallback);
}

// Backends that have no kernel in this library (MPS, XPU, ...), and CUDA in a build without it,
// compute the formula with PyTorch's own operators.

#include <ATen/ops/add.h>
#include <ATen/ops/div.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/rsub.h>
#include <ATen/ops/square.h>
#include <ATen/ops/where.h>
#include <torch/library.h>

#include "dispatch/operands.h"

namespace torch_elu {
namespace {

at::Tensor elu_fallback(const at::Tensor& self, const at::Scalar& alpha) {
  check_defined(self, "elu");
  check_dtype(self.scalar_type(), "elu");
  // -1 / (1 - 1 / x), which at -infinity is -1.
  const auto quotient = at::neg(at::reciprocal(at::rsub(at::reciprocal(self), 1)));
  return at::where(at::gt(self, 0), self, at::mul(quotient, alpha));
}

at::Tensor& elu_inplace_fallback(at::Tensor& self, const at::Scalar& alpha) {
  check_defined(self, "elu_");
  return self.copy_(elu_fallback(self, alpha));
}

at::Tensor& elu_out_fallback(const at::Tensor& self, const at::Scalar& alpha, at::Tensor& out) {
  check_defined(out, "elu.out");
  out.resize_(self.sizes());
  return out.copy_(elu_fallback(self, alpha));
}

at::Tensor elu_backward_fallback(const at::Tensor& grad_output, const at::Scalar& alpha,
                                 bool is_result, const at::Tensor& self_or_result) {
  check_defined(self_or_result, "elu_backward");
  check_dtype(self_or_result.scalar_type(), "elu_backward");
  check_result_is_enough(is_result, alpha);
  const auto reciprocal = is_result ? at::add(at::div(self_or_result, alpha), 1)
                                    : at::reciprocal(at::rsub(self_or_result, 1));
  const auto slope = at::mul(at::square(reciprocal), alpha);
  return at::mul(grad_output, at::where(at::gt(self_or_result, 0), at::Scalar(1), slope));
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, CompositeExplicitAutograd, m) {
  m.impl("elu", &torch_elu::elu_fallback);
  m.impl("elu_", &torch_elu::elu_inplace_fallback);
  m.impl("elu.out", &torch_elu::elu_out_fallback);
  m.impl("elu_backward", &torch_elu::elu_backward_fallback);
}

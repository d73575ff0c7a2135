// The operators on the CPU: which elements, by which kernel, on which threads. The arithmetic is
// in the kernels.

#include <ATen/ExpandUtils.h>
#include <ATen/TensorIterator.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "dispatch/capability.h"
#include "dispatch/operands.h"
#include "kernels/cpu/kernels.h"

namespace torch_elu {
namespace {

//= for_each_run
//= run_forward
//= run_backward
//= elu_kernel
//= elu_backward_kernel

// `out` is allocated where it is undefined.
void forward(at::Tensor& out, const at::Tensor& self, const at::Scalar& alpha, const char* name) {
  check_dtype(self.scalar_type(), name);
  auto iter = at::TensorIterator::unary_op(out, self);
  elu_kernel(iter, alpha);
  out = iter.output();
}

at::Tensor elu_cpu(const at::Tensor& self, const at::Scalar& alpha) {
  at::Tensor out;
  forward(out, self, alpha, "elu");
  return out;
}

at::Tensor& elu_inplace_cpu(at::Tensor& self, const at::Scalar& alpha) {
  forward(self, self, alpha, "elu_");
  return self;
}

at::Tensor& elu_out_cpu(const at::Tensor& self, const at::Scalar& alpha, at::Tensor& out) {
  check_defined(self, "elu.out");
  check_defined(out, "elu.out");
  forward(out, self, alpha, "elu.out");
  return out;
}

at::Tensor elu_backward_cpu(const at::Tensor& grad_output, const at::Scalar& alpha, bool is_result,
                            const at::Tensor& self_or_result) {
  constexpr const char* name = "elu_backward";
  check_backward_operands(grad_output, self_or_result, name, "self_or_result");
  check_dtype(self_or_result.scalar_type(), name);
  check_result_is_enough(is_result, alpha);
  const auto [expanded_grad_output, saved] = at::expand_outplace(grad_output, self_or_result, name);
  at::Tensor grad_input = empty_output(*saved);
  auto iter = at::TensorIterator::binary_op(grad_input, *expanded_grad_output, *saved);
  elu_backward_kernel(iter, alpha, is_result);
  return grad_input;
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, CPU, m) {
  m.impl("elu", &torch_elu::elu_cpu);
  m.impl("elu_", &torch_elu::elu_inplace_cpu);
  m.impl("elu.out", &torch_elu::elu_out_cpu);
  m.impl("elu_backward", &torch_elu::elu_backward_cpu);
}

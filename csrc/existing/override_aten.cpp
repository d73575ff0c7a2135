// The CPU kernels under PyTorch's own operators, at the dispatch key BackendSelect: every call
// passes it right before the kernel of its device, and PyTorch has none there for these operators.
// So no kernel is replaced, PyTorch's or another library's, and what ours do not do (integers,
// mixed dtypes, a coefficient out of range, ...) goes on to the kernel that it would have gone to.

#include <ATen/core/Tensor.h>
#include <ATen/ops/elu_backward_ops.h>
#include <ATen/ops/elu_ops.h>
#include <c10/core/DispatchKeySet.h>
#include <torch/library.h>
#include <torch_elu/override_aten.h>

#include <atomic>
#include <memory>

#include "dispatch/cpu.h"
#include "dispatch/operands.h"

namespace torch_elu {
namespace {

std::atomic<int> overrides = 0;  // in force now

constexpr c10::DispatchKeySet kNext(c10::DispatchKeySet::FULL_AFTER,
                                    c10::DispatchKey::BackendSelect);

bool is_in_force(c10::DispatchKeySet keys) {
  return overrides.load(std::memory_order_relaxed) != 0 &&
         (keys & kNext).highestPriorityTypeId() == c10::DispatchKey::CPU;
}

bool is_in_range(const at::Scalar& coefficient, at::ScalarType dtype) {
  return !coefficient.isComplex() && (dtype == at::kDouble || fits<float>(coefficient.toDouble()));
}

bool is_ours(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
             const at::Scalar& input_scale) {
  const auto dtype = self.scalar_type();
  return is_supported(dtype) && is_in_range(alpha, dtype) && is_in_range(scale, dtype) &&
         is_in_range(input_scale, dtype);
}

// PyTorch refuses a backward from the result of a negative alpha, takes one of a negative scale or
// input_scale, and promotes mixed dtypes.
bool is_backward_ours(const at::Tensor& grad_output, const at::Scalar& alpha,
                      const at::Scalar& scale, const at::Scalar& input_scale, bool is_result,
                      const at::Tensor& self_or_result) {
  return grad_output.scalar_type() == self_or_result.scalar_type() &&
         is_ours(self_or_result, alpha, scale, input_scale) &&
         (!is_result || is_result_enough(alpha, scale, input_scale));
}

// Kernels call kernels here. Through the dispatcher, torch_elu::elu could come back to aten::elu.

at::Tensor elu(c10::DispatchKeySet keys, const at::Tensor& self, const at::Scalar& alpha,
               const at::Scalar& scale, const at::Scalar& input_scale) {
  return is_in_force(keys) && is_ours(self, alpha, scale, input_scale)
             ? elu_cpu(self, alpha, scale, input_scale, /*save_output=*/false)
             : at::_ops::elu::redispatch(keys & kNext, self, alpha, scale, input_scale);
}

at::Tensor& elu_inplace(c10::DispatchKeySet keys, at::Tensor& self, const at::Scalar& alpha,
                        const at::Scalar& scale, const at::Scalar& input_scale) {
  return is_in_force(keys) && is_ours(self, alpha, scale, input_scale)
             ? elu_inplace_cpu(self, alpha, scale, input_scale)
             : at::_ops::elu_::redispatch(keys & kNext, self, alpha, scale, input_scale);
}

at::Tensor& elu_out(c10::DispatchKeySet keys, const at::Tensor& self, const at::Scalar& alpha,
                    const at::Scalar& scale, const at::Scalar& input_scale, at::Tensor& out) {
  return is_in_force(keys) && is_ours(self, alpha, scale, input_scale)
             ? elu_out_cpu(self, alpha, scale, input_scale, out)
             : at::_ops::elu_out::redispatch(keys & kNext, self, alpha, scale, input_scale, out);
}

at::Tensor elu_backward(c10::DispatchKeySet keys, const at::Tensor& grad_output,
                        const at::Scalar& alpha, const at::Scalar& scale,
                        const at::Scalar& input_scale, bool is_result,
                        const at::Tensor& self_or_result) {
  if (!is_in_force(keys) ||
      !is_backward_ours(grad_output, alpha, scale, input_scale, is_result, self_or_result)) {
    return at::_ops::elu_backward::redispatch(keys & kNext, grad_output, alpha, scale, input_scale,
                                              is_result, self_or_result);
  }
  if (grad_output.is_contiguous() && self_or_result.is_contiguous() &&
      grad_output.sizes() == self_or_result.sizes()) {
    return elu_backward_cpu(grad_output, alpha, scale, input_scale, is_result, self_or_result);
  }
  at::Tensor grad_input;
  return elu_backward_out_cpu(grad_output, alpha, scale, input_scale, is_result, self_or_result,
                              grad_input);
}

at::Tensor& elu_backward_out(c10::DispatchKeySet keys, const at::Tensor& grad_output,
                             const at::Scalar& alpha, const at::Scalar& scale,
                             const at::Scalar& input_scale, bool is_result,
                             const at::Tensor& self_or_result, at::Tensor& grad_input) {
  return is_in_force(keys) &&
                 is_backward_ours(grad_output, alpha, scale, input_scale, is_result,
                                  self_or_result) &&
                 grad_input.scalar_type() == self_or_result.scalar_type()
             ? elu_backward_out_cpu(grad_output, alpha, scale, input_scale, is_result,
                                    self_or_result, grad_input)
             : at::_ops::elu_backward_grad_input::redispatch(keys & kNext, grad_output, alpha,
                                                             scale, input_scale, is_result,
                                                             self_or_result, grad_input);
}

// Only at the first override, so that loading this library leaves PyTorch's operators as they are;
// then until it is unloaded, since other threads may be calling them. Those that do while this runs
// see it done or not begun: PyTorch fills an entry of its table that no call has used so far, and
// then sets the bit that sends calls there.
torch::Library register_kernels() {
  torch::Library library(torch::Library::IMPL, "aten", c10::DispatchKey::BackendSelect, __FILE__,
                         __LINE__);
  library.impl("elu", TORCH_FN(elu));
  library.impl("elu_", TORCH_FN(elu_inplace));
  library.impl("elu.out", TORCH_FN(elu_out));
  library.impl("elu_backward", TORCH_FN(elu_backward));
  library.impl("elu_backward.grad_input", TORCH_FN(elu_backward_out));
  return library;
}

std::shared_ptr<void> begin_override() {
  static const torch::Library kernels = register_kernels();
  overrides.fetch_add(1, std::memory_order_relaxed);
  return {nullptr, [](void* /*none*/) { overrides.fetch_sub(1, std::memory_order_relaxed); }};
}

}  // namespace

OverrideAten::OverrideAten() : override_(begin_override()) {}

}  // namespace torch_elu

// The CPU kernels under PyTorch's own operators. What they do not do (integers, mixed dtypes, a
// coefficient out of range, ...) they leave to the kernels that they cover, at::cpu::elu and its
// kin, so that errors and promotion stay PyTorch's.

#include <ATen/ops/elu_backward_cpu_dispatch.h>
#include <ATen/ops/elu_cpu_dispatch.h>
#include <c10/util/Exception.h>
#include <torch/library.h>
#include <torch_elu/override_aten.h>

#include <mutex>

#include "dispatch/cpu.h"
#include "dispatch/operands.h"

namespace torch_elu {
namespace {

// Kernels call kernels here. Through the dispatcher, torch_elu::elu could come back to aten::elu.

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

at::Tensor elu(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
               const at::Scalar& input_scale) {
  return is_ours(self, alpha, scale, input_scale)
             ? elu_cpu(self, alpha, scale, input_scale, /*save_output=*/false)
             : at::cpu::elu(self, alpha, scale, input_scale);
}

at::Tensor& elu_inplace(at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                        const at::Scalar& input_scale) {
  return is_ours(self, alpha, scale, input_scale) ? elu_inplace_cpu(self, alpha, scale, input_scale)
                                                  : at::cpu::elu_(self, alpha, scale, input_scale);
}

at::Tensor& elu_out(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                    const at::Scalar& input_scale, at::Tensor& out) {
  return is_ours(self, alpha, scale, input_scale)
             ? elu_out_cpu(self, alpha, scale, input_scale, out)
             : at::cpu::elu_out(out, self, alpha, scale, input_scale);
}

at::Tensor elu_backward(const at::Tensor& grad_output, const at::Scalar& alpha,
                        const at::Scalar& scale, const at::Scalar& input_scale, bool is_result,
                        const at::Tensor& self_or_result) {
  if (!is_backward_ours(grad_output, alpha, scale, input_scale, is_result, self_or_result)) {
    return at::cpu::elu_backward(grad_output, alpha, scale, input_scale, is_result, self_or_result);
  }
  if (grad_output.is_contiguous() && self_or_result.is_contiguous() &&
      grad_output.sizes() == self_or_result.sizes()) {
    return elu_backward_cpu(grad_output, alpha, scale, input_scale, is_result, self_or_result);
  }
  at::Tensor grad_input;
  return elu_backward_out_cpu(grad_output, alpha, scale, input_scale, is_result, self_or_result,
                              grad_input);
}

at::Tensor& elu_backward_out(const at::Tensor& grad_output, const at::Scalar& alpha,
                             const at::Scalar& scale, const at::Scalar& input_scale, bool is_result,
                             const at::Tensor& self_or_result, at::Tensor& grad_input) {
  return is_backward_ours(grad_output, alpha, scale, input_scale, is_result, self_or_result) &&
                 grad_input.scalar_type() == self_or_result.scalar_type()
             ? elu_backward_out_cpu(grad_output, alpha, scale, input_scale, is_result,
                                    self_or_result, grad_input)
             : at::cpu::elu_backward_out(grad_input, grad_output, alpha, scale, input_scale,
                                         is_result, self_or_result);
}

class Silence : public c10::WarningHandler {
  void process(const c10::Warning& /*warning*/) override {}
};

std::shared_ptr<torch::Library> register_kernels() {
  // A kernel registered over another one is what the dispatcher warns of, once in a process. Here
  // it is meant: nothing is said, on this thread, and the one warning is left for whom it may
  // concern.
  Silence silence;
  const c10::WarningUtils::WarningHandlerGuard handler(&silence);
  const c10::WarningUtils::WarnAlways not_only_once;

  auto library = std::make_shared<torch::Library>(torch::Library::IMPL, "aten",
                                                  c10::DispatchKey::CPU, __FILE__, __LINE__);
  library->impl("elu", TORCH_FN(elu));
  library->impl("elu_", TORCH_FN(elu_inplace));
  library->impl("elu.out", TORCH_FN(elu_out));
  library->impl("elu_backward", TORCH_FN(elu_backward));
  library->impl("elu_backward.grad_input", TORCH_FN(elu_backward_out));
  return library;
}

std::shared_ptr<torch::Library> kernels_in_force() {
  static std::mutex mutex;
  static std::weak_ptr<torch::Library> in_force;
  const std::lock_guard<std::mutex> lock(mutex);
  auto kernels = in_force.lock();
  if (kernels == nullptr) {
    kernels = register_kernels();
    in_force = kernels;
  }
  return kernels;
}

}  // namespace

OverrideAten::OverrideAten() : kernels_(kernels_in_force()) {}

}  // namespace torch_elu

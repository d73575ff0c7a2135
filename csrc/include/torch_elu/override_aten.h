#pragma once

#include <torch/arg.h>
#include <torch_elu/export.h>

#include <memory>

namespace torch_elu {
inline namespace v1 {

struct OverrideAtenOptions {
  /// Let CUDA tensors run this library's CUDA kernels, too. Default: false
  TORCH_ARG(bool, cuda) = false;
};

/// Puts this library's CPU kernels under PyTorch's own operators `aten::elu`, `elu_`, `elu.out`,
/// `elu_backward` and `elu_backward.grad_input`, and so under `selu` and `celu`, for as long as an
/// object of this class lives:
///
///     {
///       const torch_elu::OverrideAten override_aten;
///       model.forward({input});  // a torch::nn or TorchScript model that calls PyTorch's elu
///     }
///
/// Autograd, vmap and forward mode stay PyTorch's, and so does what a caller sees: layout,
/// resizing, errors. Kernels of other devices are left alone, those of CUDA unless
/// `OverrideAtenOptions().cuda(true)` asks for them. So is code compiled by Inductor, ahead of time
/// or not, which does not call `aten::elu`.
///
/// Objects nest, and may end in any order. They hold for all threads, which may call these
/// operators while one begins or ends. A kernel that another library has registered for `aten::elu`
/// on the CPU keeps running in place of PyTorch's, and so of ours.
class TORCH_ELU_API OverrideAten {
 public:
  explicit OverrideAten(const OverrideAtenOptions& options = {});
  ~OverrideAten() = default;
  OverrideAten(OverrideAten&&) = default;
  OverrideAten& operator=(OverrideAten&&) = default;
  OverrideAten(const OverrideAten&) = delete;
  OverrideAten& operator=(const OverrideAten&) = delete;

 private:
  std::shared_ptr<void> override_;
};

}  // namespace v1
}  // namespace torch_elu

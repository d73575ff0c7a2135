#pragma once

#include <torch/arg.h>
#include <torch_elu/export.h>

#include <memory>

namespace torch_elu {
inline namespace v1 {

struct OverrideAtenOptions {
  /// Override the CUDA kernels too. Default: false
  TORCH_ARG(bool, cuda) = false;
};

/// Puts this library's CPU kernels under PyTorch's own operators `aten::elu`, `elu_`, `elu.out`,
/// `elu_backward` and `elu_backward.grad_input`, and thereby under `selu` and `celu`, for as long
/// as an object of this class lives:
///
///     {
///       const torch_elu::OverrideAten override_aten;
///       model.forward({input});  // a torch::nn or TorchScript model that calls PyTorch's elu
///     }
///
/// Autograd, vmap, forward mode, layouts, resizing and errors are unchanged. Kernels of other
/// devices are unaffected (CUDA's too, without `OverrideAtenOptions().cuda(true)`), and so is code
/// compiled by Inductor, which does not call `aten::elu`.
///
/// Objects nest and may end in any order. They act on all threads, and other threads may call these
/// operators while one begins or ends. If another library has registered a CPU kernel for
/// `aten::elu`, that kernel keeps running.
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

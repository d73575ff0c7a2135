#pragma once

#include <torch_elu/export.h>

#include <cstdint>

namespace torch::jit {
struct Module;
}  // namespace torch::jit

namespace torch_elu {
inline namespace v1 {

/// The way back from `convert`: replaces this library's operators by PyTorch's in a TorchScript
/// model (scripted, traced, frozen or loaded). Returns the number replaced. After saving, the model
/// runs wherever PyTorch does, without this library.
///
///     torch::jit::Module model = torch::jit::load("model.pt");
///     torch_elu::revert(model);
///     model.save("model_of_pytorch.pt");
///
/// `elu` becomes `selu` or `celu` where it has their coefficients. `save_output` is lost, because
/// PyTorch has no such option. `elu_plus_one` becomes `elu + 1`, with a warning: that sum rounds to
/// 0 where exp(x) is small. Other handles to the model are unchanged, as with `convert`.
TORCH_ELU_API int64_t revert(torch::jit::Module& module);

}  // namespace v1
}  // namespace torch_elu

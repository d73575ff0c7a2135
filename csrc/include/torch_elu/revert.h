#pragma once

#include <torch_elu/export.h>

#include <cstdint>

namespace torch::jit {
struct Module;
}  // namespace torch::jit

namespace torch_elu {
inline namespace v1 {

/// The way back from `convert`: replaces this library's operators in a TorchScript model, be it
/// scripted, traced, frozen or loaded, by PyTorch's, and returns how many there were. Saved, the
/// model then runs wherever PyTorch does, without this library.
///
///     torch::jit::Module model = torch::jit::load("model.pt");
///     torch_elu::revert(model);
///     model.save("model_of_pytorch.pt");
///
/// `elu` becomes `selu` or `celu` where its coefficients are theirs. `save_output` goes, for
/// PyTorch has no such option, and `elu_plus_one` becomes `elu + 1`, with a warning: that sum
/// rounds to 0 where exp(x) is small. What `convert` says of other handles to the model holds here,
/// too.
TORCH_ELU_API int64_t revert(torch::jit::Module& module);

}  // namespace v1
}  // namespace torch_elu

#pragma once

#include <torch/arg.h>
#include <torch_elu/export.h>

#include <cstdint>

namespace torch::jit {
struct Module;
}  // namespace torch::jit

namespace torch_elu {
inline namespace v1 {

struct ConvertOptions {
  /// Let ELU and CELU save their output for backward instead of the input, where alpha (and scale
  /// and input_scale) are >= 0; SELU saves its input. Default: false
  TORCH_ARG(bool, save_output) = false;
};

/// Replaces PyTorch's `elu`, `elu_`, `selu`, `selu_`, `celu` and `celu_` in a TorchScript model, be
/// it scripted, traced, frozen or loaded, by this library's operators, and returns how many there
/// were. Submodules, hooks, branches and loops are covered, and so are functions and methods of
/// TorchScript classes, which are inlined where they hold one of the six.
///
///     torch::jit::Module model = torch::jit::load("model.pt");
///     torch_elu::convert(model);
///
/// `module` becomes a model with code of its own and the same parameters, buffers and attributes,
/// so that nothing compiled from the old code runs any more. Other handles to the old model, and
/// other models made from the same class, stay as they are. Where there is nothing to replace,
/// nothing changes.
///
/// In place, an alpha < 0 is refused when the forward runs where gradients are recorded; PyTorch
/// refuses it in the backward.
TORCH_ELU_API int64_t convert(torch::jit::Module& module, const ConvertOptions& options = {});

}  // namespace v1
}  // namespace torch_elu

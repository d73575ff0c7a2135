#pragma once

#include <torch_elu/export.h>

#include <cstdint>

namespace torch::jit {
struct Module;
}  // namespace torch::jit

namespace torch_elu {

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
/// other models made from the same class, stay as they are.
///
/// With `save_output` ELU and CELU keep their output for backward in place of the input, where
/// alpha (and scale and input_scale) are >= 0; SELU keeps its input. In place, an alpha < 0 is
/// refused when the forward runs where gradients are recorded; PyTorch refuses it in the backward.
TORCH_ELU_API int64_t convert(torch::jit::Module& module, bool save_output = false);

}  // namespace torch_elu

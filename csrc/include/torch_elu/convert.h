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
  /// ELU and CELU save their output for backward instead of the input, where alpha, scale and
  /// input_scale are >= 0. SELU saves its input. Default: false
  TORCH_ARG(bool, save_output) = false;
};

/// Replaces PyTorch's `elu`, `elu_`, `selu`, `selu_`, `celu` and `celu_` by this library's
/// operators in a TorchScript model (scripted, traced, frozen or loaded). Returns the number
/// replaced. Looks into submodules, hooks, branches and loops. Functions and methods of TorchScript
/// classes that contain one of the six are inlined.
///
///     torch::jit::Module model = torch::jit::load("model.pt");
///     torch_elu::convert(model);
///
/// `module` gets new code and keeps its parameters, buffers and attributes; nothing compiled from
/// the old code runs any more. Other handles to the old model, and other models of the same class,
/// are unchanged. If there is nothing to replace, nothing changes.
///
/// In place with alpha < 0, the forward throws where gradients are recorded; PyTorch's throws in
/// the backward.
TORCH_ELU_API int64_t convert(torch::jit::Module& module, const ConvertOptions& options = {});

}  // namespace v1
}  // namespace torch_elu

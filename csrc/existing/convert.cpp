// TorchScript models: PyTorch's activations become operators of this library.

#include <torch_elu/convert.h>

#include <cstdint>

#include "existing/rewrite_module.h"

namespace torch_elu {
namespace {

// What stands in place of each of PyTorch's operators, whose arguments it takes, and whether ELU
// and CELU are to save their output.
constexpr const char* kReplacements = R"(
def elu(self: Tensor, alpha: number, scale: number, input_scale: number, save_output: bool):
    is_enough = save_output and alpha >= 0 and scale >= 0 and input_scale >= 0
    return torch_elu.elu(self, alpha, scale, input_scale, save_output=is_enough)

def elu_(self: Tensor, alpha: number, scale: number, input_scale: number, save_output: bool):
    return torch_elu.elu_(self, alpha, scale, input_scale)

def selu(self: Tensor, save_output: bool):
    alpha, scale = torch_elu.selu_coefficients()
    return torch_elu.elu(self, alpha, scale)

def selu_(self: Tensor, save_output: bool):
    alpha, scale = torch_elu.selu_coefficients()
    return torch_elu.elu_(self, alpha, scale)

def celu(self: Tensor, alpha: number, save_output: bool):
    return torch_elu.elu(self, alpha, 1.0, torch_elu.celu_input_scale(alpha),
                         save_output=save_output and alpha >= 0)

def celu_(self: Tensor, alpha: number, save_output: bool):
    return torch_elu.elu_(self, alpha, 1.0, torch_elu.celu_input_scale(alpha))
)";

}  // namespace

inline namespace v1 {

int64_t convert(torch::jit::Module& module, const ConvertOptions& options) {
  static const Replacements replacements("aten", kReplacements);
  int64_t count = 0;
  for (const auto& [name, replaced] :
       rewrite_module(module, replacements, {options.save_output()})) {
    count += replaced;
  }
  return count;
}

}  // namespace v1
}  // namespace torch_elu

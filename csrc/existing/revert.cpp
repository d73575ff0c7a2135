// TorchScript models: operators of this library become PyTorch's.

#include <c10/util/Exception.h>
#include <torch_elu/revert.h>

#include "existing/rewrite_module.h"

namespace torch_elu {
namespace {

// The counterpart of convert.cpp's. PyTorch's celu and selu come back as themselves, since their
// gradients need not have elu's bits.
constexpr const char* kReplacements = R"(
def elu(self: Tensor, alpha: number, scale: number, input_scale: number, save_output: bool):
    is_celu = alpha != 0 and scale == 1 and input_scale != 1 and input_scale == 1.0 / alpha
    selu_alpha, selu_scale = torch_elu.selu_coefficients()
    if alpha == selu_alpha and scale == selu_scale and input_scale == 1:
        result = aten.selu(self)
    elif is_celu:
        result = aten.celu(self, alpha)
    else:
        result = aten.elu(self, alpha, scale, input_scale)
    return result

def elu_(self: Tensor, alpha: number, scale: number, input_scale: number):
    is_celu = alpha != 0 and scale == 1 and input_scale != 1 and input_scale == 1.0 / alpha
    selu_alpha, selu_scale = torch_elu.selu_coefficients()
    if alpha == selu_alpha and scale == selu_scale and input_scale == 1:
        result = aten.selu_(self)
    elif is_celu:
        result = aten.celu_(self, alpha)
    else:
        result = aten.elu_(self, alpha, scale, input_scale)
    return result

def elu_out(self: Tensor, alpha: number, scale: number, input_scale: number, out: Tensor):
    return aten.elu(self, alpha, scale, input_scale, out=out)

def elu_backward(grad_output: Tensor, alpha: number, scale: number, input_scale: number,
                 is_result: bool, self_or_result: Tensor):
    return aten.elu_backward(grad_output, alpha, scale, input_scale, is_result, self_or_result)

def celu_input_scale(alpha: number):
    return 1.0 / alpha

def elu_plus_one(self: Tensor):
    return aten.elu(self) + 1

def parametric_elu(self: Tensor, alpha: Tensor, input_divisor: Optional[Tensor]):
    z = aten.clamp(self, max=0)
    if input_divisor is not None:
        z = z / input_divisor
    return aten.where(self > 0, self, (alpha * aten.expm1(z)).to(self.dtype))

def elu_plus_one_backward(grad_output: Tensor, result: Tensor):
    return grad_output * aten.clamp(result, max=1)
)";

}  // namespace

inline namespace v1 {

int64_t revert(torch::jit::Module& module) {
  static const Replacements replacements("torch_elu", kReplacements);
  int64_t count = 0;
  for (const auto& [name, replaced] : rewrite_module(module, replacements)) {
    count += replaced;
    if (name == "elu_plus_one") {
      TORCH_WARN("torch_elu.revert replaced ", replaced,
                 " elu_plus_one by elu + 1, which rounds to 0 "
                 "below about -17 in float32, -8.4 in float16, -6.3 in bfloat16: there a linear "
                 "attention loses its weights.");
    }
  }
  return count;
}

}  // namespace v1
}  // namespace torch_elu

#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>
#include <torch/arg.h>
#include <torch_elu/export.h>

#include <array>
#include <optional>
#include <string>
#include <tuple>

/// ELU, SELU and CELU as functions of a tensor, and ELU + 1.
///
/// The first three are one family,
///
///     f(x) = scale * x                                     for x >  0
///     f(x) = alpha * scale * (exp(input_scale * x) - 1)    for x <= 0
///
/// elementwise on a float64, float32, float16 or bfloat16 tensor of any shape and layout. Each goes
/// through PyTorch's dispatcher, so autograd, vmap and torch.compile work as with `at::elu`.
/// Devices without a kernel of this library run PyTorch's own elu. Throws
/// `c10::NotImplementedError` for other dtypes, and `c10::Error` if a coefficient overflows the
/// dtype of the computation (float32 for float16 and bfloat16).
///
///     const at::Tensor x = torch::randn({8, 4}, torch::requires_grad());
///     torch_elu::elu(x, 0.5).sum().backward();
///     torch_elu::elu(x, torch_elu::ELUFuncOptions().alpha(0.5).save_output(true));
namespace torch_elu {
inline namespace v1 {

/// The arguments of `elu`, by name.
struct ELUFuncOptions {
  /// Default: 1
  TORCH_ARG(at::Scalar, alpha) = 1;
  /// Default: 1
  TORCH_ARG(at::Scalar, scale) = 1;
  /// Default: 1
  TORCH_ARG(at::Scalar, input_scale) = 1;
  /// Overwrite the input with the result, as `elu_` does. Default: false
  TORCH_ARG(bool, inplace) = false;
  /// Save the result for backward instead of the input. Costs no extra memory where the next layer
  /// saves it too. Needs alpha, scale and input_scale >= 0, and loses precision of tiny slopes.
  /// Default: false
  TORCH_ARG(bool, save_output) = false;
};

struct SELUFuncOptions {
  /// Overwrite the input with the result, as `selu_` does. Default: false
  TORCH_ARG(bool, inplace) = false;
};

struct CELUFuncOptions {
  /// Not 0. Default: 1
  TORCH_ARG(at::Scalar, alpha) = 1;
  /// Overwrite the input with the result, as `celu_` does. Default: false
  TORCH_ARG(bool, inplace) = false;
  /// As in `ELUFuncOptions`; needs alpha > 0. Default: false
  TORCH_ARG(bool, save_output) = false;
};

/// ELU (Clevert et al., arXiv:1511.07289) with the arguments of `at::elu`. Saves `self` for
/// backward.
TORCH_ELU_API at::Tensor elu(const at::Tensor& self, const at::Scalar& alpha = 1,
                             const at::Scalar& scale = 1, const at::Scalar& input_scale = 1);
TORCH_ELU_API at::Tensor elu(const at::Tensor& self, const ELUFuncOptions& options);

/// `elu` in place. Saves the result for backward, so the coefficients must be >= 0 where gradients
/// are recorded.
TORCH_ELU_API at::Tensor& elu_(at::Tensor& self, const at::Scalar& alpha = 1,
                               const at::Scalar& scale = 1, const at::Scalar& input_scale = 1);

/// Writes `elu` to `out` and resizes it as `at::elu_out` does. Records no gradient.
TORCH_ELU_API at::Tensor& elu_out(at::Tensor& out, const at::Tensor& self,
                                  const at::Scalar& alpha = 1, const at::Scalar& scale = 1,
                                  const at::Scalar& input_scale = 1);

/// grad_output * f'(x). `self_or_result` is x (`is_result` false) or f(x). f(x) determines the
/// slope only if alpha, scale and input_scale are >= 0; throws `c10::Error` otherwise. (On devices
/// without a kernel of this library PyTorch computes it, and checks only alpha.) Differentiable in
/// both tensors.
TORCH_ELU_API at::Tensor elu_backward(const at::Tensor& grad_output, const at::Scalar& alpha,
                                      const at::Scalar& scale, const at::Scalar& input_scale,
                                      bool is_result, const at::Tensor& self_or_result);

/// SELU (Klambauer et al., arXiv:1706.02515): elu with alpha 1.67326... and scale 1.05070...
TORCH_ELU_API at::Tensor selu(const at::Tensor& self, const SELUFuncOptions& options = {});
TORCH_ELU_API at::Tensor& selu_(at::Tensor& self);

/// CELU (Barron, arXiv:1704.07483): elu with input_scale 1 / alpha, computed in double. Throws
/// `c10::Error` if alpha is 0, or so small that 1 / alpha overflows the dtype of the computation.
TORCH_ELU_API at::Tensor celu(const at::Tensor& self, const at::Scalar& alpha = 1);
TORCH_ELU_API at::Tensor celu(const at::Tensor& self, const CELUFuncOptions& options);
TORCH_ELU_API at::Tensor& celu_(at::Tensor& self, const at::Scalar& alpha = 1);

/// elu(self) + 1, the feature map of linear attention (Katharopoulos et al., arXiv:2006.16236):
///
///     f(x) = x + 1     for x >  0
///     f(x) = exp(x)    for x <= 0
///
/// The sum rounds to 0 below about -17 (float32) or -6.3 (bfloat16); this stays positive for as
/// long as exp(x) does. Saves the result for backward: where it is below 1, it is the slope. On
/// devices without a kernel of this library PyTorch's own operators compute it.
TORCH_ELU_API at::Tensor elu_plus_one(const at::Tensor& self);

/// grad_output * f'(x), from result = f(x): grad_output * min(result, 1). Differentiable in both.
TORCH_ELU_API at::Tensor elu_plus_one_backward(const at::Tensor& grad_output,
                                               const at::Tensor& result);

/// ELU with a tensor for alpha, which has a gradient:
///
///     f(x) = x                                          for x >  0
///     f(x) = alpha * (exp(x / input_divisor) - 1)       for x <= 0
///
/// input_divisor defaults to 1; CELU's is alpha. Both broadcast against self as in `at::where` and
/// have its dtype, or float32 for a float16 or bfloat16 self. 1 / input_divisor is computed in
/// double; where it is infinite, the result is the limit. A constant tensor gives the bits of the
/// number. Saves its arguments for backward.
TORCH_ELU_API at::Tensor parametric_elu(const at::Tensor& self, const at::Tensor& alpha,
                                        const std::optional<at::Tensor>& input_divisor = {});

/// The gradients of self, alpha and input_divisor, in their shapes. Those that `output_mask` does
/// not ask for are undefined. Differentiable.
TORCH_ELU_API std::tuple<at::Tensor, at::Tensor, at::Tensor> parametric_elu_backward(
    const at::Tensor& grad_output, const at::Tensor& self, const at::Tensor& alpha,
    const std::optional<at::Tensor>& input_divisor, std::array<bool, 3> output_mask);

/// The version of this library.
TORCH_ELU_API std::string version();

/// The version of CUDA that the CUDA kernels were compiled with; empty if none are loaded.
TORCH_ELU_API std::string cuda_version();

/// The instruction set that the CPU kernels use here: "avx512", "avx2" or "baseline".
TORCH_ELU_API std::string cpu_capability();

namespace detail {
// Keeps the library linked. An app that only loads a TorchScript model calls nothing of it, and
// --as-needed would drop it; with this, every file that includes the header refers to it.
[[gnu::used]] inline std::string (*const keep_library_linked)() = &version;
}  // namespace detail

}  // namespace v1
}  // namespace torch_elu

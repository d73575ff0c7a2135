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
/// elementwise on a float64, float32, float16 or bfloat16 tensor of any shape and layout, and each
/// goes through PyTorch's dispatcher: autograd, vmap, torch.compile and devices without a kernel of
/// this library (which take PyTorch's own elu) work as with `at::elu`. `c10::NotImplementedError`
/// for other dtypes; `c10::Error` where a coefficient does not fit the dtype in which the tensor is
/// computed.
///
///     const at::Tensor x = torch::randn({8, 4}, torch::requires_grad());
///     torch_elu::elu(x, 0.5).sum().backward();
///     torch_elu::elu(x, torch_elu::ELUFuncOptions().alpha(0.5).save_output(true));
namespace torch_elu {
inline namespace v1 {

/// What `elu` takes, by name.
struct ELUFuncOptions {
  /// Default: 1
  TORCH_ARG(at::Scalar, alpha) = 1;
  /// Default: 1
  TORCH_ARG(at::Scalar, scale) = 1;
  /// Default: 1
  TORCH_ARG(at::Scalar, input_scale) = 1;
  /// Overwrite the input with the result, as `elu_` does. Default: false
  TORCH_ARG(bool, inplace) = false;
  /// Save the result for backward instead of the input. That costs no memory where the next layer
  /// saves it too, but gives up relative precision of tiny slopes and needs alpha, scale and
  /// input_scale >= 0. Default: false
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

/// `elu` into `out`, which is resized as `at::elu_out` does it. Records no gradient.
TORCH_ELU_API at::Tensor& elu_out(at::Tensor& out, const at::Tensor& self,
                                  const at::Scalar& alpha = 1, const at::Scalar& scale = 1,
                                  const at::Scalar& input_scale = 1);

/// grad_output * f'(x), from x itself (`is_result` false) or from f(x), which tells the slope only
/// where alpha, scale and input_scale are >= 0: `c10::Error` where one is not. (On devices without
/// a kernel here PyTorch computes, and refuses a negative alpha alone.) Differentiable in both
/// tensors.
TORCH_ELU_API at::Tensor elu_backward(const at::Tensor& grad_output, const at::Scalar& alpha,
                                      const at::Scalar& scale, const at::Scalar& input_scale,
                                      bool is_result, const at::Tensor& self_or_result);

/// SELU (Klambauer et al., arXiv:1706.02515): elu with alpha 1.67326... and scale 1.05070...
TORCH_ELU_API at::Tensor selu(const at::Tensor& self, const SELUFuncOptions& options = {});
TORCH_ELU_API at::Tensor& selu_(at::Tensor& self);

/// CELU (Barron, arXiv:1704.07483): elu with input_scale 1 / alpha, that quotient taken in double.
/// `c10::Error` if alpha is 0, or so small that 1 / alpha overflows the dtype of the computation.
TORCH_ELU_API at::Tensor celu(const at::Tensor& self, const at::Scalar& alpha = 1);
TORCH_ELU_API at::Tensor celu(const at::Tensor& self, const CELUFuncOptions& options);
TORCH_ELU_API at::Tensor& celu_(at::Tensor& self, const at::Scalar& alpha = 1);

/// elu(self) + 1, the feature map of linear attention (Katharopoulos et al., arXiv:2006.16236):
///
///     f(x) = x + 1     for x >  0
///     f(x) = exp(x)    for x <= 0
///
/// Unlike that sum it does not round to 0 from about -17 (float32) or -6.3 (bfloat16) on, but is
/// positive for as long as exp(x) is. For backward the result is saved, which is the slope where it
/// is below 1. On devices without a kernel of this library PyTorch's own operators compute it.
TORCH_ELU_API at::Tensor elu_plus_one(const at::Tensor& self);

/// grad_output * f'(x), from result = f(x): grad_output * min(result, 1). Differentiable in both.
TORCH_ELU_API at::Tensor elu_plus_one_backward(const at::Tensor& grad_output,
                                               const at::Tensor& result);

/// ELU with an alpha that is a tensor, and learns:
///
///     f(x) = x                                          for x >  0
///     f(x) = alpha * (exp(x / input_divisor) - 1)       for x <= 0
///
/// alpha, and input_divisor where it is given (it is 1 otherwise; CELU's is alpha), broadcast
/// against self as in `at::where`; they have its dtype, or float32 beside a half. The quotient
/// 1 / input_divisor is taken in double; where it is infinite the result is the limit. A tensor of
/// one number gives the bits of that number. Saves its arguments for backward.
TORCH_ELU_API at::Tensor parametric_elu(const at::Tensor& self, const at::Tensor& alpha,
                                        const std::optional<at::Tensor>& input_divisor = {});

/// The gradients of self, alpha and input_divisor, in their shapes: those that `output_mask` asks
/// for, the others undefined. Differentiable.
TORCH_ELU_API std::tuple<at::Tensor, at::Tensor, at::Tensor> parametric_elu_backward(
    const at::Tensor& grad_output, const at::Tensor& self, const at::Tensor& alpha,
    const std::optional<at::Tensor>& input_divisor, std::array<bool, 3> output_mask);

/// The version of this library.
TORCH_ELU_API std::string version();

/// The CUDA toolkit that the CUDA kernels were compiled with, empty where none are loaded.
TORCH_ELU_API std::string cuda_version();

/// The instruction set that the CPU kernels use here: "avx512", "avx2" or "baseline".
TORCH_ELU_API std::string cpu_capability();

namespace detail {
// An app that only loads a TorchScript model calls nothing of this library, and a linker told
// --as-needed would drop it. Every file that includes this header refers to the library here, which
// keeps it.
[[gnu::used]] inline std::string (*const keep_library_linked)() = &version;
}  // namespace detail

}  // namespace v1
}  // namespace torch_elu

#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>
#include <torch_elu/export.h>

#include <string>

/// elu(x) = x for x > 0 and alpha * x / (1 - x) below, elementwise on a float64, float32, float16
/// or bfloat16 tensor of any shape and layout. Each function goes through PyTorch's dispatcher, so
/// autograd, vmap and torch.compile work. `c10::NotImplementedError` for other dtypes.
///
///     const at::Tensor x = torch::randn({8, 4}, torch::requires_grad());
///     torch_elu::elu(x, 0.5).sum().backward();
namespace torch_elu {
inline namespace v1 {

/// Saves `self` for backward.
TORCH_ELU_API at::Tensor elu(const at::Tensor& self, const at::Scalar& alpha = 1);

/// In place. Saves the result for backward, so alpha must be > 0 where gradients are recorded.
TORCH_ELU_API at::Tensor& elu_(at::Tensor& self, const at::Scalar& alpha = 1);

/// Into `out`, which is resized where its shape is another. Records no gradient.
TORCH_ELU_API at::Tensor& elu_out(at::Tensor& out, const at::Tensor& self,
                                  const at::Scalar& alpha = 1);

/// grad_output * elu'(x), from x itself (`is_result` false) or from elu(x), which tells the slope
/// only where alpha > 0. Differentiable in both tensors.
TORCH_ELU_API at::Tensor elu_backward(const at::Tensor& grad_output, const at::Scalar& alpha,
                                      bool is_result, const at::Tensor& self_or_result);

/// The version of this library.
TORCH_ELU_API std::string version();

/// The CUDA toolkit that the library was built with, empty where it holds no CUDA kernels.
TORCH_ELU_API std::string cuda_version();

namespace detail {
// An app that only loads a TorchScript model calls nothing of this library, and a linker told
// --as-needed would drop it. Every file that includes this header refers to the library here, which
// keeps it.
[[gnu::used]] inline std::string (*const keep_library_linked)() = &version;
}  // namespace detail

}  // namespace v1
}  // namespace torch_elu

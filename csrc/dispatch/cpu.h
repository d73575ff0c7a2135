#pragma once

// The CPU kernels over operands that an iterator holds ready: for PyTorch's own operators.

#include <c10/core/Scalar.h>

namespace at {
struct TensorIteratorBase;
}  // namespace at

namespace torch_elu {

/// Of the output and `self`.
void elu_kernel(at::TensorIteratorBase& iter, const at::Scalar& alpha, const at::Scalar& scale,
                const at::Scalar& input_scale);

/// Of `grad_input`, `grad_output` and `self_or_result`, converted to their common dtype.
void elu_backward_kernel(at::TensorIteratorBase& iter, const at::Scalar& alpha,
                         const at::Scalar& scale, const at::Scalar& input_scale, bool is_result);

}  // namespace torch_elu

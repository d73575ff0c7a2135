#pragma once

// The CPU kernels of the operators, for those who reach them without the dispatcher.

#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>

namespace torch_elu {

at::Tensor elu_cpu(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                   const at::Scalar& input_scale, bool save_output);

at::Tensor& elu_out_cpu(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                        const at::Scalar& input_scale, at::Tensor& out);

at::Tensor& elu_inplace_cpu(at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                            const at::Scalar& input_scale);

at::Tensor elu_backward_cpu(const at::Tensor& grad_output, const at::Scalar& alpha,
                            const at::Scalar& scale, const at::Scalar& input_scale, bool is_result,
                            const at::Tensor& self_or_result);

/// All three of one dtype. An undefined `grad_input` is allocated, in the layout that
/// at::elu_backward gives it.
at::Tensor& elu_backward_out_cpu(const at::Tensor& grad_output, const at::Scalar& alpha,
                                 const at::Scalar& scale, const at::Scalar& input_scale,
                                 bool is_result, const at::Tensor& self_or_result,
                                 at::Tensor& grad_input);

}  // namespace torch_elu

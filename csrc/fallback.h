#pragma once

// What PyTorch has no operator for, written in those that it has: for devices without a kernel of
// this library, and for transforms that differentiate.

#include <ATen/core/Tensor.h>

namespace torch_elu {

at::Tensor elu_plus_one_of_aten(const at::Tensor& self);

at::Tensor elu_plus_one_backward_of_aten(const at::Tensor& grad_output, const at::Tensor& result);

}  // namespace torch_elu

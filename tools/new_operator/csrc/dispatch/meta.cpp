// Shapes, strides and dtypes without data, for the meta device and for torch.compile's fake
// tensors.

#include <ATen/ExpandUtils.h>
#include <ATen/native/Resize.h>
#include <torch/library.h>

#include <algorithm>

#include "dispatch/operands.h"

namespace torch_elu {
namespace {

//= check_dtype_without_data
//= same_sizes
//= elu_meta
//= elu_inplace_meta
//= elu_out_meta
//= empty_grad_input
//= elu_backward_meta

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, Meta, m) {
  m.impl("elu", &torch_elu::elu_meta);
  m.impl("elu_", &torch_elu::elu_inplace_meta);
  m.impl("elu.out", &torch_elu::elu_out_meta);
  m.impl("elu_backward", &torch_elu::elu_backward_meta);
}

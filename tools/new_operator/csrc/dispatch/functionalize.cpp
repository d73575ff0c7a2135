// Functionalization (torch.compile, torch.export, torch.func.functionalize) turns operators that
// write into ones that do not: the new value is computed out of place and put in the place of the
// old one.

#include <ATen/FunctionalTensorWrapper.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>
#include <torch_elu/functional.h>

namespace torch_elu {
namespace {

//= functionalization
//= current_value
//= set_value
//= elu_inplace_functionalize
//= elu_out_functionalize

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, Functionalize, m) {
  m.impl("elu_", &torch_elu::elu_inplace_functionalize);
  m.impl("elu.out", &torch_elu::elu_out_functionalize);
}

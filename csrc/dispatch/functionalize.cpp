// Functionalization (torch.compile, torch.export, torch.func.functionalize) turns operators that
// write into ones that do not: the new value is computed out of place and put in the place of the
// old one.

#include <ATen/FunctionalTensorWrapper.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>
#include <torch_elu/functional.h>

namespace torch_elu {
namespace {

namespace functionalization = at::functionalization::impl;

at::Tensor current_value(const at::Tensor& tensor) {
  if (!functionalization::isFunctionalTensor(tensor)) {
    return tensor;
  }
  functionalization::sync(tensor);
  return functionalization::from_functional_tensor(tensor);
}

void set_value(at::Tensor& tensor, const at::Tensor& value) {
  functionalization::replace_(tensor, value);
  functionalization::commit_update(tensor);
  functionalization::sync(tensor);
}

at::Tensor& elu_inplace_functionalize(at::Tensor& self, const at::Scalar& alpha,
                                      const at::Scalar& scale, const at::Scalar& input_scale) {
  auto value = current_value(self);
  c10::impl::ExcludeDispatchKeyGuard below(c10::DispatchKey::Functionalize);
  if (!functionalization::isFunctionalTensor(self)) {
    return torch_elu::elu_(self, alpha, scale, input_scale);
  }
  set_value(self, torch_elu::elu(value, alpha, scale, input_scale));
  return self;
}

at::Tensor& elu_out_functionalize(const at::Tensor& self, const at::Scalar& alpha,
                                  const at::Scalar& scale, const at::Scalar& input_scale,
                                  at::Tensor& out) {
  const auto value = current_value(self);
  c10::impl::ExcludeDispatchKeyGuard below(c10::DispatchKey::Functionalize);
  if (!functionalization::isFunctionalTensor(out)) {
    TORCH_CHECK(!functionalization::isFunctionalTensor(self),
                "torch_elu::elu.out: a functional tensor cannot be written into one that is not");
    return torch_elu::elu_out(out, value, alpha, scale, input_scale);
  }
  // As in ATen, dtype and size of out are not compared here.
  set_value(out, torch_elu::elu(value, alpha, scale, input_scale));
  return out;
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, Functionalize, m) {
  m.impl("elu_", &torch_elu::elu_inplace_functionalize);
  m.impl("elu.out", &torch_elu::elu_out_functionalize);
}

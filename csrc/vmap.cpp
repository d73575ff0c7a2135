// torch.vmap: an elementwise operator takes the batch dimension as one more, so the batched tensor
// is unwrapped, the operator called once, and its result wrapped.

#include <ATen/functorch/BatchedTensorImpl.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>
#include <torch_elu/functional.h>

#include <algorithm>

namespace torch_elu {
namespace {

using at::functorch::makeBatched;
using at::functorch::maybeGetBatchedImpl;

// -1: not batched.
int64_t batch_level(const at::Tensor& tensor) {
  const auto* batched = maybeGetBatchedImpl(tensor);
  return batched == nullptr ? -1 : batched->level();
}

// The tensor with the batch dimension of this level first, or one of size 1 where it has none, and
// then `logical_dim` dimensions, so that two of them broadcast as their logical tensors do.
at::Tensor with_batch_first(const at::Tensor& tensor, int64_t level, int64_t logical_dim) {
  const auto* batched = maybeGetBatchedImpl(tensor);
  const bool has_batch = batched != nullptr && batched->level() == level;
  auto value = has_batch ? batched->value().movedim(batched->bdim(), 0) : tensor.unsqueeze(0);
  for (int64_t dim = tensor.dim(); dim < logical_dim; ++dim) {
    value = value.unsqueeze(1);
  }
  return value;
}

at::Tensor elu_batched(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                       const at::Scalar& input_scale, bool save_output) {
  c10::impl::ExcludeDispatchKeyGuard below_vmap(c10::DispatchKey::FuncTorchBatched);
  const auto* batched = maybeGetBatchedImpl(self);
  return makeBatched(torch_elu::elu(batched->value(), alpha, scale, input_scale, save_output),
                     batched->bdim(), batched->level());
}

at::Tensor& elu_inplace_batched(at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                                const at::Scalar& input_scale) {
  c10::impl::ExcludeDispatchKeyGuard below_vmap(c10::DispatchKey::FuncTorchBatched);
  auto value = maybeGetBatchedImpl(self)->value();
  torch_elu::elu_(value, alpha, scale, input_scale);
  return self;
}

at::Tensor elu_backward_batched(const at::Tensor& grad_output, const at::Scalar& alpha,
                                const at::Scalar& scale, const at::Scalar& input_scale,
                                bool is_result, const at::Tensor& self_or_result) {
  c10::impl::ExcludeDispatchKeyGuard below_vmap(c10::DispatchKey::FuncTorchBatched);
  const int64_t level = std::max(batch_level(grad_output), batch_level(self_or_result));
  const int64_t dim = std::max(grad_output.dim(), self_or_result.dim());
  return makeBatched(
      torch_elu::elu_backward(with_batch_first(grad_output, level, dim), alpha, scale, input_scale,
                              is_result, with_batch_first(self_or_result, level, dim)),
      0, level);
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, FuncTorchBatched, m) {
  m.impl("elu", &torch_elu::elu_batched);
  m.impl("elu_", &torch_elu::elu_inplace_batched);
  m.impl("elu_backward", &torch_elu::elu_backward_batched);
}

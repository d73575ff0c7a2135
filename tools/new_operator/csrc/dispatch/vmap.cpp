// torch.vmap: an elementwise operator takes the batch dimension as one more, so the batched tensor
// is unwrapped, the operator called once, and its result wrapped.

#include <ATen/functorch/BatchedTensorImpl.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>
#include <torch_elu/functional.h>

#include <algorithm>
#include <cstdint>

namespace torch_elu {
namespace {

using at::functorch::makeBatched;
using at::functorch::maybeGetBatchedImpl;

//= batch_level
//= with_batch_first

at::Tensor elu_batched(const at::Tensor& self, const at::Scalar& alpha) {
  c10::impl::ExcludeDispatchKeyGuard below_vmap(c10::DispatchKey::FuncTorchBatched);
  const auto* batched = maybeGetBatchedImpl(self);
  return makeBatched(torch_elu::elu(batched->value(), alpha), batched->bdim(), batched->level());
}

//= elu_inplace_batched
//= backward_batched
//= elu_backward_batched

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, FuncTorchBatched, m) {
  m.impl("elu", &torch_elu::elu_batched);
  m.impl("elu_", &torch_elu::elu_inplace_batched);
  m.impl("elu_backward", &torch_elu::elu_backward_batched);
}

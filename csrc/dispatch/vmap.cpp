// torch.vmap: an elementwise operator takes the batch dimension as one more, so the batched tensor
// is unwrapped, the operator called once, and its result wrapped.

#include <ATen/functorch/BatchedTensorImpl.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>
#include <torch_elu/functional.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <tuple>

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
  return makeBatched(torch_elu::elu(batched->value(), ELUFuncOptions()
                                                          .alpha(alpha)
                                                          .scale(scale)
                                                          .input_scale(input_scale)
                                                          .save_output(save_output)),
                     batched->bdim(), batched->level());
}

at::Tensor& elu_inplace_batched(at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                                const at::Scalar& input_scale) {
  c10::impl::ExcludeDispatchKeyGuard below_vmap(c10::DispatchKey::FuncTorchBatched);
  auto value = maybeGetBatchedImpl(self)->value();
  torch_elu::elu_(value, alpha, scale, input_scale);
  return self;
}

at::Tensor elu_plus_one_batched(const at::Tensor& self) {
  c10::impl::ExcludeDispatchKeyGuard below_vmap(c10::DispatchKey::FuncTorchBatched);
  const auto* batched = maybeGetBatchedImpl(self);
  return makeBatched(torch_elu::elu_plus_one(batched->value()), batched->bdim(), batched->level());
}

// `backward` of the unwrapped tensors, wrapped.
template <typename Backward>
at::Tensor backward_batched(const at::Tensor& grad_output, const at::Tensor& saved,
                            const Backward& backward) {
  c10::impl::ExcludeDispatchKeyGuard below_vmap(c10::DispatchKey::FuncTorchBatched);
  const int64_t level = std::max(batch_level(grad_output), batch_level(saved));
  const int64_t dim = std::max(grad_output.dim(), saved.dim());
  return makeBatched(
      backward(with_batch_first(grad_output, level, dim), with_batch_first(saved, level, dim)), 0,
      level);
}

at::Tensor elu_backward_batched(const at::Tensor& grad_output, const at::Scalar& alpha,
                                const at::Scalar& scale, const at::Scalar& input_scale,
                                bool is_result, const at::Tensor& self_or_result) {
  return backward_batched(grad_output, self_or_result,
                          [&](const at::Tensor& grad_output, const at::Tensor& self_or_result) {
                            return torch_elu::elu_backward(grad_output, alpha, scale, input_scale,
                                                           is_result, self_or_result);
                          });
}

at::Tensor elu_plus_one_backward_batched(const at::Tensor& grad_output, const at::Tensor& result) {
  return backward_batched(grad_output, result, &torch_elu::elu_plus_one_backward);
}

// What the operands are below this level of vmap: all with the batch first, and as many dimensions.
struct ParametricBatch {
  int64_t level = -1, dim = 0, size = 1;

  explicit ParametricBatch(std::initializer_list<at::Tensor> tensors) {
    for (const auto& tensor : tensors) {
      level = std::max(level, tensor.defined() ? batch_level(tensor) : -1);
      dim = std::max(dim, tensor.defined() ? tensor.dim() : 0);
    }
    for (const auto& tensor : tensors) {
      if (tensor.defined() && batch_level(tensor) == level) {
        const auto* batched = maybeGetBatchedImpl(tensor);
        size = batched->value().size(batched->bdim());
      }
    }
  }

  at::Tensor value(const at::Tensor& tensor) const { return with_batch_first(tensor, level, dim); }
  // So that its gradient has the batch, too.
  at::Tensor expanded(const at::Tensor& tensor) const {
    const auto own = value(tensor);
    auto sizes = own.sizes().vec();
    sizes[0] = size;
    return own.expand(sizes);
  }
  // Of the tensor, without the dimensions that value() put in.
  at::Tensor gradient(at::Tensor value, const at::Tensor& tensor) const {
    if (!value.defined()) {
      return value;
    }
    while (value.dim() > tensor.dim() + 1) {
      value = value.squeeze(1);
    }
    return makeBatched(value, 0, level);
  }
};

at::Tensor parametric_elu_batched(const at::Tensor& self, const at::Tensor& alpha,
                                  const std::optional<at::Tensor>& input_divisor) {
  c10::impl::ExcludeDispatchKeyGuard below_vmap(c10::DispatchKey::FuncTorchBatched);
  const ParametricBatch batch({self, alpha, input_divisor.value_or(at::Tensor())});
  std::optional<at::Tensor> divisor;
  if (input_divisor) {
    divisor = batch.value(*input_divisor);
  }
  return makeBatched(torch_elu::parametric_elu(batch.value(self), batch.value(alpha), divisor), 0,
                     batch.level);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> parametric_elu_backward_batched(
    const at::Tensor& grad_output, const at::Tensor& self, const at::Tensor& alpha,
    const std::optional<at::Tensor>& input_divisor, std::array<bool, 3> output_mask) {
  c10::impl::ExcludeDispatchKeyGuard below_vmap(c10::DispatchKey::FuncTorchBatched);
  const ParametricBatch batch({grad_output, self, alpha, input_divisor.value_or(at::Tensor())});
  std::optional<at::Tensor> divisor;
  if (input_divisor) {
    divisor = batch.expanded(*input_divisor);
  }
  const auto [of_self, of_alpha, of_divisor] = torch_elu::parametric_elu_backward(
      batch.value(grad_output), batch.expanded(self), batch.expanded(alpha), divisor, output_mask);
  return {batch.gradient(of_self, self), batch.gradient(of_alpha, alpha),
          input_divisor ? batch.gradient(of_divisor, *input_divisor) : at::Tensor()};
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, FuncTorchBatched, m) {
  m.impl("elu", &torch_elu::elu_batched);
  m.impl("elu_", &torch_elu::elu_inplace_batched);
  m.impl("elu_backward", &torch_elu::elu_backward_batched);
  m.impl("elu_plus_one", &torch_elu::elu_plus_one_batched);
  m.impl("elu_plus_one_backward", &torch_elu::elu_plus_one_backward_batched);
  m.impl("parametric_elu", &torch_elu::parametric_elu_batched);
  m.impl("parametric_elu_backward", &torch_elu::parametric_elu_backward_batched);
}

// parametric_elu on CUDA: the operands as the kernels of parametric.cu take them.

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <array>
#include <optional>
#include <tuple>

#include "dispatch/cuda_images.h"
#include "dispatch/operands.h"
#include "dispatch/parametric.h"
#include "kernels/cuda/parametric.h"

namespace torch_elu {
namespace {

template <typename Call>
void with_type_of(const at::Tensor& tensor, const char* name, const Call& call) {
  switch (tensor.scalar_type()) {
    case at::kDouble:
      return call.template operator()<double>();
    case at::kFloat:
      return call.template operator()<float>();
    case at::kHalf:
      return call.template operator()<__half>();
    case at::kBFloat16:
      return call.template operator()<__nv_bfloat16>();
    default:
      C10_THROW_ERROR(NotImplementedError, unsupported_dtype(tensor.scalar_type(), name));
  }
}

template <typename T>
cuda::Parametric<T> parametric(const ParametricLayout& layout) {
  using number_t = typename cuda::Parametric<T>::number_t;
  return {layout.outer, layout.channels, layout.inner, layout.alpha.const_data_ptr<number_t>(),
          layout.divisor.defined() ? layout.divisor.const_data_ptr<number_t>() : nullptr};
}

at::Tensor parametric_elu_cuda(const at::Tensor& self, const at::Tensor& alpha,
                               const std::optional<at::Tensor>& input_divisor) {
  constexpr const char* name = "parametric_elu";
  const at::Tensor divisor = input_divisor.value_or(at::Tensor());
  check_dtype(self.scalar_type(), name);
  check_parameters(self, alpha, divisor, name);
  const c10::cuda::CUDAGuard guard(self.device());
  const ParametricLayout layout(self, alpha, divisor, name);
  with_type_of(self, name, [&]<typename T>() {
    if (layout.result.numel() > 0) {
      C10_CUDA_CHECK(parametric<T>(layout).value(
          static_cast<T*>(layout.result.mutable_data_ptr()),
          static_cast<const T*>(layout.self.const_data_ptr()), c10::cuda::getCurrentCUDAStream()));
    }
  });
  return layout.result;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> parametric_elu_backward_cuda(
    const at::Tensor& grad_output, const at::Tensor& self, const at::Tensor& alpha,
    const std::optional<at::Tensor>& input_divisor, std::array<bool, 3> output_mask) {
  constexpr const char* name = "parametric_elu_backward";
  const at::Tensor divisor = input_divisor.value_or(at::Tensor());
  check_backward_operands(grad_output, self, name, "self");
  check_dtype(self.scalar_type(), name);
  check_parameters(self, alpha, divisor, name);
  const c10::cuda::CUDAGuard guard(self.device());
  const ParametricLayout layout(self, alpha, divisor, name);
  const at::Tensor grad = layout.in_order(grad_output);
  const at::Tensor of_alpha = at::zeros_like(layout.alpha);
  const at::Tensor of_divisor = divisor.defined() ? at::zeros_like(layout.divisor) : at::Tensor();
  with_type_of(self, name, [&]<typename T>() {
    if (layout.result.numel() == 0) {
      return;
    }
    using number_t = typename cuda::Parametric<T>::number_t;
    const auto call = parametric<T>(layout);
    const at::Tensor partial = at::empty({call.partial_sums()}, self.options().dtype(at::kDouble));
    C10_CUDA_CHECK(call.gradients(
        static_cast<T*>(layout.result.mutable_data_ptr()),
        static_cast<const T*>(grad.const_data_ptr()),
        static_cast<const T*>(layout.self.const_data_ptr()), of_alpha.mutable_data_ptr<number_t>(),
        divisor.defined() ? of_divisor.mutable_data_ptr<number_t>() : nullptr,
        partial.mutable_data_ptr<double>(), c10::cuda::getCurrentCUDAStream()));
  });
  return layout.gradients(self, alpha, divisor, of_alpha, of_divisor, output_mask);
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, CUDA, m) {
  using torch_elu::or_fallback;
  m.impl("parametric_elu", or_fallback("parametric_elu", &torch_elu::parametric_elu_cuda));
  m.impl("parametric_elu_backward",
         or_fallback("parametric_elu_backward", &torch_elu::parametric_elu_backward_cuda));
}

// The operators on CUDA: which elements, by which kernel, on which device and stream. The kernels
// are in kernels.cu.

#include "dispatch/cuda.h"

#include <ATen/ExpandUtils.h>
#include <ATen/TensorIterator.h>
#include <ATen/cuda/CUDAContextLight.h>
#include <ATen/cuda/EmptyTensor.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "dispatch/cuda_images.h"
#include "dispatch/cuda_strided.h"
#include "dispatch/operands.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/schedule.h"

namespace torch_elu {
namespace {

using cuda::Dense;

// A call whose elements' type T is not known yet.
struct Forward {
  const char* name;
  at::Tensor& out;  // allocated where it is undefined
  const at::Tensor& self;
  const at::Scalar &alpha, &scale, &input_scale;
  bool is_plus_one = false;

  template <typename T>
  void operator()() const;
};

// Over operands that PyTorch has arranged, on its current device.
struct StubForward {
  const char* name;
  const at::TensorIteratorBase& iter;
  const at::Scalar &alpha, &scale, &input_scale;

  template <typename T>
  void operator()() const;
};

struct StubBackward {
  const char* name;
  const at::TensorIteratorBase& iter;
  const at::Scalar &alpha, &scale, &input_scale;
  bool is_result;

  template <typename T>
  void operator()() const;
};

// Of operands of one shape, dtype and device.
struct Backward {
  const char* name;
  const at::Tensor &grad_output, &saved;
  const at::Scalar &alpha, &scale, &input_scale;
  bool is_result;
  bool is_plus_one = false;
  at::Tensor grad_input = {};  // the result

  template <typename T>
  void operator()();
};

template <typename Call>
void with_type_of(at::ScalarType dtype, Call&& call) {
  switch (dtype) {
    case at::kDouble:
      return call.template operator()<double>();
    case at::kFloat:
      return call.template operator()<float>();
    case at::kHalf:
      return call.template operator()<__half>();
    case at::kBFloat16:
      return call.template operator()<__nv_bfloat16>();
    default:
      C10_THROW_ERROR(NotImplementedError, unsupported_dtype(dtype, call.name));
  }
}

at::Tensor elu_cuda(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                    const at::Scalar& input_scale, bool /*save_output*/) {
  at::Tensor out;
  with_type_of(self.scalar_type(), Forward{"elu", out, self, alpha, scale, input_scale});
  return out;
}

at::Tensor& elu_out_cuda(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                         const at::Scalar& input_scale, at::Tensor& out) {
  check_defined(self, "elu.out");
  check_defined(out, "elu.out");
  check_one_device(self, "self", out, "out", "elu.out");
  with_type_of(self.scalar_type(), Forward{"elu.out", out, self, alpha, scale, input_scale});
  return out;
}

at::Tensor& elu_inplace_cuda(at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                             const at::Scalar& input_scale) {
  with_type_of(self.scalar_type(), Forward{"elu_", self, self, alpha, scale, input_scale});
  return self;
}

at::Tensor elu_plus_one_cuda(const at::Tensor& self) {
  at::Tensor out;
  with_type_of(self.scalar_type(),
               Forward{"elu_plus_one", out, self, 1, 1, 1, /*is_plus_one=*/true});
  return out;
}

at::Tensor elu_backward_cuda(const at::Tensor& grad_output, const at::Scalar& alpha,
                             const at::Scalar& scale, const at::Scalar& input_scale, bool is_result,
                             const at::Tensor& self_or_result) {
  constexpr const char* name = "elu_backward";
  check_backward_operands(grad_output, self_or_result, name, "self_or_result");
  check_result_is_enough(is_result, alpha, scale, input_scale);
  const auto [expanded_grad_output, saved] = at::expand_outplace(grad_output, self_or_result, name);
  Backward call{name, *expanded_grad_output, *saved, alpha, scale, input_scale, is_result};
  with_type_of(saved->scalar_type(), call);
  return call.grad_input;
}

at::Tensor elu_plus_one_backward_cuda(const at::Tensor& grad_output, const at::Tensor& result) {
  constexpr const char* name = "elu_plus_one_backward";
  check_backward_operands(grad_output, result, name, "result");
  const auto [expanded_grad_output, saved] = at::expand_outplace(grad_output, result, name);
  const at::Scalar one = 1;
  Backward call{name, *expanded_grad_output, *saved, one, one, one, true, /*is_plus_one=*/true};
  with_type_of(saved->scalar_type(), call);
  return call.grad_input;
}

// As PyTorch's own kernels do, a contiguous result is allocated without a way through the
// dispatcher.
at::Tensor empty_output_cuda(const at::Tensor& self) {
  if (self.is_contiguous()) {
    return at::Tensor(
        at::detail::empty_cuda(self.sizes(), self.scalar_type(), self.device(), std::nullopt));
  }
  return empty_output(self);
}

template <typename T, int inputs>
Dense<T, inputs> dense_operands(void* out, const std::array<const void*, inputs>& in,
                                int64_t numel) {
  Dense<T, inputs> operands;
  operands.out = static_cast<T*>(out);
  for (int i = 0; i < inputs; ++i) {
    operands.in[i] = static_cast<const T*>(in[i]);
  }
  operands.numel = numel;
  const cudaDeviceProp& device = *at::cuda::getCurrentDeviceProperties();
  operands.widest_access = device.major >= 10 ? 32 : 16;
  operands.wave = 0;
  if (device.major >= 8) {
    operands.wave =
        cuda::staged_wave(device.multiProcessorCount, device.maxThreadsPerMultiProcessor,
                          device.sharedMemPerMultiprocessor, device.reservedSharedMemPerBlock);
  }
  return operands;
}

template <typename T, int inputs, typename Launch>
void launch_all(const at::TensorIteratorBase& iter, const Launch& launch) {
  if (iter.numel() == 0) {
    return;
  }
  if (iter.is_contiguous()) {
    std::array<const void*, inputs> in;
    for (int i = 0; i < inputs; ++i) {
      in[i] = iter.data_ptr(i + 1);
    }
    launch(dense_operands<T, inputs>(iter.data_ptr(0), in, iter.numel()));
  } else if (iter.can_use_32bit_indexing()) {
    launch(cuda::strided_operands<T, inputs>(iter));
  } else {
    for (const auto& part : iter.with_32bit_indexing()) {
      launch_all<T, inputs>(part, launch);
    }
  }
}

template <typename T>
auto forward_launcher(const Coefficients<cuda::element_t<T>>& coefficients, bool is_plus_one) {
  const auto stream = c10::cuda::getCurrentCUDAStream();
  return [=]<template <typename, int> typename Layout>(const Layout<T, 1>& operands) {
    using Kernels = cuda::Kernels<T, Layout>;
    C10_CUDA_CHECK(is_plus_one ? Kernels::plus_one(operands, coefficients, stream)
                               : Kernels::forward(operands, coefficients, stream));
  };
}

template <typename T>
void Forward::operator()() const {
  const auto coefficients =
      convert_coefficients<cuda::element_t<T>>(alpha, scale, input_scale, name);
  const c10::cuda::CUDAGuard guard(self.device());
  const auto launch = forward_launcher<T>(coefficients, is_plus_one);
  const bool is_new = !out.defined();
  if (is_new) {
    out = empty_output_cuda(self);
  }
  // One run of memory needs no iterator, which takes time to build.
  if ((is_new || out.is_same(self)) && is_one_run(out, self)) {
    if (self.numel() > 0) {
      launch(dense_operands<T, 1>(out.mutable_data_ptr(), {self.const_data_ptr()}, self.numel()));
    }
    return;
  }
  launch_all<T, 1>(at::TensorIterator::unary_op(out, self), launch);
}

template <typename T>
void StubForward::operator()() const {
  launch_all<T, 1>(iter, forward_launcher<T>(convert_coefficients<cuda::element_t<T>>(
                                                 alpha, scale, input_scale, name),
                                             /*is_plus_one=*/false));
}

template <typename T>
auto backward_launcher(const Coefficients<cuda::element_t<T>>& coefficients, bool is_result,
                       bool is_plus_one) {
  const auto stream = c10::cuda::getCurrentCUDAStream();
  return [=]<template <typename, int> typename Layout>(const Layout<T, 2>& operands) {
    using Kernels = cuda::Kernels<T, Layout>;
    C10_CUDA_CHECK(is_plus_one ? Kernels::plus_one_backward(operands, stream)
                   : is_result ? Kernels::backward_from_result(operands, coefficients, stream)
                               : Kernels::backward_from_input(operands, coefficients, stream));
  };
}

template <typename T>
void StubBackward::operator()() const {
  launch_all<T, 2>(iter, backward_launcher<T>(convert_coefficients<cuda::element_t<T>>(
                                                  alpha, scale, input_scale, name),
                                              is_result, /*is_plus_one=*/false));
}

template <typename T>
void Backward::operator()() {
  const auto coefficients =
      convert_coefficients<cuda::element_t<T>>(alpha, scale, input_scale, name);
  const c10::cuda::CUDAGuard guard(saved.device());
  const auto launch = backward_launcher<T>(coefficients, is_result, is_plus_one);
  grad_input = empty_output_cuda(saved);
  if (is_one_run(grad_input, saved) && is_one_run(grad_input, grad_output)) {
    if (grad_input.numel() > 0) {
      launch(dense_operands<T, 2>(grad_input.mutable_data_ptr(),
                                  {grad_output.const_data_ptr(), saved.const_data_ptr()},
                                  grad_input.numel()));
    }
    return;
  }
  launch_all<T, 2>(at::TensorIteratorConfig()
                       .add_output(grad_input)
                       .add_const_input(grad_output)
                       .add_const_input(saved)
                       .build(),
                   launch);
}

const StubKernels stub_kernels{
    [](at::TensorIteratorBase& iter, const at::Scalar& alpha, const at::Scalar& scale,
       const at::Scalar& input_scale) {
      with_type_of(iter.common_dtype(), StubForward{"elu", iter, alpha, scale, input_scale});
    },
    [](at::TensorIteratorBase& iter, const at::Scalar& alpha, const at::Scalar& scale,
       const at::Scalar& input_scale, bool is_result) {
      with_type_of(iter.common_dtype(),
                   StubBackward{"elu_backward", iter, alpha, scale, input_scale, is_result});
    },
    have_image};
const bool are_loaded = (cuda_stub_kernels = &stub_kernels, true);

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, CUDA, m) {
  using torch_elu::or_fallback;
  m.impl("elu", or_fallback("elu", &torch_elu::elu_cuda));
  m.impl("elu_", or_fallback("elu_", &torch_elu::elu_inplace_cuda));
  m.impl("elu.out", or_fallback("elu.out", &torch_elu::elu_out_cuda));
  m.impl("elu_backward", or_fallback("elu_backward", &torch_elu::elu_backward_cuda));
  m.impl("elu_plus_one", or_fallback("elu_plus_one", &torch_elu::elu_plus_one_cuda));
  m.impl("elu_plus_one_backward",
         or_fallback("elu_plus_one_backward", &torch_elu::elu_plus_one_backward_cuda));
}

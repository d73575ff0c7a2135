// The CUDA kernels' wiring: which elements, on which device and stream. The kernels are in
// kernels.cu.

#include <ATen/TensorIterator.h>
#include <ATen/cuda/CUDAContextLight.h>
#include <ATen/cuda/EmptyTensor.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include "dispatch/cuda_strided.h"
#include "dispatch/operands.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/schedule.h"

namespace torch_elu {
namespace {

using cuda::Dense;

template <typename Run>
void with_type_of(at::ScalarType dtype, const char* name, const Run& run) {
  switch (dtype) {
    case at::kDouble:
      return run.template operator()<double>();
    case at::kFloat:
      return run.template operator()<float>();
    case at::kHalf:
      return run.template operator()<__half>();
    case at::kBFloat16:
      return run.template operator()<__nv_bfloat16>();
    default:
      check_dtype(dtype, name);
  }
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

// Calls `start` with operands and stream, once or for each part of them. Without `out`, or with
// `self` in its place, a run of memory needs no iterator, which takes time to build.
template <typename T, typename Start>
void run_forward(at::Tensor& out, const at::Tensor& self, const Start& start) {
  const c10::cuda::CUDAGuard guard(self.device());
  const auto stream = c10::cuda::getCurrentCUDAStream();
  const auto launch = [&](const auto& operands) { C10_CUDA_CHECK(start(operands, stream)); };
  const bool is_new = !out.defined();
  if (is_new) {
    out = empty_output_cuda(self);
  }
  if ((is_new || out.is_same(self)) && is_one_run(out, self)) {
    if (self.numel() > 0) {
      launch(dense_operands<T, 1>(out.mutable_data_ptr(), {self.const_data_ptr()}, self.numel()));
    }
    return;
  }
  auto iter = at::TensorIterator::unary_op(out, self);
  launch_all<T, 1>(iter, launch);
}

void run_elu(at::Tensor& out, const at::Tensor& self, const at::Scalar& alpha,
             const at::Scalar& scale, const at::Scalar& input_scale, const char* name) {
  with_type_of(self.scalar_type(), name, [&]<typename T>() {
    const auto k = convert_coefficients<cuda::element_t<T>>(alpha, scale, input_scale, name);
    run_forward<T>(out, self,
                   [&]<template <typename, int> typename Layout>(const Layout<T, 1>& operands,
                                                                 cudaStream_t stream) {
                     return cuda::Kernels<T, Layout>::forward(operands, k, stream);
                   });
  });
}

at::Tensor elu_cuda(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                    const at::Scalar& input_scale, bool /*save_output*/) {
  at::Tensor out;
  run_elu(out, self, alpha, scale, input_scale, "elu");
  return out;
}

at::Tensor& elu_out_cuda(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                         const at::Scalar& input_scale, at::Tensor& out) {
  check_defined(self, "elu.out");
  check_defined(out, "elu.out");
  check_one_device(self, "self", out, "out", "elu.out");
  run_elu(out, self, alpha, scale, input_scale, "elu.out");
  return out;
}

at::Tensor& elu_inplace_cuda(at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                             const at::Scalar& input_scale) {
  run_elu(self, self, alpha, scale, input_scale, "elu_");
  return self;
}

at::Tensor elu_plus_one_cuda(const at::Tensor& self) {
  at::Tensor out;
  with_type_of(self.scalar_type(), "elu_plus_one", [&]<typename T>() {
    run_forward<T>(out, self,
                   [&]<template <typename, int> typename Layout>(const Layout<T, 1>& operands,
                                                                 cudaStream_t stream) {
                     return cuda::Kernels<T, Layout>::plus_one(
                         operands, unit_coefficients<cuda::element_t<T>>(), stream);
                   });
  });
  return out;
}

// Of operands of one shape, dtype and device.
template <typename T, typename Start>
at::Tensor run_backward(const at::Tensor& grad_output, const at::Tensor& saved,
                        const Start& start) {
  const c10::cuda::CUDAGuard guard(saved.device());
  const auto stream = c10::cuda::getCurrentCUDAStream();
  const auto launch = [&](const auto& operands) { C10_CUDA_CHECK(start(operands, stream)); };
  at::Tensor grad_input = empty_output_cuda(saved);
  if (is_one_run(grad_input, saved) && is_one_run(grad_input, grad_output)) {
    if (grad_input.numel() > 0) {
      launch(dense_operands<T, 2>(grad_input.mutable_data_ptr(),
                                  {grad_output.const_data_ptr(), saved.const_data_ptr()},
                                  grad_input.numel()));
    }
    return grad_input;
  }
  auto iter = at::TensorIteratorConfig()
                  .add_output(grad_input)
                  .add_const_input(grad_output)
                  .add_const_input(saved)
                  .build();
  launch_all<T, 2>(iter, launch);
  return grad_input;
}

at::Tensor elu_backward_cuda(const at::Tensor& grad_output, const at::Scalar& alpha,
                             const at::Scalar& scale, const at::Scalar& input_scale, bool is_result,
                             const at::Tensor& self_or_result) {
  check_backward_operands(grad_output, self_or_result, "elu_backward", "self_or_result");
  check_result_is_enough(is_result, alpha, scale, input_scale);
  return with_one_shape(
      grad_output, self_or_result, "elu_backward",
      [&](const at::Tensor& grad_output, const at::Tensor& self_or_result) {
        at::Tensor grad_input;
        with_type_of(self_or_result.scalar_type(), "elu_backward", [&]<typename T>() {
          const auto k =
              convert_coefficients<cuda::element_t<T>>(alpha, scale, input_scale, "elu_backward");
          grad_input = run_backward<T>(
              grad_output, self_or_result,
              [&]<template <typename, int> typename Layout>(const Layout<T, 2>& operands,
                                                            cudaStream_t stream) {
                using Kernels = cuda::Kernels<T, Layout>;
                return is_result ? Kernels::backward_from_result(operands, k, stream)
                                 : Kernels::backward_from_input(operands, k, stream);
              });
        });
        return grad_input;
      });
}

at::Tensor elu_plus_one_backward_cuda(const at::Tensor& grad_output, const at::Tensor& result) {
  check_backward_operands(grad_output, result, "elu_plus_one_backward", "result");
  return with_one_shape(
      grad_output, result, "elu_plus_one_backward",
      [](const at::Tensor& grad_output, const at::Tensor& result) {
        at::Tensor grad_input;
        with_type_of(result.scalar_type(), "elu_plus_one_backward", [&]<typename T>() {
          grad_input = run_backward<T>(grad_output, result,
                                       []<template <typename, int> typename Layout>(
                                           const Layout<T, 2>& operands, cudaStream_t stream) {
                                         return cuda::Kernels<T, Layout>::plus_one_backward(
                                             operands, stream);
                                       });
        });
        return grad_input;
      });
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, CUDA, m) {
  m.impl("elu", &torch_elu::elu_cuda);
  m.impl("elu_", &torch_elu::elu_inplace_cuda);
  m.impl("elu.out", &torch_elu::elu_out_cuda);
  m.impl("elu_backward", &torch_elu::elu_backward_cuda);
  m.impl("elu_plus_one", &torch_elu::elu_plus_one_cuda);
  m.impl("elu_plus_one_backward", &torch_elu::elu_plus_one_backward_cuda);
}

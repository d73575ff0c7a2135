// The operators on CUDA: which elements, by which kernel, on which device and stream. The kernels
// are in kernels.cu.

#include <ATen/ExpandUtils.h>
#include <ATen/TensorIterator.h>
#include <ATen/cuda/CUDAContextLight.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <array>
#include <cstdint>

#include "dispatch/cuda_strided.h"
#include "dispatch/operands.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/schedule.h"

namespace torch_elu {
namespace {

using cuda::Dense;

//= dense_operands
//= launch_all

// What a call does once the type T of its elements is known. at::TensorIterator has allocated the
// output.
struct Forward {
  const at::TensorIteratorBase& iter;
  const at::Scalar& alpha;
  const char* name;

  template <typename T>
  void operator()() const {
    const auto coefficients = convert_coefficients<cuda::element_t<T>>(alpha, name);
    const auto stream = c10::cuda::getCurrentCUDAStream();
    launch_all<T, 1>(iter, [&]<template <typename, int> typename Layout>(
                               const Layout<T, 1>& operands) {
      C10_CUDA_CHECK((cuda::Kernels<T, Layout>::forward(operands, coefficients, stream)));
    });
  }
};

struct Backward {
  const at::TensorIteratorBase& iter;
  const at::Scalar& alpha;
  bool is_result;
  const char* name;

  template <typename T>
  void operator()() const {
    const auto coefficients = convert_coefficients<cuda::element_t<T>>(alpha, name);
    const auto stream = c10::cuda::getCurrentCUDAStream();
    launch_all<T, 2>(iter, [&]<template <typename, int> typename Layout>(
                               const Layout<T, 2>& operands) {
      using Kernels = cuda::Kernels<T, Layout>;
      C10_CUDA_CHECK(is_result ? Kernels::backward_from_result(operands, coefficients, stream)
                               : Kernels::backward_from_input(operands, coefficients, stream));
    });
  }
};

//= with_type_of

// `out` is allocated where it is undefined.
void run_forward(at::Tensor& out, const at::Tensor& self, const at::Scalar& alpha,
                 const char* name) {
  check_dtype(self.scalar_type(), name);
  const c10::cuda::CUDAGuard guard(self.device());
  auto iter = at::TensorIterator::unary_op(out, self);
  with_type_of(self.scalar_type(), Forward{iter, alpha, name});
  out = iter.output();
}

at::Tensor elu_cuda(const at::Tensor& self, const at::Scalar& alpha) {
  at::Tensor out;
  run_forward(out, self, alpha, "elu");
  return out;
}

at::Tensor& elu_inplace_cuda(at::Tensor& self, const at::Scalar& alpha) {
  run_forward(self, self, alpha, "elu_");
  return self;
}

at::Tensor& elu_out_cuda(const at::Tensor& self, const at::Scalar& alpha, at::Tensor& out) {
  check_defined(self, "elu.out");
  check_defined(out, "elu.out");
  check_one_device(self, "self", out, "out", "elu.out");
  run_forward(out, self, alpha, "elu.out");
  return out;
}

at::Tensor elu_backward_cuda(const at::Tensor& grad_output, const at::Scalar& alpha, bool is_result,
                             const at::Tensor& self_or_result) {
  constexpr const char* name = "elu_backward";
  check_backward_operands(grad_output, self_or_result, name, "self_or_result");
  check_dtype(self_or_result.scalar_type(), name);
  check_result_is_enough(is_result, alpha);
  const auto [expanded_grad_output, saved] = at::expand_outplace(grad_output, self_or_result, name);
  const c10::cuda::CUDAGuard guard(saved->device());
  at::Tensor grad_input = empty_output(*saved);
  auto iter = at::TensorIterator::binary_op(grad_input, *expanded_grad_output, *saved);
  with_type_of(saved->scalar_type(), Backward{iter, alpha, is_result, name});
  return grad_input;
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, CUDA, m) {
  m.impl("elu", &torch_elu::elu_cuda);
  m.impl("elu_", &torch_elu::elu_inplace_cuda);
  m.impl("elu.out", &torch_elu::elu_out_cuda);
  m.impl("elu_backward", &torch_elu::elu_backward_cuda);
}

// The operators on the CPU: which elements, by which kernel, on which threads. The arithmetic is
// in the kernels.

#include <ATen/ExpandUtils.h>
#include <ATen/TensorIterator.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "dispatch/capability.h"
#include "dispatch/operands.h"
#include "kernels/cpu/kernels.h"

namespace torch_elu {
namespace {

//= kGrainSize
//= for_each_run

// What a call does once the type of its elements is known. at::TensorIterator has allocated the
// output.
struct Forward {
  at::TensorIteratorBase& iter;
  const at::Scalar& alpha;
  const char* name;

  template <typename T>
  void operator()(const cpu::Kernels<T>& kernels) const {
    constexpr int64_t size = sizeof(T);
    const auto coefficients = convert_coefficients<T>(alpha, name);
    // What is overwritten is in the caches already.
    const auto store = iter.data_ptr(0) == iter.data_ptr(1) ? cpu::Store::cached
                                                            : cpu::store_for(iter.numel() * size);
    for_each_run<T, 2>(iter, [&](const auto& data, const int64_t* strides, int64_t n) {
      kernels.forward(reinterpret_cast<T*>(data[0]), strides[0] / size,
                      reinterpret_cast<const T*>(data[1]), strides[1] / size, n, coefficients,
                      store);
    });
  }
};

struct Backward {
  at::TensorIteratorBase& iter;
  const at::Scalar& alpha;
  bool is_result;
  const char* name;

  template <typename T>
  void operator()(const cpu::Kernels<T>& kernels) const {
    constexpr int64_t size = sizeof(T);
    const auto coefficients = convert_coefficients<T>(alpha, name);
    const auto store = cpu::store_for(iter.numel() * size);
    const auto kernel = is_result ? kernels.backward_from_result : kernels.backward_from_input;
    for_each_run<T, 3>(iter, [&](const auto& data, const int64_t* strides, int64_t n) {
      kernel(reinterpret_cast<T*>(data[0]), strides[0] / size, reinterpret_cast<const T*>(data[1]),
             strides[1] / size, reinterpret_cast<const T*>(data[2]), strides[2] / size, n,
             coefficients, store);
    });
  }
};

template <typename Call>
void with_kernels_for(at::ScalarType dtype, const Call& call) {
  const cpu::KernelTable& table = cpu::kernels();
  switch (dtype) {
    case at::kDouble:
      return call(table.float64);
    case at::kFloat:
      return call(table.float32);
    case at::kHalf:
      return call(table.float16);
    case at::kBFloat16:
      return call(table.bfloat16);
    default:
      C10_THROW_ERROR(NotImplementedError, unsupported_dtype(dtype, call.name));
  }
}

// `out` is allocated where it is undefined.
void run_forward(at::Tensor& out, const at::Tensor& self, const at::Scalar& alpha,
                 const char* name) {
  check_dtype(self.scalar_type(), name);
  auto iter = at::TensorIterator::unary_op(out, self);
  with_kernels_for(self.scalar_type(), Forward{iter, alpha, name});
  out = iter.output();
}

at::Tensor elu_cpu(const at::Tensor& self, const at::Scalar& alpha) {
  at::Tensor out;
  run_forward(out, self, alpha, "elu");
  return out;
}

at::Tensor& elu_inplace_cpu(at::Tensor& self, const at::Scalar& alpha) {
  run_forward(self, self, alpha, "elu_");
  return self;
}

at::Tensor& elu_out_cpu(const at::Tensor& self, const at::Scalar& alpha, at::Tensor& out) {
  check_defined(self, "elu.out");
  check_defined(out, "elu.out");
  run_forward(out, self, alpha, "elu.out");
  return out;
}

at::Tensor elu_backward_cpu(const at::Tensor& grad_output, const at::Scalar& alpha, bool is_result,
                            const at::Tensor& self_or_result) {
  constexpr const char* name = "elu_backward";
  check_backward_operands(grad_output, self_or_result, name, "self_or_result");
  check_dtype(self_or_result.scalar_type(), name);
  check_result_is_enough(is_result, alpha);
  const auto [expanded_grad_output, saved] = at::expand_outplace(grad_output, self_or_result, name);
  at::Tensor grad_input = empty_output(*saved);
  auto iter = at::TensorIterator::binary_op(grad_input, *expanded_grad_output, *saved);
  with_kernels_for(saved->scalar_type(), Backward{iter, alpha, is_result, name});
  return grad_input;
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, CPU, m) {
  m.impl("elu", &torch_elu::elu_cpu);
  m.impl("elu_", &torch_elu::elu_inplace_cpu);
  m.impl("elu.out", &torch_elu::elu_out_cpu);
  m.impl("elu_backward", &torch_elu::elu_backward_cpu);
}

// The operators on the CPU: which elements, by which kernel, on which threads. The arithmetic is
// in the kernels.

#include "dispatch/cpu.h"

#include <ATen/EmptyTensor.h>
#include <ATen/ExpandUtils.h>
#include <ATen/MemoryOverlap.h>
#include <ATen/TensorIterator.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "dispatch/capability.h"
#include "dispatch/huge_pages.h"
#include "dispatch/operands.h"
#include "kernels/cpu/kernels.h"

namespace torch_elu {
namespace {

// A call whose elements' type is not known yet: operator() takes the kernels for it, and the name
// of the operator.
struct Forward {
  at::Tensor& out;  // allocated where it is undefined
  const at::Tensor& self;
  const at::Scalar &alpha, &scale, &input_scale;
  bool is_plus_one = false;

  template <typename T>
  void operator()(const cpu::Kernels<T>& kernels, const char* name) const;
};

// Of operands of one dtype and shape.
struct Backward {
  at::Tensor& grad_input;  // allocated, in the layout of `saved`
  const at::Tensor &grad_output, &saved;
  const at::Scalar &alpha, &scale, &input_scale;
  bool is_result;
  bool is_plus_one = false;

  template <typename T>
  void operator()(const cpu::Kernels<T>& kernels, const char* name) const;
};

at::Tensor elu_plus_one_cpu(const at::Tensor& self) {
  at::Tensor out;
  with_kernels_for(self.scalar_type(), "elu_plus_one",
                   Forward{out, self, 1, 1, 1, /*is_plus_one=*/true});
  return out;
}

at::Tensor elu_plus_one_backward_cpu(const at::Tensor& grad_output, const at::Tensor& result) {
  constexpr const char* name = "elu_plus_one_backward";
  check_backward_operands(grad_output, result, name, "result");
  const auto [expanded_grad_output, saved] = at::expand_outplace(grad_output, result, name);
  at::Tensor grad_input;
  with_kernels_for(saved->scalar_type(), name,
                   Backward{grad_input, *expanded_grad_output, *saved, 1, 1, 1,
                            /*is_result=*/true, /*is_plus_one=*/true});
  return grad_input;
}

at::Tensor elu_cpu(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                   const at::Scalar& input_scale, bool /*save_output*/) {
  at::Tensor out;
  with_kernels_for(self.scalar_type(), "elu", Forward{out, self, alpha, scale, input_scale});
  return out;
}

at::Tensor& elu_out_cpu(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                        const at::Scalar& input_scale, at::Tensor& out) {
  check_defined(self, "elu.out");
  check_defined(out, "elu.out");
  with_kernels_for(self.scalar_type(), "elu.out", Forward{out, self, alpha, scale, input_scale});
  return out;
}

at::Tensor& elu_inplace_cpu(at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                            const at::Scalar& input_scale) {
  with_kernels_for(self.scalar_type(), "elu_", Forward{self, self, alpha, scale, input_scale});
  return self;
}

at::Tensor elu_backward_cpu(const at::Tensor& grad_output, const at::Scalar& alpha,
                            const at::Scalar& scale, const at::Scalar& input_scale, bool is_result,
                            const at::Tensor& self_or_result) {
  constexpr const char* name = "elu_backward";
  check_backward_operands(grad_output, self_or_result, name, "self_or_result");
  check_result_is_enough(is_result, alpha, scale, input_scale);
  const auto [expanded_grad_output, saved] = at::expand_outplace(grad_output, self_or_result, name);
  at::Tensor grad_input;
  with_kernels_for(
      saved->scalar_type(), name,
      Backward{grad_input, *expanded_grad_output, *saved, alpha, scale, input_scale, is_result});
  return grad_input;
}

// As PyTorch's own kernels do, a contiguous result is allocated without a way through the
// dispatcher.
at::Tensor empty_output_cpu(const at::Tensor& self) {
  at::Tensor out = self.is_contiguous()
                       ? at::Tensor(at::detail::empty_cpu(self.sizes(), self.scalar_type(),
                                                          /*pin_memory=*/false, std::nullopt))
                       : empty_output(self);
  cpu::prefer_huge_pages(out.mutable_data_ptr(), out.nbytes());
  return out;
}

// What one thread does in one run needs no iterator, which takes half a microsecond to build.
bool is_small_run(const at::Tensor& out, const at::Tensor& self) {
  return self.numel() <= kGrainSize && is_one_run(out, self);
}

// Whether at::TensorIterator would write into `out`, which came from outside, as it is.
bool may_write_into(const at::Tensor& out, const at::Tensor& self) {
  if (out.scalar_type() != self.scalar_type()) {
    return false;
  }
  const auto overlap = at::get_overlap_status(out, self);
  return overlap == at::MemOverlapStatus::Full || overlap == at::MemOverlapStatus::No;
}

// The elements as runs for a kernel: run(data, strides, size). They go along the inner dimension,
// unless it has fewer elements than a vector and fewer than the outer one; then along that, as far
// as the caches hold them all.
template <typename T, int operands, typename Run>
void for_each_run(at::TensorIteratorBase& iter, const Run& run) {
  // No OpenMP of our own: for_each runs in libtorch, on the threads that torch.set_num_threads()
  // governs.
  iter.for_each(
      [&](char** data, const int64_t* strides, int64_t size0, int64_t size1) {
        constexpr int64_t vector = 64 / sizeof(T), at_most = 1024;
        const bool is_across = size0 < std::min(vector, size1);
        const int64_t* const along = is_across ? strides + operands : strides;
        const int64_t* const across = is_across ? strides : strides + operands;
        const int64_t size = is_across ? size1 : size0, count = is_across ? size0 : size1;
        const int64_t part = is_across ? at_most : size0;
        for (int64_t start = 0; start < size; start += part) {
          for (int64_t i = 0; i < count; ++i) {
            std::array<char*, operands> from;
            for (int operand = 0; operand < operands; ++operand) {
              from[operand] = data[operand] + start * along[operand] + i * across[operand];
            }
            run(from, along, std::min(part, size - start));
          }
        }
      },
      kGrainSize);
}

template <typename T>
void run_forward(at::TensorIteratorBase& iter, decltype(cpu::Kernels<T>::forward) kernel,
                 const Coefficients<T>& coefficients) {
  constexpr int64_t size = sizeof(T);
  // What is overwritten is in the caches already.
  const auto store = iter.data_ptr(0) == iter.data_ptr(1) ? cpu::Store::cached
                                                          : cpu::store_for(iter.numel() * size);
  for_each_run<T, 2>(iter, [&](const auto& data, const int64_t* strides, int64_t n) {
    kernel(reinterpret_cast<T*>(data[0]), strides[0] / size, reinterpret_cast<const T*>(data[1]),
           strides[1] / size, n, coefficients, store);
  });
}

template <typename T>
void run_backward(at::TensorIteratorBase& iter,
                  decltype(cpu::Kernels<T>::backward_from_input) kernel,
                  const Coefficients<T>& coefficients) {
  constexpr int64_t size = sizeof(T);
  const auto store = cpu::store_for(iter.numel() * size);
  for_each_run<T, 3>(iter, [&](const auto& data, const int64_t* strides, int64_t n) {
    kernel(reinterpret_cast<T*>(data[0]), strides[0] / size, reinterpret_cast<const T*>(data[1]),
           strides[1] / size, reinterpret_cast<const T*>(data[2]), strides[2] / size, n,
           coefficients, store);
  });
}

template <typename T>
void Forward::operator()(const cpu::Kernels<T>& kernels, const char* name) const {
  const auto kernel = is_plus_one ? kernels.plus_one : kernels.forward;
  const auto coefficients = is_plus_one ? unit_coefficients<T>()
                                        : convert_coefficients<T>(alpha, scale, input_scale, name);
  const bool is_new = !out.defined();
  if (is_new) {
    out = empty_output_cpu(self);
  }
  if (is_small_run(out, self) && (is_new || may_write_into(out, self))) {
    kernel(static_cast<T*>(out.mutable_data_ptr()), 1, static_cast<const T*>(self.const_data_ptr()),
           1, self.numel(), coefficients, cpu::Store::cached);
    return;
  }
  auto iter = at::TensorIterator::unary_op(out, self);
  run_forward(iter, kernel, coefficients);
}

template <typename T>
void Backward::operator()(const cpu::Kernels<T>& kernels, const char* name) const {
  const auto kernel = is_plus_one ? kernels.plus_one_backward
                      : is_result ? kernels.backward_from_result
                                  : kernels.backward_from_input;
  const auto coefficients = is_plus_one ? unit_coefficients<T>()
                                        : convert_coefficients<T>(alpha, scale, input_scale, name);
  grad_input = empty_output_cpu(saved);
  if (is_small_run(grad_input, saved) && is_one_run(grad_input, grad_output)) {
    kernel(static_cast<T*>(grad_input.mutable_data_ptr()), 1,
           static_cast<const T*>(grad_output.const_data_ptr()), 1,
           static_cast<const T*>(saved.const_data_ptr()), 1, saved.numel(), coefficients,
           cpu::Store::cached);
    return;
  }
  auto iter = at::TensorIterator::binary_op(grad_input, grad_output, saved);
  run_backward(iter, kernel, coefficients);
}

}  // namespace

void elu_kernel(at::TensorIteratorBase& iter, const at::Scalar& alpha, const at::Scalar& scale,
                const at::Scalar& input_scale) {
  with_kernels_for(iter.common_dtype(), "elu",
                   [&]<typename T>(const cpu::Kernels<T>& kernels, const char* name) {
                     run_forward(iter, kernels.forward,
                                 convert_coefficients<T>(alpha, scale, input_scale, name));
                   });
}

void elu_backward_kernel(at::TensorIteratorBase& iter, const at::Scalar& alpha,
                         const at::Scalar& scale, const at::Scalar& input_scale, bool is_result) {
  with_kernels_for(
      iter.common_dtype(), "elu_backward",
      [&]<typename T>(const cpu::Kernels<T>& kernels, const char* name) {
        run_backward(iter, is_result ? kernels.backward_from_result : kernels.backward_from_input,
                     convert_coefficients<T>(alpha, scale, input_scale, name));
      });
  iter.cast_outputs();
}

}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, CPU, m) {
  m.impl("elu", &torch_elu::elu_cpu);
  m.impl("elu_", &torch_elu::elu_inplace_cpu);
  m.impl("elu.out", &torch_elu::elu_out_cpu);
  m.impl("elu_backward", &torch_elu::elu_backward_cpu);
  m.impl("elu_plus_one", &torch_elu::elu_plus_one_cpu);
  m.impl("elu_plus_one_backward", &torch_elu::elu_plus_one_backward_cpu);
}

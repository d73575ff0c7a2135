// The CPU kernels' wiring: which elements, on which threads. The arithmetic is in kernels.cpp.

#include "dispatch/cpu.h"

#include <ATen/EmptyTensor.h>
#include <ATen/MemoryOverlap.h>
#include <ATen/TensorIterator.h>
#include <torch/library.h>

#include <algorithm>
#include <array>

#include "dispatch/capability.h"
#include "dispatch/operands.h"

namespace torch_elu {
namespace {

// Work below this is done sooner by one thread than it takes to wake a second one.
constexpr int64_t kGrainSize = int64_t{128} * 1024;

template <typename Run>
void with_kernels_for(at::ScalarType dtype, const char* name, const Run& run) {
  const cpu::KernelTable& table = cpu::kernels();
  switch (dtype) {
    case at::kDouble:
      return run(table.float64);
    case at::kFloat:
      return run(table.float32);
    case at::kHalf:
      return run(table.float16);
    case at::kBFloat16:
      return run(table.bfloat16);
    default:
      check_dtype(dtype, name);
  }
}

// What one thread does in one run needs no iterator, which takes half a microsecond to build.
bool is_small_run(const at::Tensor& out, const at::Tensor& self) {
  return self.numel() <= kGrainSize && is_one_run(out, self);
}

// Whether `out`, which came from outside, is a tensor that at::TensorIterator would take as it is.
bool is_small_run_into(const at::Tensor& out, const at::Tensor& self) {
  if (out.scalar_type() != self.scalar_type() || !out.sizes().equals(self.sizes()) ||
      !is_small_run(out, self)) {
    return false;
  }
  const auto overlap = at::get_overlap_status(out, self);
  return overlap == at::MemOverlapStatus::Full || overlap == at::MemOverlapStatus::No;
}

// As PyTorch's own kernels do, a contiguous result is allocated without a way through the
// dispatcher.
at::Tensor empty_output_cpu(const at::Tensor& self) {
  if (self.is_contiguous()) {
    return at::Tensor(at::detail::empty_cpu(self.sizes(), self.scalar_type(), /*pin_memory=*/false,
                                            std::nullopt));
  }
  return empty_output(self);
}

template <typename T>
using Forward = decltype(cpu::Kernels<T>::forward);
template <typename T>
using Backward = decltype(cpu::Kernels<T>::backward_from_result);

template <typename T>
void forward_run(Forward<T> kernel, at::Tensor& out, const at::Tensor& self,
                 const Coefficients<T>& c) {
  kernel(static_cast<T*>(out.mutable_data_ptr()), 1, static_cast<const T*>(self.const_data_ptr()),
         1, self.numel(), c, cpu::Store::cached);
}

// A part of an iteration of at::TensorIterator, size0 by size1 elements, as runs for a kernel:
// run(data, strides, size). They go along the inner dimension, unless it has fewer elements than a
// vector and fewer than the outer one; then along that, as far as the caches hold them all.
template <typename T, int operands, typename Run>
void for_each_run(char** data, const int64_t* strides, int64_t size0, int64_t size1,
                  const Run& run) {
  constexpr int64_t vector = 64 / sizeof(T), at_most = 1024;
  const bool is_across = size0 < std::min(vector, size1);
  const int64_t* const along = is_across ? strides + operands : strides;
  const int64_t* const across = is_across ? strides : strides + operands;
  const int64_t size = is_across ? size1 : size0, count = is_across ? size0 : size1;
  const int64_t part = is_across ? at_most : size0;
  for (int64_t start = 0; start < size; start += part) {
    for (int64_t i = 0; i < count; ++i) {
      std::array<char*, operands> from;
      for (int k = 0; k < operands; ++k) from[k] = data[k] + start * along[k] + i * across[k];
      run(from, along, std::min(part, size - start));
    }
  }
}

template <typename T>
void forward(Forward<T> kernel, at::TensorIterator& iter, const Coefficients<T>& c) {
  // What is overwritten is in the caches already.
  const auto store = iter.data_ptr(0) == iter.data_ptr(1)
                         ? cpu::Store::cached
                         : cpu::store_for(iter.numel() * static_cast<int64_t>(sizeof(T)));
  constexpr int64_t size = sizeof(T);
  // No OpenMP of our own: for_each runs in libtorch, on the threads that torch.set_num_threads()
  // governs.
  iter.for_each(
      [&](char** data, const int64_t* strides, int64_t size0, int64_t size1) {
        for_each_run<T, 2>(
            data, strides, size0, size1, [&](const auto& from, const int64_t* strides, int64_t n) {
              kernel(reinterpret_cast<T*>(from[0]), strides[0] / size,
                     reinterpret_cast<const T*>(from[1]), strides[1] / size, n, c, store);
            });
      },
      kGrainSize);
}

template <typename T>
at::Tensor forward_of(Forward<T> kernel, const at::Tensor& self, const Coefficients<T>& c) {
  at::Tensor out = empty_output_cpu(self);
  if (is_small_run(out, self)) {
    forward_run(kernel, out, self, c);
  } else {
    auto iter = at::TensorIterator::unary_op(out, self);
    forward(kernel, iter, c);
  }
  return out;
}

template <typename T>
void backward(Backward<T> kernel, at::TensorIterator& iter, const Coefficients<T>& c) {
  const auto store = cpu::store_for(iter.numel() * static_cast<int64_t>(sizeof(T)));
  constexpr int64_t size = sizeof(T);
  iter.for_each(
      [&](char** data, const int64_t* strides, int64_t size0, int64_t size1) {
        for_each_run<T, 3>(
            data, strides, size0, size1, [&](const auto& from, const int64_t* strides, int64_t n) {
              kernel(reinterpret_cast<T*>(from[0]), strides[0] / size,
                     reinterpret_cast<const T*>(from[1]), strides[1] / size,
                     reinterpret_cast<const T*>(from[2]), strides[2] / size, n, c, store);
            });
      },
      kGrainSize);
}

// Of operands of one shape and dtype.
template <typename T>
at::Tensor backward_of(Backward<T> kernel, const at::Tensor& grad_output, const at::Tensor& saved,
                       const Coefficients<T>& c) {
  at::Tensor grad_input = empty_output_cpu(saved);
  if (is_small_run(grad_input, saved) && is_one_run(grad_input, grad_output)) {
    kernel(static_cast<T*>(grad_input.mutable_data_ptr()), 1,
           static_cast<const T*>(grad_output.const_data_ptr()), 1,
           static_cast<const T*>(saved.const_data_ptr()), 1, saved.numel(), c, cpu::Store::cached);
    return grad_input;
  }
  auto iter = at::TensorIteratorConfig()
                  .add_output(grad_input)
                  .add_const_input(grad_output)
                  .add_const_input(saved)
                  .build();
  backward(kernel, iter, c);
  return grad_input;
}

template <typename T>
Backward<T> elu_backward_kernel(const cpu::Kernels<T>& kernels, bool is_result) {
  return is_result ? kernels.backward_from_result : kernels.backward_from_input;
}

void run_forward(at::Tensor& out, const at::Tensor& self, const at::Scalar& alpha,
                 const at::Scalar& scale, const at::Scalar& input_scale, const char* name) {
  with_kernels_for(self.scalar_type(), name, [&]<typename T>(const cpu::Kernels<T>& kernels) {
    const auto c = convert_coefficients<T>(alpha, scale, input_scale, name);
    if (is_small_run_into(out, self)) {
      return forward_run(kernels.forward, out, self, c);
    }
    auto iter = at::TensorIterator::unary_op(out, self);
    forward(kernels.forward, iter, c);
  });
}

}  // namespace

at::Tensor elu_cpu(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                   const at::Scalar& input_scale, bool /*save_output*/) {
  at::Tensor out;
  with_kernels_for(self.scalar_type(), "elu", [&]<typename T>(const cpu::Kernels<T>& kernels) {
    out = forward_of(kernels.forward, self,
                     convert_coefficients<T>(alpha, scale, input_scale, "elu"));
  });
  return out;
}

at::Tensor& elu_out_cpu(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                        const at::Scalar& input_scale, at::Tensor& out) {
  check_defined(self, "elu.out");
  check_defined(out, "elu.out");
  run_forward(out, self, alpha, scale, input_scale, "elu.out");
  return out;
}

at::Tensor& elu_inplace_cpu(at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                            const at::Scalar& input_scale) {
  run_forward(self, self, alpha, scale, input_scale, "elu_");
  return self;
}

at::Tensor elu_backward_cpu(const at::Tensor& grad_output, const at::Scalar& alpha,
                            const at::Scalar& scale, const at::Scalar& input_scale, bool is_result,
                            const at::Tensor& self_or_result) {
  check_backward_operands(grad_output, self_or_result, "elu_backward", "self_or_result");
  check_result_is_enough(is_result, alpha, scale, input_scale);
  return with_one_shape(
      grad_output, self_or_result, "elu_backward",
      [&](const at::Tensor& grad_output, const at::Tensor& self_or_result) {
        at::Tensor grad_input;
        with_kernels_for(self_or_result.scalar_type(), "elu_backward",
                         [&]<typename T>(const cpu::Kernels<T>& kernels) {
                           grad_input = backward_of(
                               elu_backward_kernel(kernels, is_result), grad_output, self_or_result,
                               convert_coefficients<T>(alpha, scale, input_scale, "elu_backward"));
                         });
        return grad_input;
      });
}

at::Tensor& elu_backward_out_cpu(const at::Tensor& grad_output, const at::Scalar& alpha,
                                 const at::Scalar& scale, const at::Scalar& input_scale,
                                 bool is_result, const at::Tensor& self_or_result,
                                 at::Tensor& grad_input) {
  with_kernels_for(
      self_or_result.scalar_type(), "elu_backward",
      [&]<typename T>(const cpu::Kernels<T>& kernels) {
        const auto c = convert_coefficients<T>(alpha, scale, input_scale, "elu_backward");
        auto iter = at::TensorIterator::binary_op(grad_input, grad_output, self_or_result);
        backward(elu_backward_kernel(kernels, is_result), iter, c);
        grad_input = iter.output();
      });
  return grad_input;
}

namespace {

at::Tensor elu_plus_one_cpu(const at::Tensor& self) {
  at::Tensor out;
  with_kernels_for(self.scalar_type(), "elu_plus_one",
                   [&]<typename T>(const cpu::Kernels<T>& kernels) {
                     out = forward_of(kernels.plus_one, self, unit_coefficients<T>());
                   });
  return out;
}

at::Tensor elu_plus_one_backward_cpu(const at::Tensor& grad_output, const at::Tensor& result) {
  check_backward_operands(grad_output, result, "elu_plus_one_backward", "result");
  return with_one_shape(grad_output, result, "elu_plus_one_backward",
                        [](const at::Tensor& grad_output, const at::Tensor& result) {
                          at::Tensor grad_input;
                          with_kernels_for(result.scalar_type(), "elu_plus_one_backward",
                                           [&]<typename T>(const cpu::Kernels<T>& kernels) {
                                             grad_input =
                                                 backward_of(kernels.plus_one_backward, grad_output,
                                                             result, unit_coefficients<T>());
                                           });
                          return grad_input;
                        });
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, CPU, m) {
  m.impl("elu", &torch_elu::elu_cpu);
  m.impl("elu_", &torch_elu::elu_inplace_cpu);
  m.impl("elu.out", &torch_elu::elu_out_cpu);
  m.impl("elu_backward", &torch_elu::elu_backward_cpu);
  m.impl("elu_plus_one", &torch_elu::elu_plus_one_cpu);
  m.impl("elu_plus_one_backward", &torch_elu::elu_plus_one_backward_cpu);
}

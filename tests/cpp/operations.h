// What the kernels compute, by name, so that a test goes through all of it.
#pragma once

#include "kernels/cpu/kernels.h"

namespace torch_elu::tests {

template <typename T>
const cpu::Kernels<T>& kernels_of(const cpu::KernelTable& table) {
  if constexpr (std::is_same_v<T, double>) return table.float64;
  if constexpr (std::is_same_v<T, float>) return table.float32;
  if constexpr (std::is_same_v<T, Float16>) return table.float16;
  if constexpr (std::is_same_v<T, BFloat16>) return table.bfloat16;
}

enum class Operation {
  forward,
  backward_from_input,
  backward_from_result,
  plus_one,
  plus_one_backward
};
inline constexpr Operation kOperations[] = {Operation::forward, Operation::backward_from_input,
                                            Operation::backward_from_result, Operation::plus_one,
                                            Operation::plus_one_backward};

inline bool takes_gradient(Operation operation) {
  return operation != Operation::forward && operation != Operation::plus_one;
}

// These take no coefficients but those that are all 1.
inline bool is_plus_one(Operation operation) {
  return operation == Operation::plus_one || operation == Operation::plus_one_backward;
}

// Any of them, with the strides in elements.
template <typename T>
void run_kernel(const cpu::KernelTable& table, Operation operation,
                const Coefficients<T>& coefficients, T* out, std::ptrdiff_t out_stride,
                const T* grad, std::ptrdiff_t grad_stride, const T* x, std::ptrdiff_t x_stride,
                std::ptrdiff_t n, cpu::Store store = cpu::Store::cached) {
  const auto& kernels = kernels_of<T>(table);
  if (!takes_gradient(operation)) {
    const auto forward = is_plus_one(operation) ? kernels.plus_one : kernels.forward;
    forward(out, out_stride, x, x_stride, n, coefficients, store);
  } else {
    const auto backward = is_plus_one(operation) ? kernels.plus_one_backward
                          : operation == Operation::backward_from_input
                              ? kernels.backward_from_input
                              : kernels.backward_from_result;
    backward(out, out_stride, grad, grad_stride, x, x_stride, n, coefficients, store);
  }
}

}  // namespace torch_elu::tests

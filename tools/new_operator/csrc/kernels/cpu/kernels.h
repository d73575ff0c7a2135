// The CPU kernels: runs of elements in memory, nothing of torch. kernels.cpp is compiled once for
// each instruction set and each build defines one of the tables below.
#pragma once

#include <cstddef>

#include "math/coefficients.h"

namespace torch_elu::cpu {

//= Store

// Strides are in elements, and may be zero for an input. Any alignment will do, even less than that
// of T. The output may be exactly an input (same address, same stride) but overlap none in another
// way.
template <typename T>
struct Kernels {
  using Coefficients = torch_elu::Coefficients<T>;

  void (*forward)(T* out, std::ptrdiff_t out_stride, const T* self, std::ptrdiff_t self_stride,
                  std::ptrdiff_t n, const Coefficients&, Store);
  void (*backward_from_input)(T* grad_input, std::ptrdiff_t grad_input_stride, const T* grad_output,
                              std::ptrdiff_t grad_output_stride, const T* self,
                              std::ptrdiff_t self_stride, std::ptrdiff_t n, const Coefficients&,
                              Store);
  decltype(backward_from_input) backward_from_result;
};

//= KernelTable
//= kernels_baseline

}  // namespace torch_elu::cpu

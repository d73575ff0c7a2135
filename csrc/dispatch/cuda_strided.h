// The operands of a strided kernel, as at::TensorIterator has arranged them.
#pragma once

#include <ATen/TensorIterator.h>
#include <c10/util/Exception.h>

#include <cstdint>

#include "kernels/cuda/kernels.h"

namespace torch_elu::cuda {

// Whether all operands are made of aligned runs of 16 bytes.
inline bool is_by_16_bytes(const at::TensorIteratorBase& iter, int64_t element_size) {
  if (iter.ndim() == 0 || iter.shape()[0] * element_size % 16 != 0) {
    return false;
  }
  for (int operand = 0; operand < iter.ntensors(); ++operand) {
    const auto strides = iter.strides(operand);
    auto places = reinterpret_cast<uintptr_t>(iter.data_ptr(operand));
    for (int dim = 1; dim < iter.ndim(); ++dim) {
      places |= static_cast<uintptr_t>(strides[dim]);
    }
    if (strides[0] != element_size || places % 16 != 0) {
      return false;
    }
  }
  return true;
}

template <typename T, int inputs>
Strided<T, inputs> strided_operands(const at::TensorIteratorBase& iter) {
  constexpr int max_dims = Offsets<inputs + 1>::max_dims;
  TORCH_CHECK(iter.ndim() <= max_dims, "torch_elu: expected a CUDA tensor of at most ", max_dims,
              " dimensions that cannot be merged, but got one of ", iter.ndim(),
              ". Call contiguous() on it.");
  constexpr int64_t size = sizeof(T);
  Strided<T, inputs> operands;
  operands.out = static_cast<T*>(iter.data_ptr(0));
  for (int i = 0; i < inputs; ++i) {
    operands.in[i] = static_cast<const T*>(iter.data_ptr(i + 1));
  }
  operands.by_16_bytes = is_by_16_bytes(iter, size);
  const int64_t width = operands.by_16_bytes ? 16 / size : 1;
  operands.count = static_cast<uint32_t>(iter.numel() / width);
  operands.offsets.dims = iter.ndim();
  for (int dim = 0; dim < iter.ndim(); ++dim) {
    const int64_t unit = dim == 0 ? width : 1;
    operands.offsets.size[dim] = Divisor(static_cast<uint32_t>(iter.shape()[dim] / unit));
    for (int operand = 0; operand <= inputs; ++operand) {
      operands.offsets.stride[dim][operand] =
          static_cast<uint32_t>(iter.strides(operand)[dim] * unit);
    }
  }
  return operands;
}

}  // namespace torch_elu::cuda

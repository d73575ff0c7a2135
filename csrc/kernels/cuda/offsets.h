// From the number of an element to its place in memory, for strided tensors.
#pragma once

#include <cstdint>

#include "math/number.h"

namespace torch_elu::cuda {

// Division by a number known beforehand, of numbers below 2^31: a multiplication and a shift.
// Granlund and Montgomery, "Division by invariant integers using multiplication", PLDI 1994.
struct Divisor {
  std::uint32_t value;
  std::uint32_t multiplier;
  std::uint32_t shift;

  Divisor() = default;
  explicit Divisor(std::uint32_t value) : value(value), shift(0) {
    while ((std::uint64_t{1} << shift) < value) ++shift;
    multiplier =
        static_cast<std::uint32_t>((((std::uint64_t{1} << shift) - value) << 32) / value + 1);
  }

  TORCH_ELU_INLINE std::uint32_t quotient(std::uint32_t x) const {
    const auto product = static_cast<std::uint32_t>((std::uint64_t{x} * multiplier) >> 32);
    return (product + x) >> shift;
  }
};

// Sizes, and the strides in bytes of each operand, innermost dimension first.
template <int operands>
struct Offsets {
  static constexpr int max_dims = 25;  // as in ATen

  int dims;
  Divisor size[max_dims];
  std::uint32_t stride[max_dims][operands];

  // Of `count` elements at once, so that the loop over the dimensions runs once for all of them.
  template <int count>
  TORCH_ELU_INLINE void get(std::uint32_t (&element)[count],
                            std::uint32_t (&offset)[count][operands]) const {
    for (int i = 0; i < count; ++i) {
      for (int operand = 0; operand < operands; ++operand) offset[i][operand] = 0;
    }
    for (int dim = 0; dim < dims; ++dim) {
      for (int i = 0; i < count; ++i) {
        const std::uint32_t outer = size[dim].quotient(element[i]);
        const std::uint32_t index = element[i] - outer * size[dim].value;
        for (int operand = 0; operand < operands; ++operand) {
          offset[i][operand] += index * stride[dim][operand];
        }
        element[i] = outer;
      }
    }
  }
};

}  // namespace torch_elu::cuda

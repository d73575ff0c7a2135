// One number at a time, in plain C++: for processors without a file beside this one.
#pragma once

#include "kernels/cpu/kernels.h"
#include "math/number.h"

namespace torch_elu::cpu {
inline namespace TORCH_ELU_SIMD {
namespace scalar {

// Memory may be unaligned, which a plain dereference must not be.
template <typename T>
TORCH_ELU_INLINE T read(const T* from) {
  T x;
  __builtin_memcpy(&x, from, sizeof(T));
  return x;
}

template <typename T>
TORCH_ELU_INLINE void write(T* to, T x) {
  __builtin_memcpy(to, &x, sizeof(T));
}

TORCH_ELU_INLINE float to_float(BFloat16 x) {
  return bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}

// To nearest, ties to even. No case for NaN: the payload of one that came from a BFloat16 has 16
// zeros at its end, and so have the one that the processor makes and that of a coefficient
// (convert_coefficients), hence no carry.
TORCH_ELU_INLINE BFloat16 from_float(float x, BFloat16) {
  const auto bits = bit_cast<std::uint32_t>(x);
  return {static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

// The conversions of Float16, for an int32_t and a float or for vectors of them: all the cases at
// once and a choice between them.
template <typename Number, typename Bits>
TORCH_ELU_INLINE Number float16_to_float(Bits x) {
  const Bits magnitude = x & 0x7fff;
  // Exponent and mantissa in place, then the difference of the biases: exact for subnormals too.
  const Bits finite = bit_cast<Bits>(bit_cast<Number>(magnitude << 13) * 0x1p+112f);
  const Bits infinite_or_nan = 0x7f800000 | magnitude << 13;
  return bit_cast<Number>((x & 0x8000) << 16 | (magnitude >= 0x7c00 ? infinite_or_nan : finite));
}

// To nearest, ties to even, overflow to infinity. The sign fills the upper half.
template <typename Number, typename Bits>
TORCH_ELU_INLINE Bits float_to_float16(Bits x, Number) {
  const Bits sign = x >> 31 << 15, magnitude = x & 0x7fffffff;
  // Below 2^-14 the last bit of a float16 is worth 2^-24: adding 0.5 makes a float round there.
  const Bits subnormal = bit_cast<Bits>(bit_cast<Number>(magnitude) + 0.5f) - 0x3f000000;
  const Bits normal = (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
  const Bits finite = magnitude < 0x38800000 ? subnormal : normal;
  const Bits at_most_infinite = magnitude >= 0x477ff000 ? Bits{} + 0x7c00 : finite;
  return sign | (magnitude > 0x7f800000 ? Bits{} + 0x7e00 : at_most_infinite);
}

TORCH_ELU_INLINE float to_float(Float16 x) { return float16_to_float<float>(std::int32_t{x.bits}); }

TORCH_ELU_INLINE Float16 from_float(float x, Float16) {
  return {static_cast<std::uint16_t>(float_to_float16(bit_cast<std::int32_t>(x), x))};
}

template <typename T>
struct Lanes {
  using number_t = opmath_t<T>;
  static constexpr int count = 1;
  static constexpr int in_step = 1;
  TORCH_ELU_INLINE static number_t load(const T* from) {
    if constexpr (sizeof(T) == 2) {
      return to_float(read(from));
    } else {
      return read(from);
    }
  }
  TORCH_ELU_INLINE static void store(T* to, number_t x) {
    if constexpr (sizeof(T) == 2) {
      write(to, from_float(x, T()));
    } else {
      write(to, x);
    }
  }
  TORCH_ELU_INLINE static void stream(T* to, number_t x) { store(to, x); }
};

constexpr bool streams = false;
TORCH_ELU_INLINE void finish_streaming() {}

}  // namespace scalar
}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu::cpu

// One number at a time, in plain C++: for the baseline, which the compiler vectorises, for Arm, and
// for coefficients that only general.h can take.
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

// All the cases at once and a choice between them, so that loops of it vectorise.
TORCH_ELU_INLINE float to_float(Float16 x) {
  const std::uint32_t magnitude = x.bits & 0x7fffu;
  const std::uint32_t sign = static_cast<std::uint32_t>(x.bits & 0x8000u) << 16;
  // Exponent and mantissa in place, then the difference of the biases: exact for subnormals too.
  const float finite = bit_cast<float>(magnitude << 13) * 0x1p+112f;
  const std::uint32_t infinite_or_nan = 0x7f800000u | magnitude << 13;
  const std::uint32_t bits =
      magnitude >= 0x7c00u ? infinite_or_nan : bit_cast<std::uint32_t>(finite);
  return bit_cast<float>(sign | bits);
}

// To nearest, ties to even, overflow to infinity.
TORCH_ELU_INLINE Float16 from_float(float x, Float16) {
  const auto bits = bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = bits >> 16 & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  // Below 2^-14 the last bit of a float16 is worth 2^-24: adding 0.5 makes a float round there.
  const std::uint32_t subnormal =
      bit_cast<std::uint32_t>(bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  const std::uint32_t normal = (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1)) >> 13;
  const std::uint32_t finite = magnitude < 0x38800000u ? subnormal : normal;
  const std::uint32_t at_most_infinite = magnitude >= 0x477ff000u ? 0x7c00u : finite;
  const std::uint32_t result = magnitude > 0x7f800000u ? 0x7e00u : at_most_infinite;
  return {static_cast<std::uint16_t>(sign | result)};
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

TORCH_ELU_INLINE void finish_streaming() {}

}  // namespace scalar
}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu::cpu

// What formula.h asks of its number type, for plain float and double, on the host and in CUDA code.
// The SIMD vectors of cpu/simd answer to the same names.
#pragma once

#include <cstdint>
#include <limits>

#if defined(__FAST_MATH__)
#error "torch_elu: the formula counts on every rounding, on NaN and on infinity: no -ffast-math"
#endif
static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559);

// The formula is compiled for several instruction sets, each time in a namespace of its own: of a
// function that two objects define the linker keeps one, perhaps that with AVX-512.
#if !defined(TORCH_ELU_SIMD)
#define TORCH_ELU_SIMD generic
#endif

#if defined(__CUDACC__)
#define TORCH_ELU_INLINE __host__ __device__ __forceinline__
#define TORCH_ELU_ON_DEVICE __host__ __device__
#else
#define TORCH_ELU_ON_DEVICE
#define TORCH_ELU_INLINE inline __attribute__((always_inline))
#endif

namespace torch_elu {

template <typename V>
struct NumberOf {
  using type = typename V::number_t;
};
template <>
struct NumberOf<float> {
  using type = float;
};
template <>
struct NumberOf<double> {
  using type = double;
};
template <typename V>
using number_t = typename NumberOf<V>::type;

// The element types beside float and double, by their bits. They are computed in float.
struct Float16 {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};

template <typename T>
struct OpmathOf {
  using type = float;
};
template <>
struct OpmathOf<double> {
  using type = double;
};
template <typename T>
using opmath_t = typename OpmathOf<T>::type;

template <typename number_t>
struct BitsOf;
template <>
struct BitsOf<float> {
  using type = std::uint32_t;
};
template <>
struct BitsOf<double> {
  using type = std::uint64_t;
};
template <typename number_t>
using bits_t = typename BitsOf<number_t>::type;

inline namespace TORCH_ELU_SIMD {

template <typename To, typename From>
TORCH_ELU_INLINE constexpr To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  return __builtin_bit_cast(To, from);
}

// The correctly rounded a * b + c.
TORCH_ELU_INLINE double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }

TORCH_ELU_INLINE float fma(float a, float b, float c) {
#if defined(__CUDA_ARCH__) || defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return __builtin_fmaf(a, b, c);
#else
  // Without the instruction: the product is exact in double; the sum, rounded to odd, rounds once
  // more to float as the exact sum would. Boldo and Melquiond, "Emulation of FMA and correctly
  // rounded sums: proved algorithms using rounding to odd", IEEE Trans. Computers 57 (2008).
  // Branch-free, for the sake of the vectoriser; the error of the sum is Knuth's TwoSum.
  const double product = static_cast<double>(a) * b;
  const double sum = product + c;
  const double part = sum - product;
  const double error = (product - (sum - part)) + (c - part);
  const auto bits = bit_cast<std::uint64_t>(sum);
  const std::uint64_t below = error < 0 ? 1 : 0, above = error > 0 ? 1 : 0;
  const std::uint64_t inexact = below | above;  // not where an infinity made the error NaN
  const std::uint64_t too_far = inexact & ((bits ^ bit_cast<std::uint64_t>(error)) >> 63);
  return static_cast<float>(bit_cast<double>((bits - too_far) | inexact));
#endif
}

// The larger one; x itself where x is NaN.
template <typename number_t>
TORCH_ELU_INLINE number_t at_least(number_t x, number_t low) {
  return x < low ? low : x;
}

// By one instruction, to which +0 is larger than -0. So unit_value, which has to keep a zero's
// sign, is for the CPU alone.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
__device__ __forceinline__ float at_least(float x, float low) {
  float result;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(x), "f"(low));
  return result;
}

__device__ __forceinline__ float at_most(float x, float high) {
  float result;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(x), "f"(high));
  return result;
}
#endif

// The smaller one; x itself where x is NaN.
template <typename number_t>
TORCH_ELU_INLINE number_t at_most(number_t x, number_t high) {
  return x > high ? high : x;
}

template <typename number_t>
TORCH_ELU_INLINE number_t select(bool condition, number_t yes, number_t no) {
  return condition ? yes : no;
}

// The number whose bits are those of x, shifted so that its lowest bits become the exponent, plus
// offset.
TORCH_ELU_INLINE float low_bits_to_exponent(float x, std::uint32_t offset) {
  return bit_cast<float>((bit_cast<std::uint32_t>(x) << 23) + offset);
}
TORCH_ELU_INLINE double low_bits_to_exponent(double x, std::uint64_t offset) {
  return bit_cast<double>((bit_cast<std::uint64_t>(x) << 52) + offset);
}
// The same by the number that has these bits. Before formula.h, whose templates would else convert
// it to an integer.
TORCH_ELU_INLINE float low_bits_to_exponent(float x, float number) {
  return low_bits_to_exponent(x, bit_cast<std::uint32_t>(number));
}
TORCH_ELU_INLINE double low_bits_to_exponent(double x, double number) {
  return low_bits_to_exponent(x, bit_cast<std::uint64_t>(number));
}

}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu

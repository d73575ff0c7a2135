// 256-bit vectors: AVX2, FMA and F16C.
#pragma once

#include <immintrin.h>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/simd/pair.h"
#include "kernels/cpu/simd/vector.h"

namespace torch_elu::cpu {
inline namespace TORCH_ELU_SIMD {
namespace simd {

using Floats = Vector<float, 32>;
using Doubles = Vector<double, 32>;

// maxps and minps give their second operand where one is NaN or both are zero.
TORCH_ELU_INLINE Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a.v, b.v, c.v); }
TORCH_ELU_INLINE Floats at_least(Floats x, Floats low) { return _mm256_max_ps(low.v, x.v); }
TORCH_ELU_INLINE Floats at_most(Floats x, Floats high) { return _mm256_min_ps(high.v, x.v); }
TORCH_ELU_INLINE void stream_bits(void* to, Floats x) {
  _mm256_stream_si256(static_cast<__m256i*>(to), bit_cast<__m256i>(x.v));
}

TORCH_ELU_INLINE Doubles fma(Doubles a, Doubles b, Doubles c) {
  return _mm256_fmadd_pd(a.v, b.v, c.v);
}
TORCH_ELU_INLINE Doubles at_least(Doubles x, Doubles low) { return _mm256_max_pd(low.v, x.v); }
TORCH_ELU_INLINE Doubles at_most(Doubles x, Doubles high) { return _mm256_min_pd(high.v, x.v); }
TORCH_ELU_INLINE void stream_bits(void* to, Doubles x) {
  _mm256_stream_si256(static_cast<__m256i*>(to), bit_cast<__m256i>(x.v));
}

TORCH_ELU_INLINE Floats to_bfloat16(Floats even, Floats odd) {
  const auto low = bit_cast<__m256i>(round_to_bfloat16(even) >> 16);
  return bit_cast<Floats::Register>(
      _mm256_blend_epi16(low, bit_cast<__m256i>(round_to_bfloat16(odd)), 0xaa));
}

template <>
struct Lanes<float> : PlainLanes<Floats, 4> {};
template <>
struct Lanes<double> : PlainLanes<Doubles, 4> {};
template <>
struct Lanes<BFloat16> : BFloat16Lanes<Floats> {};

template <>
struct Lanes<Float16> {
  static constexpr int count = Floats::count;
  static constexpr int in_step = 4;
  TORCH_ELU_INLINE static Floats load(const Float16* from) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  TORCH_ELU_INLINE static void store(Float16* to, Floats x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), rounded(x));
  }
  TORCH_ELU_INLINE static void stream(Float16* to, Floats x) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to), rounded(x));
  }

 private:
  TORCH_ELU_INLINE static __m128i rounded(Floats x) {
    return _mm256_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT);
  }
};

constexpr bool streams = true;
TORCH_ELU_INLINE void finish_streaming() { _mm_sfence(); }

}  // namespace simd
}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu::cpu

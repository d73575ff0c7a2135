// 512-bit vectors: AVX-512 F, VL, BW and DQ.
#pragma once

// GCC 12 takes the undefined inputs of its own intrinsics for a mistake (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/simd/pair.h"
#include "kernels/cpu/simd/vector.h"

namespace torch_elu::cpu {
inline namespace TORCH_ELU_SIMD {
namespace simd {

using Floats = Vector<float, 64>;
using Doubles = Vector<double, 64>;

// maxps and minps give their second operand where one is NaN or both are zero.
TORCH_ELU_INLINE Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a.v, b.v, c.v); }
TORCH_ELU_INLINE Floats at_least(Floats x, Floats low) { return _mm512_max_ps(low.v, x.v); }
TORCH_ELU_INLINE Floats at_most(Floats x, Floats high) { return _mm512_min_ps(high.v, x.v); }
TORCH_ELU_INLINE void stream_bits(void* to, Floats x) {
  _mm512_stream_si512(static_cast<__m512i*>(to), bit_cast<__m512i>(x.v));
}

TORCH_ELU_INLINE Doubles fma(Doubles a, Doubles b, Doubles c) {
  return _mm512_fmadd_pd(a.v, b.v, c.v);
}
TORCH_ELU_INLINE Doubles at_least(Doubles x, Doubles low) { return _mm512_max_pd(low.v, x.v); }
TORCH_ELU_INLINE Doubles at_most(Doubles x, Doubles high) { return _mm512_min_pd(high.v, x.v); }
TORCH_ELU_INLINE void stream_bits(void* to, Doubles x) {
  _mm512_stream_si512(static_cast<__m512i*>(to), bit_cast<__m512i>(x.v));
}

// In place of vector.h's, of which GCC 12 makes 14 instructions a vector of the float backward from
// the result, not 12.
TORCH_ELU_INLINE Floats select(Less<Floats> condition, Floats yes, Floats no) {
  const auto mask = _mm512_cmp_ps_mask(condition.a.v, condition.b.v, _CMP_LT_OQ);
  return _mm512_mask_blend_ps(mask, no.v, yes.v);
}
TORCH_ELU_INLINE Doubles select(Less<Doubles> condition, Doubles yes, Doubles no) {
  const auto mask = _mm512_cmp_pd_mask(condition.a.v, condition.b.v, _CMP_LT_OQ);
  return _mm512_mask_blend_pd(mask, no.v, yes.v);
}

// In the upper half of each float; see scalar.h. Not vcvtneps2bf16, which flushes subnormals.
TORCH_ELU_INLINE __m512i round_to_bfloat16(Floats x) {
  const __m512i bits = bit_cast<__m512i>(x.v);
  const __mmask16 is_odd = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x10000));
  const __m512i half =
      _mm512_mask_blend_epi32(is_odd, _mm512_set1_epi32(0x7fff), _mm512_set1_epi32(0x8000));
  return _mm512_add_epi32(bits, half);
}

TORCH_ELU_INLINE Floats to_bfloat16(Floats even, Floats odd) {
  const __m512i low = _mm512_srli_epi32(round_to_bfloat16(even), 16);
  return bit_cast<Floats::Register>(
      _mm512_mask_blend_epi16(0xaaaaaaaa, low, round_to_bfloat16(odd)));
}

template <>
struct Lanes<float> : PlainLanes<Floats, 2> {};  // with four the backward has too few registers
template <>
struct Lanes<double> : PlainLanes<Doubles, 4> {};
template <>
struct Lanes<BFloat16> : BFloat16Lanes<Floats> {};

template <>
struct Lanes<Float16> {
  static constexpr int count = Floats::count;
  static constexpr int in_step = 4;
  TORCH_ELU_INLINE static Floats load(const Float16* from) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  TORCH_ELU_INLINE static void store(Float16* to, Floats x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), rounded(x));
  }
  TORCH_ELU_INLINE static void stream(Float16* to, Floats x) {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to), rounded(x));
  }

 private:
  TORCH_ELU_INLINE static __m256i rounded(Floats x) {
    return _mm512_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT);
  }
};

constexpr bool streams = true;
TORCH_ELU_INLINE void finish_streaming() { _mm_sfence(); }

}  // namespace simd
}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu::cpu

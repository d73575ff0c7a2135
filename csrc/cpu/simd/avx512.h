// 256-bit vectors: AVX2, FMA and F16C.
#pragma once

#include <immintrin.h>

#include "scalar.h"

namespace torch_elu::cpu::avx512 {

struct Floats {
  using number_t = float;
  __m256 v;
  TORCH_ELU_INLINE Floats(__m256 v) : v(v) {}
  TORCH_ELU_INLINE explicit Floats(float x) : v(_mm256_set1_ps(x)) {}
};

struct FloatMask {
  __m256 v;
};

TORCH_ELU_INLINE Floats operator+(Floats a, Floats b) { return _mm256_add_ps(a.v, b.v); }
TORCH_ELU_INLINE Floats operator-(Floats a, Floats b) { return _mm256_sub_ps(a.v, b.v); }
TORCH_ELU_INLINE Floats operator*(Floats a, Floats b) { return _mm256_mul_ps(a.v, b.v); }
TORCH_ELU_INLINE FloatMask operator<(Floats a, Floats b) {
  return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)};
}
TORCH_ELU_INLINE FloatMask operator>(Floats a, Floats b) { return b < a; }
TORCH_ELU_INLINE Floats fma(Floats a, Floats b, Floats c) {
  return _mm256_fmadd_ps(a.v, b.v, c.v);
}
// maxps gives its second operand where one is NaN.
TORCH_ELU_INLINE Floats at_least(Floats x, Floats low) { return _mm256_max_ps(low.v, x.v); }
TORCH_ELU_INLINE Floats select(FloatMask condition, Floats yes, Floats no) {
  return _mm256_blendv_ps(no.v, yes.v, condition.v);
}
TORCH_ELU_INLINE Floats low_bits_to_exponent(Floats x, std::uint32_t offset) {
  const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(x.v), 23);
  return _mm256_castsi256_ps(
      _mm256_add_epi32(exponent, _mm256_set1_epi32(static_cast<int>(offset))));
}

struct Doubles {
  using number_t = double;
  __m256d v;
  TORCH_ELU_INLINE Doubles(__m256d v) : v(v) {}
  TORCH_ELU_INLINE explicit Doubles(double x) : v(_mm256_set1_pd(x)) {}
};

struct DoubleMask {
  __m256d v;
};

TORCH_ELU_INLINE Doubles operator+(Doubles a, Doubles b) { return _mm256_add_pd(a.v, b.v); }
TORCH_ELU_INLINE Doubles operator-(Doubles a, Doubles b) { return _mm256_sub_pd(a.v, b.v); }
TORCH_ELU_INLINE Doubles operator*(Doubles a, Doubles b) { return _mm256_mul_pd(a.v, b.v); }
TORCH_ELU_INLINE DoubleMask operator<(Doubles a, Doubles b) {
  return {_mm256_cmp_pd(a.v, b.v, _CMP_LT_OQ)};
}
TORCH_ELU_INLINE DoubleMask operator>(Doubles a, Doubles b) { return b < a; }
TORCH_ELU_INLINE Doubles fma(Doubles a, Doubles b, Doubles c) {
  return _mm256_fmadd_pd(a.v, b.v, c.v);
}
TORCH_ELU_INLINE Doubles at_least(Doubles x, Doubles low) { return _mm256_max_pd(low.v, x.v); }
TORCH_ELU_INLINE Doubles select(DoubleMask condition, Doubles yes, Doubles no) {
  return _mm256_blendv_pd(no.v, yes.v, condition.v);
}
TORCH_ELU_INLINE Doubles low_bits_to_exponent(Doubles x, std::uint64_t offset) {
  const __m256i exponent = _mm256_slli_epi64(_mm256_castpd_si256(x.v), 52);
  return _mm256_castsi256_pd(
      _mm256_add_epi64(exponent, _mm256_set1_epi64x(static_cast<long long>(offset))));
}

template <typename number_t>
struct Lanes;

template <>
struct Lanes<float> {
  using Vector = Floats;
  static constexpr int count = 8;
  static constexpr int unroll = 4;

  TORCH_ELU_INLINE static Floats load(const float* from) { return _mm256_loadu_ps(from); }
  TORCH_ELU_INLINE static void store(float* to, Floats x) { _mm256_storeu_ps(to, x.v); }
  TORCH_ELU_INLINE static void stream(float* to, Floats x) { _mm256_stream_ps(to, x.v); }

  TORCH_ELU_INLINE static Floats load(const Float16* from) {
    return _mm256_cvtph_ps(load_halves(from));
  }
  TORCH_ELU_INLINE static void store(Float16* to, Floats x) { store_halves(to, to_float16(x)); }
  TORCH_ELU_INLINE static void stream(Float16* to, Floats x) { stream_halves(to, to_float16(x)); }

  TORCH_ELU_INLINE static Floats load(const BFloat16* from) {
    const __m256i wide = _mm256_cvtepu16_epi32(load_halves(from));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
  }
  TORCH_ELU_INLINE static void store(BFloat16* to, Floats x) { store_halves(to, to_bfloat16(x)); }
  TORCH_ELU_INLINE static void stream(BFloat16* to, Floats x) {
    stream_halves(to, to_bfloat16(x));
  }

  TORCH_ELU_INLINE static void finish_streaming() { _mm_sfence(); }

 private:
  TORCH_ELU_INLINE static __m128i load_halves(const void* from) {
    return _mm_loadu_si128(static_cast<const __m128i*>(from));
  }
  TORCH_ELU_INLINE static void store_halves(void* to, __m128i x) {
    _mm_storeu_si128(static_cast<__m128i*>(to), x);
  }
  TORCH_ELU_INLINE static void stream_halves(void* to, __m128i x) {
    _mm_stream_si128(static_cast<__m128i*>(to), x);
  }
  TORCH_ELU_INLINE static __m128i to_float16(Floats x) {
    return _mm256_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT);
  }
  // As scalar::to_bfloat16.
  TORCH_ELU_INLINE static __m128i to_bfloat16(Floats x) {
    const __m256i bits = _mm256_castps_si256(x.v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded =
        _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    const __m256i halves = _mm256_srli_epi32(rounded, 16);
    return _mm_packus_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
  }
};

template <>
struct Lanes<double> {
  using Vector = Doubles;
  static constexpr int count = 4;
  static constexpr int unroll = 4;

  TORCH_ELU_INLINE static Doubles load(const double* from) { return _mm256_loadu_pd(from); }
  TORCH_ELU_INLINE static void store(double* to, Doubles x) { _mm256_storeu_pd(to, x.v); }
  TORCH_ELU_INLINE static void stream(double* to, Doubles x) { _mm256_stream_pd(to, x.v); }
  TORCH_ELU_INLINE static void finish_streaming() { _mm_sfence(); }
};

}  // namespace torch_elu::cpu::avx512

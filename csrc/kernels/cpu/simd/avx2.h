// 256-bit vectors: AVX2, FMA and F16C.
#pragma once

#include <immintrin.h>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/simd/pair.h"

namespace torch_elu::cpu::avx2 {

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
TORCH_ELU_INLINE Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a.v, b.v, c.v); }
// maxps and minps give their second operand where one is NaN or both are zero.
TORCH_ELU_INLINE Floats at_least(Floats x, Floats low) { return _mm256_max_ps(low.v, x.v); }
TORCH_ELU_INLINE Floats at_most(Floats x, Floats high) { return _mm256_min_ps(high.v, x.v); }
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
TORCH_ELU_INLINE Doubles at_most(Doubles x, Doubles high) { return _mm256_min_pd(high.v, x.v); }
TORCH_ELU_INLINE Doubles select(DoubleMask condition, Doubles yes, Doubles no) {
  return _mm256_blendv_pd(no.v, yes.v, condition.v);
}
TORCH_ELU_INLINE Doubles low_bits_to_exponent(Doubles x, std::uint64_t offset) {
  const __m256i exponent = _mm256_slli_epi64(_mm256_castpd_si256(x.v), 52);
  return _mm256_castsi256_pd(
      _mm256_add_epi64(exponent, _mm256_set1_epi64x(static_cast<long long>(offset))));
}

// From and to memory: T is what lies there.
template <typename T>
struct Lanes;

template <>
struct Lanes<float> {
  static constexpr int count = 8;
  static constexpr int in_step = 4;
  TORCH_ELU_INLINE static Floats load(const float* from) { return _mm256_loadu_ps(from); }
  TORCH_ELU_INLINE static void store(float* to, Floats x) { _mm256_storeu_ps(to, x.v); }
  TORCH_ELU_INLINE static void stream(float* to, Floats x) { _mm256_stream_ps(to, x.v); }
};

template <>
struct Lanes<double> {
  static constexpr int count = 4;
  static constexpr int in_step = 4;
  TORCH_ELU_INLINE static Doubles load(const double* from) { return _mm256_loadu_pd(from); }
  TORCH_ELU_INLINE static void store(double* to, Doubles x) { _mm256_storeu_pd(to, x.v); }
  TORCH_ELU_INLINE static void stream(double* to, Doubles x) { _mm256_stream_pd(to, x.v); }
};

template <>
struct Lanes<Float16> {
  static constexpr int count = 8;
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

// Elements of even and odd index apart: a shift and a mask each make floats of them.
template <>
struct Lanes<BFloat16> {
  static constexpr int count = 16;
  static constexpr int in_step = 2;
  TORCH_ELU_INLINE static Pair<Floats> load(const BFloat16* from) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    const __m256i odd = _mm256_and_si256(x, _mm256_set1_epi32(static_cast<int>(0xffff0000)));
    return {Floats(_mm256_castsi256_ps(_mm256_slli_epi32(x, 16))),
            Floats(_mm256_castsi256_ps(odd))};
  }
  TORCH_ELU_INLINE static void store(BFloat16* to, Pair<Floats> x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), rounded(x));
  }
  TORCH_ELU_INLINE static void stream(BFloat16* to, Pair<Floats> x) {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to), rounded(x));
  }

 private:
  TORCH_ELU_INLINE static __m256i rounded(Pair<Floats> x) {
    return _mm256_blend_epi16(_mm256_srli_epi32(rounded(x.first), 16), rounded(x.second), 0xaa);
  }
  // In the upper half of each; see scalar.h.
  TORCH_ELU_INLINE static __m256i rounded(Floats x) {
    const __m256i bits = _mm256_castps_si256(x.v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    return _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
  }
};

TORCH_ELU_INLINE void finish_streaming() { _mm_sfence(); }

}  // namespace torch_elu::cpu::avx2

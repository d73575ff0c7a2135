// 512-bit vectors: AVX-512 F, VL, BW and DQ.
#pragma once

// GCC 12 takes the undefined inputs of its own intrinsics for a mistake (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/simd/pair.h"

namespace torch_elu::cpu::avx512 {

struct Floats {
  using number_t = float;
  __m512 v;
  TORCH_ELU_INLINE Floats(__m512 v) : v(v) {}
  TORCH_ELU_INLINE explicit Floats(float x) : v(_mm512_set1_ps(x)) {}
};

struct FloatMask {
  __mmask16 bits;
};

TORCH_ELU_INLINE Floats operator+(Floats a, Floats b) { return _mm512_add_ps(a.v, b.v); }
TORCH_ELU_INLINE Floats operator-(Floats a, Floats b) { return _mm512_sub_ps(a.v, b.v); }
TORCH_ELU_INLINE Floats operator*(Floats a, Floats b) { return _mm512_mul_ps(a.v, b.v); }
TORCH_ELU_INLINE FloatMask operator<(Floats a, Floats b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)};
}
TORCH_ELU_INLINE FloatMask operator>(Floats a, Floats b) { return b < a; }
TORCH_ELU_INLINE Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a.v, b.v, c.v); }
// maxps and minps give their second operand where one is NaN or both are zero.
TORCH_ELU_INLINE Floats at_least(Floats x, Floats low) { return _mm512_max_ps(low.v, x.v); }
TORCH_ELU_INLINE Floats at_most(Floats x, Floats high) { return _mm512_min_ps(high.v, x.v); }
TORCH_ELU_INLINE Floats select(FloatMask condition, Floats yes, Floats no) {
  return _mm512_mask_blend_ps(condition.bits, no.v, yes.v);
}
TORCH_ELU_INLINE Floats low_bits_to_exponent(Floats x, std::uint32_t offset) {
  const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(x.v), 23);
  return _mm512_castsi512_ps(
      _mm512_add_epi32(exponent, _mm512_set1_epi32(static_cast<int>(offset))));
}

struct Doubles {
  using number_t = double;
  __m512d v;
  TORCH_ELU_INLINE Doubles(__m512d v) : v(v) {}
  TORCH_ELU_INLINE explicit Doubles(double x) : v(_mm512_set1_pd(x)) {}
};

struct DoubleMask {
  __mmask8 bits;
};

TORCH_ELU_INLINE Doubles operator+(Doubles a, Doubles b) { return _mm512_add_pd(a.v, b.v); }
TORCH_ELU_INLINE Doubles operator-(Doubles a, Doubles b) { return _mm512_sub_pd(a.v, b.v); }
TORCH_ELU_INLINE Doubles operator*(Doubles a, Doubles b) { return _mm512_mul_pd(a.v, b.v); }
TORCH_ELU_INLINE DoubleMask operator<(Doubles a, Doubles b) {
  return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ)};
}
TORCH_ELU_INLINE DoubleMask operator>(Doubles a, Doubles b) { return b < a; }
TORCH_ELU_INLINE Doubles fma(Doubles a, Doubles b, Doubles c) {
  return _mm512_fmadd_pd(a.v, b.v, c.v);
}
TORCH_ELU_INLINE Doubles at_least(Doubles x, Doubles low) { return _mm512_max_pd(low.v, x.v); }
TORCH_ELU_INLINE Doubles at_most(Doubles x, Doubles high) { return _mm512_min_pd(high.v, x.v); }
TORCH_ELU_INLINE Doubles select(DoubleMask condition, Doubles yes, Doubles no) {
  return _mm512_mask_blend_pd(condition.bits, no.v, yes.v);
}
TORCH_ELU_INLINE Doubles low_bits_to_exponent(Doubles x, std::uint64_t offset) {
  const __m512i exponent = _mm512_slli_epi64(_mm512_castpd_si512(x.v), 52);
  return _mm512_castsi512_pd(
      _mm512_add_epi64(exponent, _mm512_set1_epi64(static_cast<long long>(offset))));
}

// From and to memory: T is what lies there.
template <typename T>
struct Lanes;

template <>
struct Lanes<float> {
  static constexpr int count = 16;
  static constexpr int in_step = 2;  // with four the backward has too few registers
  TORCH_ELU_INLINE static Floats load(const float* from) { return _mm512_loadu_ps(from); }
  TORCH_ELU_INLINE static void store(float* to, Floats x) { _mm512_storeu_ps(to, x.v); }
  TORCH_ELU_INLINE static void stream(float* to, Floats x) { _mm512_stream_ps(to, x.v); }
};

template <>
struct Lanes<double> {
  static constexpr int count = 8;
  static constexpr int in_step = 4;
  TORCH_ELU_INLINE static Doubles load(const double* from) { return _mm512_loadu_pd(from); }
  TORCH_ELU_INLINE static void store(double* to, Doubles x) { _mm512_storeu_pd(to, x.v); }
  TORCH_ELU_INLINE static void stream(double* to, Doubles x) { _mm512_stream_pd(to, x.v); }
};

template <>
struct Lanes<Float16> {
  static constexpr int count = 16;
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

// Elements of even and odd index apart: a shift and a mask each make floats of them.
template <>
struct Lanes<BFloat16> {
  static constexpr int count = 32;
  static constexpr int in_step = 2;
  TORCH_ELU_INLINE static Pair<Floats> load(const BFloat16* from) {
    const __m512i x = _mm512_loadu_si512(from);
    const __m512i odd = _mm512_and_si512(x, _mm512_set1_epi32(static_cast<int>(0xffff0000)));
    return {Floats(_mm512_castsi512_ps(_mm512_slli_epi32(x, 16))),
            Floats(_mm512_castsi512_ps(odd))};
  }
  TORCH_ELU_INLINE static void store(BFloat16* to, Pair<Floats> x) {
    _mm512_storeu_si512(to, rounded(x));
  }
  TORCH_ELU_INLINE static void stream(BFloat16* to, Pair<Floats> x) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), rounded(x));
  }

 private:
  TORCH_ELU_INLINE static __m512i rounded(Pair<Floats> x) {
    return _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(rounded(x.first), 16),
                                   rounded(x.second));
  }
  // In the upper half of each; see scalar.h. Not vcvtneps2bf16, which flushes subnormals.
  TORCH_ELU_INLINE static __m512i rounded(Floats x) {
    const __m512i bits = _mm512_castps_si512(x.v);
    const __mmask16 is_odd = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x10000));
    const __m512i half =
        _mm512_mask_blend_epi32(is_odd, _mm512_set1_epi32(0x7fff), _mm512_set1_epi32(0x8000));
    return _mm512_add_epi32(bits, half);
  }
};

TORCH_ELU_INLINE void finish_streaming() { _mm_sfence(); }

}  // namespace torch_elu::cpu::avx512

// 128-bit vectors of plain x86-64, SSE2, which has no fused multiply-add: here it is a product and
// a sum in more bits, and a check for where they could round to another number than the exact sum.
#pragma once

#include <emmintrin.h>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/simd/pair.h"
#include "kernels/cpu/simd/scalar.h"
#include "kernels/cpu/simd/vector.h"

namespace torch_elu::cpu {
inline namespace TORCH_ELU_SIMD {
namespace simd {

using Floats = Vector<float, 16>;
using Doubles = Vector<double, 16>;

// A sum that was rounded to an odd last bit, where it was rounded at all, is on the same side of
// every float and of every number halfway between two (Boldo and Melquiond, "Emulation of FMA").
TORCH_ELU_INLINE __m128d add_to_odd(__m128d a, __m128d b) {
  const __m128d sum = a + b, part = sum - a;
  const __m128d error = (a - (sum - part)) + (b - part);
  const __m128i inexact =
      bit_cast<__m128i>(_mm_cmplt_pd(_mm_setzero_pd(), _mm_andnot_pd(_mm_set1_pd(-0.0), error)));
  const __m128i one = _mm_srli_epi64(inexact, 63);
  const __m128i other_sign = _mm_srli_epi64(bit_cast<__m128i>(_mm_xor_pd(sum, error)), 63);
  return bit_cast<__m128d>(
      _mm_or_si128(_mm_sub_epi64(bit_cast<__m128i>(sum), _mm_and_si128(one, other_sign)), one));
}

TORCH_ELU_INLINE __m128d low_half(Floats x) { return _mm_cvtps_pd(x.v); }
TORCH_ELU_INLINE __m128d high_half(Floats x) { return _mm_cvtps_pd(_mm_movehl_ps(x.v, x.v)); }
TORCH_ELU_INLINE Floats to_floats(__m128d low, __m128d high) {
  return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
}

__attribute__((noinline, cold)) inline Floats fma_to_odd(Floats a, Floats b, Floats c) {
  return to_floats(add_to_odd(low_half(a) * low_half(b), low_half(c)),
                   add_to_odd(high_half(a) * high_half(b), high_half(c)));
}

// The product is exact in double, so what rounds twice is the sum.
TORCH_ELU_INLINE Floats fma(Floats a, Floats b, Floats c) {
  const __m128d low_product = low_half(a) * low_half(b), low_c = low_half(c);
  const __m128d high_product = high_half(a) * high_half(b), high_c = high_half(c);
  const __m128d low = low_product + low_c, high = high_product + high_c;
  const Floats result = to_floats(low, high);
  // To round twice does harm only halfway between two floats, by the bits of a double that a float
  // has not, or where the result is subnormal...
  const __m128i rest = _mm_slli_epi32(
      bit_cast<__m128i>(_mm_shuffle_ps(bit_cast<__m128>(low), bit_cast<__m128>(high), 0x88)), 3);
  const __m128i halfway = _mm_cmpeq_epi32(rest, _mm_set1_epi32(static_cast<int>(0x80000000)));
  const __m128i twice = bit_cast<__m128i>(result.bits() + result.bits() + 0x7fffffff);
  const __m128i normal = _mm_cmpgt_epi32(twice, _mm_set1_epi32(static_cast<int>(0x80ffffff)));
  const int safe = _mm_movemask_ps(bit_cast<__m128>(_mm_andnot_si128(halfway, normal)));
  if (safe != 15) [[unlikely]] {
    // ... and not where the sum has not rounded.
    const auto rounded = [](__m128d sum, __m128d a, __m128d b) {
      return _mm_or_pd(_mm_cmpneq_pd(sum - a, b), _mm_cmpneq_pd(sum - b, a));
    };
    const __m128 both = _mm_shuffle_ps(bit_cast<__m128>(rounded(low, low_product, low_c)),
                                       bit_cast<__m128>(rounded(high, high_product, high_c)), 0x88);
    if ((_mm_movemask_ps(both) & ~safe) != 0) return fma_to_odd(a, b, c);
  }
  return result;
}

// minps and maxps give their second operand where one is NaN or both are zero.
TORCH_ELU_INLINE Floats at_least(Floats x, Floats low) { return _mm_max_ps(low.v, x.v); }
TORCH_ELU_INLINE Floats at_most(Floats x, Floats high) { return _mm_min_ps(high.v, x.v); }

struct Split {
  __m128d high, low;
};

// Each of 26 bits, so that a product of two is exact.
TORCH_ELU_INLINE Split split(Doubles x) {
  const Doubles high((x.bits() + (1 << 26)) & ~((std::uint64_t{1} << 27) - 1));
  return {high.v, x.v - high.v};
}

__attribute__((noinline, cold)) inline Doubles fma_one_by_one(Doubles a, Doubles b, Doubles c) {
  for (int i = 0; i < Doubles::count; ++i) c.v[i] = torch_elu::fma(a.v[i], b.v[i], c.v[i]);
  return c;
}

// Dekker's product and Knuth's sum, neither of which loses a bit, and Ziv's test: two bounds of the
// exact result that round to one number. Infinity, NaN and what makes them on the way fail it. The
// errors have the other sign: as a zero they are +0, which subtracted leaves -0 as it is.
TORCH_ELU_INLINE Doubles fma(Doubles a, Doubles b, Doubles c) {
  const __m128d product = a.v * b.v;
  const Split x = split(a), y = split(b);
  const __m128d of_product =
      ((product - x.high * y.high) - x.high * y.low - x.low * y.high) - x.low * y.low;
  const __m128d sum = product + c.v;
  const __m128d part = sum - product;
  const __m128d of_sum = ((sum - part) - product) + (part - c.v);
  const __m128d rest = of_sum + of_product;
  const __m128d result = sum - rest * (1 - 0x1p-51), other = sum - rest * (1 + 0x1p-51);
  // An exact sum of two may lie halfway, which `result` has rounded well; sum - sum is 0 or NaN.
  const __m128d rounds =
      _mm_and_pd(_mm_cmpneq_pd(result, other), _mm_cmpneq_pd(of_product, sum - sum));
  // Where the product's error is subnormal it is not exact.
  const __m128d magnitude = _mm_andnot_pd(_mm_set1_pd(-0.0), product);
  const __m128d small = _mm_cmplt_pd(magnitude, _mm_set1_pd(0x1p-960));
  if (_mm_movemask_pd(_mm_or_pd(rounds, small)) != 0) [[unlikely]] {
    const __m128d zero =
        _mm_or_pd(_mm_cmpeq_pd(a.v, _mm_setzero_pd()), _mm_cmpeq_pd(b.v, _mm_setzero_pd()));
    if (_mm_movemask_pd(_mm_or_pd(rounds, _mm_andnot_pd(zero, small))) != 0) {
      return fma_one_by_one(a, b, c);
    }
  }
  return result;
}

TORCH_ELU_INLINE Doubles at_least(Doubles x, Doubles low) { return _mm_max_pd(low.v, x.v); }
TORCH_ELU_INLINE Doubles at_most(Doubles x, Doubles high) { return _mm_min_pd(high.v, x.v); }

// The arithmetic takes longer than memory.
constexpr bool streams = false;
TORCH_ELU_INLINE void finish_streaming() {}

TORCH_ELU_INLINE Floats to_bfloat16(Floats even, Floats odd) {
  return Floats(round_to_bfloat16(even) >> 16 | (round_to_bfloat16(odd) & 0xffff0000));
}

template <>
struct Lanes<float> : PlainLanes<Floats, 4> {};
template <>
struct Lanes<double> : PlainLanes<Doubles, 2> {};
template <>
struct Lanes<BFloat16> : BFloat16Lanes<Floats> {
  static constexpr int in_step = 2;
};

template <>
struct Lanes<Float16> {
  static constexpr int count = 2 * Floats::count;
  static constexpr int in_step = 2;
  TORCH_ELU_INLINE static Pair<Floats> load(const Float16* from) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return {to_floats(_mm_unpacklo_epi16(x, _mm_setzero_si128())),
            to_floats(_mm_unpackhi_epi16(x, _mm_setzero_si128()))};
  }
  TORCH_ELU_INLINE static void store(Float16* to, Pair<Floats> x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), rounded(x));
  }

 private:
  using Bits = RegisterOf<std::int32_t, 16>::type;
  TORCH_ELU_INLINE static Floats to_floats(__m128i x) {
    return scalar::float16_to_float<Floats::Register>(bit_cast<Bits>(x));
  }
  TORCH_ELU_INLINE static __m128i rounded(Pair<Floats> x) {
    const auto bits = [](Floats x) {
      return bit_cast<__m128i>(scalar::float_to_float16(bit_cast<Bits>(x.v), x.v));
    };
    return _mm_packs_epi32(bits(x.first), bits(x.second));
  }
};

}  // namespace simd
}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu::cpu

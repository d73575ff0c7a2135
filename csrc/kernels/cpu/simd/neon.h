// 128-bit vectors of aarch64, all of whose processors have them.
#pragma once

#include <arm_neon.h>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/simd/pair.h"
#include "kernels/cpu/simd/vector.h"

namespace torch_elu::cpu {
inline namespace TORCH_ELU_SIMD {
namespace simd {

using Floats = Vector<float, 16>;
using Doubles = Vector<double, 16>;

TORCH_ELU_INLINE Floats fma(Floats a, Floats b, Floats c) { return vfmaq_f32(c.v, a.v, b.v); }
TORCH_ELU_INLINE Doubles fma(Doubles a, Doubles b, Doubles c) { return vfmaq_f64(c.v, a.v, b.v); }

// Not fmax, to which +0 is larger than -0; nothing is limited to -0 from above.
template <typename T>
TORCH_ELU_INLINE Vector<T, 16> at_least(Vector<T, 16> x, Vector<T, 16> low) {
  return select(x < low, low, x);
}
TORCH_ELU_INLINE Floats at_most(Floats x, Floats high) { return vminq_f32(x.v, high.v); }
TORCH_ELU_INLINE Doubles at_most(Doubles x, Doubles high) { return vminq_f64(x.v, high.v); }

// There is no store past the caches.
constexpr bool streams = false;
TORCH_ELU_INLINE void finish_streaming() {}

TORCH_ELU_INLINE Floats to_bfloat16(Floats even, Floats odd) {
  return Floats(vsriq_n_u32(round_to_bfloat16(odd), round_to_bfloat16(even), 16));
}

template <>
struct Lanes<float> : PlainLanes<Floats, 4> {};
template <>
struct Lanes<double> : PlainLanes<Doubles, 2> {};
template <>
struct Lanes<BFloat16> : BFloat16Lanes<Floats> {};

template <>
struct Lanes<Float16> {
  static constexpr int count = 2 * Floats::count;
  static constexpr int in_step = 2;
  TORCH_ELU_INLINE static Pair<Floats> load(const Float16* from) {
    float16x8_t x;
    __builtin_memcpy(&x, from, sizeof x);
    return {vcvt_f32_f16(vget_low_f16(x)), vcvt_high_f32_f16(x)};
  }
  TORCH_ELU_INLINE static void store(Float16* to, Pair<Floats> x) {
    const float16x8_t bits = vcvt_high_f16_f32(vcvt_f16_f32(x.first.v), x.second.v);
    __builtin_memcpy(to, &bits, sizeof bits);
  }
};

}  // namespace simd
}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu::cpu

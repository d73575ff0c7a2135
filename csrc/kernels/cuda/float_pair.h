// Two floats as one number of formula.h: from compute capability 10.0 on, an instruction each does
// two additions, multiplications or fused multiply-adds, with the bits of the single ones.
#pragma once

#include <vector_types.h>

#include <cstdint>

#include "math/number.h"

namespace torch_elu::cuda {

using torch_elu::at_least;
using torch_elu::at_most;
using torch_elu::fma;
using torch_elu::low_bits_to_exponent;

struct Floats {
  using number_t = float;
  float2 v;
  TORCH_ELU_INLINE Floats(float2 v) : v(v) {}
  TORCH_ELU_INLINE explicit Floats(float x) : v{x, x} {}
};

struct FloatMask {
  bool x, y;
};

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000
TORCH_ELU_INLINE Floats operator+(Floats a, Floats b) { return __fadd2_rn(a.v, b.v); }
TORCH_ELU_INLINE Floats operator*(Floats a, Floats b) { return __fmul2_rn(a.v, b.v); }
TORCH_ELU_INLINE Floats fma(Floats a, Floats b, Floats c) { return __ffma2_rn(a.v, b.v, c.v); }
// There is no subtraction, nor is it needed: a + (-b) has its bits.
TORCH_ELU_INLINE Floats operator-(Floats a, Floats b) { return a + Floats(float2{-b.v.x, -b.v.y}); }
#else
TORCH_ELU_INLINE Floats operator+(Floats a, Floats b) {
  return float2{a.v.x + b.v.x, a.v.y + b.v.y};
}
TORCH_ELU_INLINE Floats operator-(Floats a, Floats b) {
  return float2{a.v.x - b.v.x, a.v.y - b.v.y};
}
TORCH_ELU_INLINE Floats operator*(Floats a, Floats b) {
  return float2{a.v.x * b.v.x, a.v.y * b.v.y};
}
TORCH_ELU_INLINE Floats fma(Floats a, Floats b, Floats c) {
  return float2{fma(a.v.x, b.v.x, c.v.x), fma(a.v.y, b.v.y, c.v.y)};
}
#endif

TORCH_ELU_INLINE FloatMask operator<(Floats a, Floats b) { return {a.v.x < b.v.x, a.v.y < b.v.y}; }
TORCH_ELU_INLINE FloatMask operator>(Floats a, Floats b) { return b < a; }
TORCH_ELU_INLINE Floats at_least(Floats x, Floats low) {
  return float2{at_least(x.v.x, low.v.x), at_least(x.v.y, low.v.y)};
}
TORCH_ELU_INLINE Floats at_most(Floats x, Floats high) {
  return float2{at_most(x.v.x, high.v.x), at_most(x.v.y, high.v.y)};
}
TORCH_ELU_INLINE Floats select(FloatMask condition, Floats yes, Floats no) {
  return float2{condition.x ? yes.v.x : no.v.x, condition.y ? yes.v.y : no.v.y};
}
TORCH_ELU_INLINE Floats low_bits_to_exponent(Floats x, std::uint32_t offset) {
  return float2{low_bits_to_exponent(x.v.x, offset), low_bits_to_exponent(x.v.y, offset)};
}

// For a function that takes one number at a time.
template <typename Function>
struct Separately {
  Function function;
  template <typename... V>
  TORCH_ELU_INLINE auto operator()(V... x) const {
    return function(x...);
  }
  template <typename... V>
  TORCH_ELU_INLINE Floats operator()(Floats x, V... more) const {
    return float2{function(x.v.x, more.v.x...), function(x.v.y, more.v.y...)};
  }
};

template <typename Function>
constexpr bool is_separate = false;
template <typename Function>
constexpr bool is_separate<Separately<Function>> = true;

}  // namespace torch_elu::cuda

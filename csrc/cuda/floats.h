// Two floats as one number of formula.h: from compute capability 10.0 on, an instruction each does
// two additions, multiplications or fused multiply-adds, with the bits of the single ones.
#pragma once

#include <cstdint>

#include "../number.h"

namespace torch_elu::cuda {

using torch_elu::at_least;
using torch_elu::fma;
using torch_elu::low_bits_to_exponent;

struct Floats {
  using number_t = float;
  float2 v;
  __device__ __forceinline__ Floats(float2 v) : v(v) {}
  __device__ __forceinline__ explicit Floats(float x) : v{x, x} {}
};

struct FloatMask {
  bool x, y;
};

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000
__device__ __forceinline__ Floats operator+(Floats a, Floats b) { return __fadd2_rn(a.v, b.v); }
__device__ __forceinline__ Floats operator*(Floats a, Floats b) { return __fmul2_rn(a.v, b.v); }
__device__ __forceinline__ Floats fma(Floats a, Floats b, Floats c) {
  return __ffma2_rn(a.v, b.v, c.v);
}
// There is no subtraction, nor is it needed: a + (-b) has its bits.
__device__ __forceinline__ Floats operator-(Floats a, Floats b) {
  return a + Floats(float2{-b.v.x, -b.v.y});
}
#else
__device__ __forceinline__ Floats operator+(Floats a, Floats b) {
  return float2{a.v.x + b.v.x, a.v.y + b.v.y};
}
__device__ __forceinline__ Floats operator-(Floats a, Floats b) {
  return float2{a.v.x - b.v.x, a.v.y - b.v.y};
}
__device__ __forceinline__ Floats operator*(Floats a, Floats b) {
  return float2{a.v.x * b.v.x, a.v.y * b.v.y};
}
__device__ __forceinline__ Floats fma(Floats a, Floats b, Floats c) {
  return float2{fma(a.v.x, b.v.x, c.v.x), fma(a.v.y, b.v.y, c.v.y)};
}
#endif

__device__ __forceinline__ FloatMask operator<(Floats a, Floats b) {
  return {a.v.x < b.v.x, a.v.y < b.v.y};
}
__device__ __forceinline__ FloatMask operator>(Floats a, Floats b) { return b < a; }
__device__ __forceinline__ Floats at_least(Floats x, Floats low) {
  return float2{at_least(x.v.x, low.v.x), at_least(x.v.y, low.v.y)};
}
__device__ __forceinline__ Floats select(FloatMask condition, Floats yes, Floats no) {
  return float2{condition.x ? yes.v.x : no.v.x, condition.y ? yes.v.y : no.v.y};
}
__device__ __forceinline__ Floats low_bits_to_exponent(Floats x, std::uint32_t offset) {
  return float2{low_bits_to_exponent(x.v.x, offset), low_bits_to_exponent(x.v.y, offset)};
}

// For a function that takes one number at a time.
template <typename Function>
struct Separately {
  Function function;
  template <typename... V>
  __device__ __forceinline__ auto operator()(V... x) const {
    return function(x...);
  }
  template <typename... V>
  __device__ __forceinline__ Floats operator()(Floats x, V... more) const {
    return float2{function(x.v.x, more.v.x...), function(x.v.y, more.v.y...)};
  }
};

template <typename Function>
constexpr bool is_separate = false;
template <typename Function>
constexpr bool is_separate<Separately<Function>> = true;

}  // namespace torch_elu::cuda

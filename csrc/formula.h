// The ELU family, once, for every device and instruction set:
//
//   value(x) = scale * x                                     where x > 0
//              alpha * scale * (exp(input_scale * x) - 1)    elsewhere
//
// and its slope, from the input or from the result. V is a "number": float or double (number.h), or
// a SIMD vector of them (cpu/simd). Only operations that IEEE 754 rounds correctly, in a fixed
// order, every fused multiply-add written out: compiled with contraction off (-ffp-contract=off,
// --fmad=false), the same input gives the same bits everywhere, but for the payload of a NaN, which
// is the processor's.
//
// How: with step = ln2 / input_scale, x = n step + r, n an integer and |r| <= step / 2. Then
//   p = (exp(input_scale * r) - 1) / input_scale = r + r^2 q(r), q a polynomial,
//   exp(input_scale * x) - 1 = 2^n input_scale p + (2^n - 1), where nothing cancels,
//   exp(input_scale * x)     = 2^n (1 + input_scale p).
// As r and p are of the size of x, whatever input_scale is, no bits are lost to the subnormals on
// the way.
#pragma once

#include "coefficients.h"
#include "number.h"

namespace torch_elu {

template <typename V>
struct Reduced {
  V shifted_n;  // with n in its lowest bits, for low_bits_to_exponent
  V p;
};

template <typename V>
TORCH_ELU_INLINE Reduced<V> reduce(V x, const Coefficients<number_t<V>>& k) {
  using C = Constants<number_t<V>>;
  // Added to a number so large that its last bit counts ones, the quotient is rounded to an
  // integer.
  const V shifted_n = fma(x, V(k.steps_per_one), V(C::shift));
  const V n = shifted_n - V(C::shift);
  const V exact = fma(n, V(-k.step_high), x);
  const V r = fma(n, V(-k.step_low), exact);
  V q = V(k.polynomial[C::terms - 1]);
  for (int term = C::terms - 2; term >= 0; --term) q = fma(q, r, V(k.polynomial[term]));
  if constexpr (C::r_is_rounded_last) return {shifted_n, exact + fma(q * r, r, n * V(-k.step_low))};
  return {shifted_n, fma(q * r, r, r)};
}

template <typename V>
TORCH_ELU_INLINE V value(V x, const Coefficients<number_t<V>>& k) {
  const auto [shifted_n, p] = reduce(at_least(x, V(k.value_saturates)), k);
  const V alpha_2n = low_bits_to_exponent(shifted_n, k.alpha_bits);
  const V slope_2n = low_bits_to_exponent(shifted_n, k.slope_bits);
  const V negative = fma(p, slope_2n, alpha_2n - V(k.alpha));
  return select(x < V(0), negative, V(k.scale) * x);
}

// At zero the slope is that of the exponential, as in PyTorch; at NaN it is NaN.
template <typename V>
TORCH_ELU_INLINE V slope(V x, const Coefficients<number_t<V>>& k) {
  using C = Constants<number_t<V>>;
  const auto [shifted_n, p] = reduce(at_least(x, V(k.slope_saturates)), k);
  // Lifted away from the subnormals by a power of two; taking it back rounds only where the slope
  // is one.
  const V slope_2n = low_bits_to_exponent(shifted_n, k.lifted_slope_bits);
  const V curvature_2n = low_bits_to_exponent(shifted_n, k.lifted_curvature_bits);
  const V negative = fma(p, curvature_2n, slope_2n) * V(1 / C::lift);
  return select(x > V(0), V(k.scale), negative);
}

// For alpha, scale and input_scale >= 0: only then does the result tell which side it came from.
template <typename V>
TORCH_ELU_INLINE V slope_from_result(V y, const Coefficients<number_t<V>>& k) {
  return select(y > V(0), V(k.scale), V(k.input_scale) * (y + V(k.alpha)));
}

}  // namespace torch_elu

// The ELU family, once, for every device and instruction set:
//
//   value(x) = scale * x                                     where x > 0
//              alpha * scale * (exp(input_scale * x) - 1)    elsewhere
//
// and its slope, from the input or from the result; and elu(x) + 1, without the 1 that would drown
// exp(x). V is a "number": float or double (number.h), or a SIMD vector of them (cpu/simd). Only
// operations that IEEE 754 rounds correctly, in a fixed order, every fused multiply-add written
// out: compiled with contraction off (-ffp-contract=off, --fmad=false), the same input gives the
// same bits everywhere, but for the payload of a NaN, which is the processor's.
//
// How: with step = ln2 / input_scale, x = n step + r, n an integer and |r| <= step / 2. Then
//   p = (exp(input_scale * r) - 1) / input_scale = r + r^2 q(r), q a polynomial,
//   exp(input_scale * x) - 1 = 2^n input_scale p + (2^n - 1), where nothing cancels,
//   exp(input_scale * x)     = 2^n (1 + input_scale r (1 + r q(r))).
// As r and p are of the size of x, whatever input_scale is, no bits are lost to the subnormals on
// the way.
//
// alpha * scale, alpha * scale * input_scale and input_scale are two numbers each, the rounded one
// and its rest, so errors count from the coefficients as they were given (bounds.h). The halves do
// without the rests, which their own rounding hides.
//
// It has a twin, in which the order of operations must be the same:
// python/torch_elu/integrations/_inductor_formula.py, which torch.compile fuses.
// tests/python/compile/test_inductor_bits.py compares the two.
#pragma once

#include "math/coefficients.h"
#include "math/number.h"

namespace torch_elu {
inline namespace TORCH_ELU_SIMD {

template <typename V>
struct Reduced {
  V shifted_n;  // with n in its lowest bits, for low_bits_to_exponent
  V r;
  V q;
  V exact, low;  // r before it was rounded, in two parts
};

// N: one number for all lanes, or a vector where each has its own.
// Its first coefficients.
template <int terms, typename V, typename N, int size>
TORCH_ELU_INLINE V polynomial_at(V r, const N (&polynomial)[size]) {
  static_assert(terms <= size);
  V q = V(polynomial[terms - 1]);
  for (int term = terms - 2; term >= 0; --term) q = fma(q, r, V(polynomial[term]));
  return q;
}

// a - b. A fused multiply-add gives the same bits, on other units of the processor.
template <typename T, typename V>
TORCH_ELU_INLINE V difference(V a, number_t<V> b) {
  if constexpr (Constants<T>::subtracts_on_fma_units) return fma(a, V(1), V(-b));
  return a - V(b);
}

// x less n steps, of which the low part is still to be taken.
template <typename V>
struct Remainder {
  V shifted_n, n;
  V exact;
};

template <typename V, typename N, typename C>
TORCH_ELU_INLINE Remainder<V> remainder(V x, N step_high, const C& coefficients) {
  using T = typename C::element_t;
  using Constants = torch_elu::Constants<T>;
  // Added to a number so large that its last bit counts ones, the quotient is rounded to an
  // integer.
  const V shifted_n = fma(x, V(coefficients.steps_per_one), V(Constants::shift));
  const V n = difference<T>(shifted_n, Constants::shift);
  return {shifted_n, n, fma(n, V(-step_high), x)};
}

template <bool takes_step_low, typename V, typename N, typename C>
TORCH_ELU_INLINE Reduced<V> reduce(V x, const Step<N>& step, const C& coefficients) {
  using T = typename C::element_t;
  const auto [shifted_n, n, exact] = remainder(x, step.high, coefficients);
  const V r = takes_step_low ? fma(n, V(-step.low), exact) : exact;
  const V q = polynomial_at<Constants<T>::terms>(r, coefficients.polynomial);
  return {shifted_n, r, q, exact, n * V(-step.low)};
}

// (exp(input_scale * r) - 1) / input_scale
template <typename T, typename V>
TORCH_ELU_INLINE V p_of(const Reduced<V>& x) {
  if constexpr (Constants<T>::compensates_r) return x.exact + fma(x.q * x.r, x.r, x.low);
  return fma(x.q * x.r, x.r, x.r);
}

// slope * exp(input_scale * r), with curvature = slope * input_scale
template <typename V>
TORCH_ELU_INLINE V exp_of(const Reduced<V>& x, V slope, V curvature) {
  return fma(fma(x.q, x.r, V(1)), x.r * curvature, slope);
}

// value and slope without the rests: for the halves, and where all coefficients are 1.
template <typename V, typename C>
TORCH_ELU_INLINE V rounded_value(V x, const C& coefficients) {
  using T = typename C::element_t;
  using Constants = torch_elu::Constants<T>;
  const V clamped = at_least(x, V(coefficients.value_saturation));
  const auto reduced =
      reduce<Constants::takes_step_low>(clamped, coefficients.value_step, coefficients);
  const V alpha_2n = low_bits_to_exponent(reduced.shifted_n, coefficients.scaled_alpha_bits);
  const V slope_2n = low_bits_to_exponent(reduced.shifted_n, coefficients.slope_bits);
  const V negative = fma(p_of<T>(reduced), slope_2n, alpha_2n - V(coefficients.scaled_alpha));
  return select(x < V(0), negative, V(coefficients.scale) * x);
}

template <typename V, typename C>
TORCH_ELU_INLINE V rounded_slope(V x, const C& coefficients) {
  using Constants = torch_elu::Constants<typename C::element_t>;
  const V clamped = at_least(x, V(coefficients.slope_saturation));
  const auto reduced =
      reduce<Constants::takes_step_low>(clamped, coefficients.slope_step, coefficients);
  // Kept away from the subnormals by a power of two; dividing by it rounds only where the slope is
  // subnormal.
  const V slope_2n = low_bits_to_exponent(reduced.shifted_n, coefficients.guarded_slope_bits);
  const V curvature_2n =
      low_bits_to_exponent(reduced.shifted_n, coefficients.guarded_curvature_bits);
  const V negative = exp_of(reduced, slope_2n, curvature_2n) * V(1 / Constants::underflow_guard);
  return select(x > V(0), V(coefficients.scale), negative);
}

// With L = -alpha * scale, the value at -infinity, S = alpha * scale * input_scale, their rests and
// d = S_rest / S (q is made for S + S_rest):
//   (1 - 2^n) (L + L_rest) + 2^n S (exact + low + r (d + r q(r))),
// the smallest terms first. Near zero, where n = 0, only the last product is left, and 1 - 2^n is a
// zero of the sign that leaves a result that underflows its own. L_rest is scaled by a shift, which
// keeps the units that multiply free, and saves 4 % of the time (AVX-512).
template <int terms, bool takes_step_low, typename V, typename N, typename C>
TORCH_ELU_INLINE V value_by(V x, const Step<N>& step, const C& coefficients) {
  constexpr auto one_bits = bit_cast<bits_t<number_t<V>>>(number_t<V>(1));
  const V clamped = at_least(x, V(coefficients.value_saturation));
  const auto [shifted_n, n, exact] = remainder(clamped, step.high, coefficients);
  const V low = takes_step_low ? n * V(-step.low) : V(0);
  const V r = takes_step_low ? exact + low : exact;
  const V d_and_rq =
      fma(polynomial_at<terms>(r, coefficients.value_polynomial), r, V(coefficients.slope_rest));
  const V bent = takes_step_low ? fma(d_and_rq, r, low) : d_and_rq * r;
  const V slope_2n = low_bits_to_exponent(shifted_n, coefficients.slope_bits);
  const V part = V(1) - low_bits_to_exponent(shifted_n, one_bits);
  const auto rest = coefficients.scaled_alpha_rest;
  const V part_of_rest =
      low_bits_to_exponent(shifted_n, bit_cast<bits_t<number_t<V>>>(rest)) - V(rest);
  const V sum = fma(exact, slope_2n, fma(bent, slope_2n, part_of_rest));
  return select(x < V(0), fma(part, V(-coefficients.scaled_alpha), sum), V(coefficients.scale) * x);
}

// For any coefficients. The next two leave out what has no effect on theirs, the low part of the
// step or the last coefficient of the polynomial, and so give the same bits.
template <typename V, typename C>
TORCH_ELU_INLINE V value(V x, const C& coefficients) {
  using Constants = torch_elu::Constants<typename C::element_t>;
  if constexpr (!Constants::carries_rests) return rounded_value(x, coefficients);
  return value_by<Constants::value_terms, true>(x, coefficients.value_step, coefficients);
}

// For an input_scale of 1.
template <typename V, typename C>
TORCH_ELU_INLINE V unscaled_value(V x, const C& coefficients) {
  using Constants = torch_elu::Constants<typename C::element_t>;
  if constexpr (!Constants::carries_rests) return rounded_value(x, coefficients);
  return value_by<Constants::value_terms, Constants::unscaled_value_takes_step_low>(
      x, coefficients.value_step, coefficients);
}

// For any other.
template <typename V, typename C>
TORCH_ELU_INLINE V scaled_value(V x, const C& coefficients) {
  using Constants = torch_elu::Constants<typename C::element_t>;
  if constexpr (!Constants::carries_rests) return rounded_value(x, coefficients);
  return value_by<Constants::scaled_value_terms, true>(x, coefficients.slope_step, coefficients);
}

// Whether they leave out anything.
template <typename T>
constexpr bool has_shorter_values =
    Constants<T>::carries_rests && !Constants<T>::unscaled_value_takes_step_low;

// exp(input_scale * x) = 2^n (1 + expm1), but with the rest of S, which moves r and so costs no
// operation: S (1 + d) exp(input_scale * r) is S exp(input_scale * r + d), but for d^2.
template <typename V>
struct Exponential {
  V shifted_n;
  V expm1;
};

template <typename V, typename C>
TORCH_ELU_INLINE Exponential<V> exponential(V x, const C& coefficients) {
  using T = typename C::element_t;
  const V clamped = at_least(x, V(coefficients.slope_saturation));
  const auto [shifted_n, n, exact] = remainder(clamped, coefficients.slope_step.high, coefficients);
  const V low = fma(n, V(-coefficients.slope_step.low), V(coefficients.slope_shift));
  const V r = exact + low;
  const V input_scale = V(coefficients.input_scale);
  const V rest_and_rq = fma(polynomial_at<Constants<T>::terms>(r, coefficients.slope_polynomial), r,
                            V(coefficients.input_scale_rest));
  return {shifted_n, fma(exact, input_scale, fma(rest_and_rq, r, low * input_scale))};
}

// At zero the slope is that of the exponential, as in PyTorch; at NaN it is NaN.
template <typename V, typename C>
TORCH_ELU_INLINE V slope(V x, const C& coefficients) {
  using Constants = torch_elu::Constants<typename C::element_t>;
  if constexpr (!Constants::carries_rests) return rounded_slope(x, coefficients);
  const auto [shifted_n, expm1] = exponential(x, coefficients);
  const V slope_2n = low_bits_to_exponent(shifted_n, coefficients.guarded_slope_bits);
  const V negative = fma(slope_2n, expm1, slope_2n) * V(1 / Constants::underflow_guard);
  return select(x > V(0), V(coefficients.scale), negative);
}

// For alpha, scale and input_scale >= 0: only then does the result tell which side it came from.
template <typename V, typename T>
TORCH_ELU_INLINE V slope_from_result(V y, const RoundedCoefficients<T>& coefficients) {
  return select(y > V(0), V(coefficients.scale),
                V(coefficients.input_scale) * (y + V(coefficients.scaled_alpha)));
}

// rounded_value and rounded_slope where alpha, scale and input_scale are 1, with the same bits.
// There exp(x) - 1 >= x on the exponential side, and beyond it the exponential of min(x, 0) has the
// value 0 and the slope 1: no comparison, and no second multiplication.
template <typename V, typename T>
TORCH_ELU_INLINE V unit_value(V x, const RoundedCoefficients<T>& coefficients) {
  using Constants = torch_elu::Constants<T>;
  const V clamped = at_least(at_most(x, V(0)), V(coefficients.value_saturation));
  const auto reduced = reduce<Constants::unscaled_value_takes_step_low>(
      clamped, coefficients.value_step, coefficients);
  const V power = low_bits_to_exponent(reduced.shifted_n, coefficients.scaled_alpha_bits);
  return at_least(x, fma(p_of<T>(reduced), power, difference<T>(power, 1)));
}

// exp(min(x, 0)) * underflow_guard
template <typename V, typename T>
TORCH_ELU_INLINE V guarded_unit_slope(V x, const RoundedCoefficients<T>& coefficients) {
  using Constants = torch_elu::Constants<T>;
  const V clamped = at_least(at_most(x, V(0)), V(coefficients.slope_saturation));
  const auto reduced =
      reduce<Constants::takes_step_low>(clamped, coefficients.slope_step, coefficients);
  const V power = low_bits_to_exponent(reduced.shifted_n, coefficients.guarded_slope_bits);
  return exp_of(reduced, power, power);
}

template <typename V, typename T>
TORCH_ELU_INLINE V unit_slope(V x, const RoundedCoefficients<T>& coefficients) {
  return guarded_unit_slope(x, coefficients) * V(1 / Constants<T>::underflow_guard);
}

// x + 1 where x > 0, exp(x) elsewhere: max(x, 0) + exp(min(x, 0)), of which one term is exact and
// the sum rounds once. For the coefficients of unit_slope.
template <typename V, typename T>
TORCH_ELU_INLINE V plus_one(V x, const RoundedCoefficients<T>& coefficients) {
  return fma(guarded_unit_slope(x, coefficients), V(1 / Constants<T>::underflow_guard),
             at_least(x, V(0)));
}

// Its slope from the result: exp(x) is the result, and beyond zero the result is 1 or more.
template <typename V>
TORCH_ELU_INLINE V plus_one_slope(V y) {
  return at_most(y, V(1));
}

}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu

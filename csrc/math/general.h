// value and slope of formula.h for the coefficients that it is not laid out for: a negative
// input_scale, where the exponent is positive up to overflow; coefficients that are zero, infinite,
// NaN, huge or tiny. Slower, one number at a time, but as branch-free and with the same bits
// everywhere. What rounding loses is carried along in a second number ("low"), since beyond x = 0
// the terms of exp - 1 cancel.
#pragma once

#include "math/formula.h"

namespace torch_elu {
inline namespace TORCH_ELU_SIMD {
namespace general {

// x * 2^exponent in two factors, so that from x = 1 every number is reached, infinity and zero
// included.
template <typename number_t>
TORCH_ELU_INLINE number_t ldexp(number_t x, int exponent) {
  using Constants = torch_elu::Constants<number_t>;
  constexpr int most = Constants::exponent_bias - 1;
  const auto limited = [](int e) { return e > most ? most : e < -most ? -most : e; };
  const auto power = [](int e) {
    return bit_cast<number_t>(static_cast<bits_t<number_t>>(Constants::exponent_bias + e)
                              << Constants::mantissa_bits);
  };
  const int first = limited(exponent / 2);
  return x * power(first) * power(limited(exponent - first));
}

template <typename number_t>
struct Sum {
  number_t high;
  number_t low;
};

// Knuth's TwoSum: high + low is a + b exactly.
template <typename number_t>
TORCH_ELU_INLINE Sum<number_t> sum(number_t a, number_t b) {
  const number_t high = a + b;
  const number_t part = high - a;
  return {high, (a - (high - part)) + (b - part)};
}

// factor * (high + low); for an infinite factor, and for the sign of a zero, without the low part,
// which may have another sign.
template <typename number_t>
TORCH_ELU_INLINE number_t times(number_t factor, number_t high, number_t low) {
  const number_t rest = factor * select(factor == 0, high, low);
  return fma(factor, high, select(factor - factor == 0, rest, number_t(0)));
}

template <typename number_t>
struct Reduced {
  number_t product;  // input_scale * x = n ln2 + r
  Sum<number_t> p;   // expm1(r)
  int n;
};

// q0 + q1 r + ..., from this power on.
template <int power, typename number_t>
TORCH_ELU_INLINE number_t polynomial(number_t r) {
  constexpr auto coefficient = static_cast<number_t>(Constants<number_t>::polynomial[power]);
  if constexpr (power + 1 == Constants<number_t>::terms) {
    return coefficient;
  } else {
    return fma(polynomial<power + 1>(r), r, coefficient);
  }
}

template <typename number_t, typename T>
TORCH_ELU_INLINE Reduced<number_t> reduce(number_t x, const RoundedCoefficients<T>& coefficients) {
  using Constants = torch_elu::Constants<number_t>;
  const auto& general = coefficients.general;
  const number_t whole = ldexp(x, general.input_scale.exponent);
  const number_t above = at_least(whole, -Constants::general_saturation);
  const number_t clamped =
      above > Constants::general_saturation ? Constants::general_saturation : above;
  const number_t high = clamped * general.input_scale.mantissa;
  const number_t low =
      fma(clamped, general.input_scale_low, fma(clamped, general.input_scale.mantissa, -high));
  const number_t n = fma(high, Constants::log2e, Constants::shift) - Constants::shift;
  const auto r = sum(fma(n, -Constants::ln2_high, high), fma(n, -Constants::ln2_low, low));
  const number_t q = polynomial<0>(r.high);
  const auto p = sum(r.high, fma(q * r.high, r.high, fma(r.low, r.high, r.low)));
  return {whole * general.input_scale.mantissa, p, n == n ? static_cast<int>(n) : 0};
}

// expm1 = 2^m (2^(n - m) p + (2^(n - m) - 2^-m)) with m = max(n, 0): nothing in there overflows.
template <typename number_t, typename T>
TORCH_ELU_INLINE number_t value(number_t x, const RoundedCoefficients<T>& coefficients) {
  const auto& general = coefficients.general;
  const auto [product, p, n] = reduce(x, coefficients);
  const int m = n > 0 ? n : 0;
  const number_t power = ldexp(number_t(1), n - m);
  const auto expm1 = sum(power - ldexp(number_t(1), -m), p.high * power);
  const number_t low = fma(p.low, power, expm1.low);
  const number_t exponential = ldexp(times(general.scaled_alpha.mantissa, expm1.high, low),
                                     m + general.scaled_alpha.exponent);
  // Where expm1 is its argument: without the product, which may underflow. In two steps up, since
  // one does not take a subnormal x to infinity.
  const int up = general.slope.exponent > 0 ? general.slope.exponent : 0;
  const int down = general.slope.exponent - up;
  const number_t raised = ldexp(ldexp(x, up / 2), up - up / 2);
  const number_t linear = ldexp(raised * general.slope.mantissa, down);
  const bool is_linear = (product < 0 ? -product : product) < Constants<number_t>::linear_below;
  return select(x < 0, select(is_linear, linear, exponential), coefficients.scale * x);
}

template <typename number_t, typename T>
TORCH_ELU_INLINE number_t slope(number_t x, const RoundedCoefficients<T>& coefficients) {
  const auto& general = coefficients.general;
  const auto [product, p, n] = reduce(x, coefficients);
  const auto exp = sum(number_t(1), p.high);
  const number_t exponential = times(general.slope.mantissa, exp.high, exp.low + p.low);
  return select(x > 0, coefficients.scale, ldexp(exponential, n + general.slope.exponent));
}

}  // namespace general
}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu

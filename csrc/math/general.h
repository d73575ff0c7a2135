// value and slope of formula.h for the coefficients that it is not laid out for: a negative
// input_scale, where the exponent is positive up to overflow; coefficients that are zero, infinite,
// NaN, huge or tiny. Slower, but as branch-free and with the same bits everywhere. What rounding
// loses is carried along in a second number ("low"), since beyond x = 0 the terms of exp - 1
// cancel.
#pragma once

#include <type_traits>

#include "math/formula.h"

namespace torch_elu {
inline namespace TORCH_ELU_SIMD {
namespace general {

template <typename V>
constexpr bool is_vector = !std::is_floating_point_v<V>;

// The exponents of a vector: e + Constants::shift in its own type, for which every instruction set
// has the operations. That of a plain number is an int.
template <typename V>
struct Exponents {
  static constexpr number_t<V> shift = Constants<number_t<V>>::shift;
  static constexpr int half_of_bias = Constants<number_t<V>>::exponent_bias / 2;
  static constexpr number_t<V> half = half_of_bias;
  V shifted;
};

template <typename V>
TORCH_ELU_INLINE V power(V shifted) {
  return low_bits_to_exponent(shifted, bit_cast<bits_t<number_t<V>>>(number_t<V>(1)));
}

// x * 2^exponent in two factors, so that from x = 1 every number is reached, infinity and zero
// included.
template <typename V>
TORCH_ELU_INLINE V ldexp(V x, int exponent) {
  using Constants = torch_elu::Constants<number_t<V>>;
  constexpr int most = Constants::exponent_bias - 1;
  const auto limited = [](int e) { return e > most ? most : e < -most ? -most : e; };
  const auto power = [](int e) {
    return V(bit_cast<number_t<V>>(static_cast<bits_t<number_t<V>>>(Constants::exponent_bias + e)
                                   << Constants::mantissa_bits));
  };
  const int first = limited(exponent / 2);
  return x * power(first) * power(limited(exponent - first));
}

// x * 2^(n + more), where |x| is 0 or not below linear_below.
template <typename V>
TORCH_ELU_INLINE V ldexp(V x, int n, int more) {
  return ldexp(x, n + more);
}
template <typename V>
TORCH_ELU_INLINE V ldexp(V x, Exponents<V> n, int more) {
  constexpr auto shift = n.shift, most = 3 * n.half;
  const V exponent = at_most(
      at_least(n.shifted + V(static_cast<number_t<V>>(more)), V(shift - most)), V(shift + most));
  const V first = fma(exponent, V(number_t<V>(0.5)), V(shift / 2));
  return x * power(first) * power(exponent - first + V(shift));
}

// m = max(n, 0), 2^(n - m) and 2^-m; those of a vector not below 2^-half, which beside the 1 that
// value() subtracts them from is nothing.
TORCH_ELU_INLINE int above_zero(int n) { return n > 0 ? n : 0; }
template <typename V>
TORCH_ELU_INLINE Exponents<V> above_zero(Exponents<V> n) {
  return {at_least(n.shifted, V(n.shift))};
}
template <typename V>
TORCH_ELU_INLINE V power_below_zero(int n, int m) {
  return ldexp(V(1), n - m);
}
template <typename V>
TORCH_ELU_INLINE V power_below_zero(Exponents<V> n, Exponents<V> /*m*/) {
  return power(at_most(at_least(n.shifted, V(n.shift - n.half)), V(n.shift)));
}
template <typename V>
TORCH_ELU_INLINE V inverse_power(int m) {
  return ldexp(V(1), -m);
}
template <typename V>
TORCH_ELU_INLINE V inverse_power(Exponents<V> m) {
  return power(at_least(V(2 * m.shift) - m.shifted, V(m.shift - m.half)));
}

// The limit of plain numbers, which is for x > 0 alone, where another result is taken in the end.
template <typename V>
TORCH_ELU_INLINE V not_above(V x, number_t<V> highest) {
  if constexpr (is_vector<V>) {
    return x;
  } else {
    return x > highest ? highest : x;
  }
}

template <typename V>
TORCH_ELU_INLINE V magnitude(V x) {
  if constexpr (is_vector<V>) {
    return at_least(x, -x);
  } else {
    return x < 0 ? -x : x;
  }
}

template <typename V>
struct Sum {
  V high;
  V low;
};

// high + low is a + b exactly: Knuth's TwoSum. Of vectors Dekker's FastTwoSum, which has the same
// bits where a is a multiple of the last place of b, as it is everywhere here.
template <typename V>
TORCH_ELU_INLINE Sum<V> sum(V a, V b) {
  const V high = a + b;
  const V part = high - a;
  if constexpr (is_vector<V>) return {high, b - part};
  return {high, (a - (high - part)) + (b - part)};
}

// factor * (high + low); for an infinite factor, and for the sign of a zero, without the low part,
// which may have another sign.
template <typename V>
TORCH_ELU_INLINE V times(number_t<V> factor, V high, V low) {
  const V rest = V(factor) * select(factor == 0, high, low);
  return fma(V(factor), high, select(factor - factor == 0, rest, V(0)));
}

template <typename V>
struct Reduced {
  V product;  // input_scale * x = n ln2 + r
  Sum<V> p;   // expm1(r)
  std::conditional_t<is_vector<V>, Exponents<V>, int> n;
};

// q0 + q1 r + ..., from this power on.
template <int power, typename V>
TORCH_ELU_INLINE V polynomial(V r) {
  using Constants = torch_elu::Constants<number_t<V>>;
  constexpr auto coefficient = static_cast<number_t<V>>(Constants::polynomial[power]);
  if constexpr (power + 1 == Constants::terms) {
    return V(coefficient);
  } else {
    return fma(polynomial<power + 1>(r), r, V(coefficient));
  }
}

template <typename V, typename T>
TORCH_ELU_INLINE Reduced<V> reduce(V x, const RoundedCoefficients<T>& coefficients,
                                   number_t<V> lowest) {
  using Constants = torch_elu::Constants<number_t<V>>;
  const auto& general = coefficients.general;
  const V mantissa(general.input_scale.mantissa);
  const V whole = ldexp(x, general.input_scale.exponent);
  const V above = at_least(whole, V(lowest));
  const V clamped = not_above(above, Constants::general_saturation);
  const V high = clamped * mantissa;
  const V low = fma(clamped, V(general.input_scale_low), fma(clamped, mantissa, -high));
  const V shifted_n = fma(high, V(Constants::log2e), V(Constants::shift));
  const V n = shifted_n - V(Constants::shift);
  const auto r = sum(fma(n, V(-Constants::ln2_high), high), fma(n, V(-Constants::ln2_low), low));
  const V q = polynomial<0>(r.high);
  const auto p = sum(r.high, fma(q * r.high, r.high, fma(r.low, r.high, r.low)));
  if constexpr (is_vector<V>) {
    return {whole * mantissa, p, {shifted_n}};
  } else {
    return {whole * mantissa, p, n == n ? static_cast<int>(n) : 0};
  }
}

// expm1 = 2^m (2^(n - m) p + (2^(n - m) - 2^-m)) with m = max(n, 0): nothing in there overflows.
template <typename V, typename T>
TORCH_ELU_INLINE V value(V x, const RoundedCoefficients<T>& coefficients) {
  using Constants = torch_elu::Constants<number_t<V>>;
  const auto& general = coefficients.general;
  const auto [product, p, n] = reduce(x, coefficients, -Constants::general_saturation);
  const auto m = above_zero(n);
  const V power = power_below_zero<V>(n, m);
  const auto expm1 = sum(power - inverse_power<V>(m), p.high * power);
  const V low = fma(p.low, power, expm1.low);
  const V exponential = ldexp(times(general.scaled_alpha.mantissa, expm1.high, low), m,
                              general.scaled_alpha.exponent);
  // Where expm1 is its argument: without the product, which may underflow. In two steps up, since
  // one does not take a subnormal x to infinity.
  const int up = general.slope.exponent > 0 ? general.slope.exponent : 0;
  const int down = general.slope.exponent - up;
  const V raised = ldexp(ldexp(x, up / 2), up - up / 2);
  const V linear = ldexp(raised * V(general.slope.mantissa), down);
  const auto is_linear = magnitude(product) < V(Constants::linear_below);
  return select(x < V(0), select(is_linear, linear, exponential), V(coefficients.scale) * x);
}

// Below 0 all n of a call have one sign, so its slopes go to infinity or to 0. Unless alpha is huge
// or tiny on the other side, one power of 2 and a constant one reach them all, if x stops where
// nothing changes any more.
template <typename number_t>
struct OneSide {
  number_t factor;  // the constant
  int exponent;     // its
  bool is_enough;
  number_t lowest;  // x * 2^general.input_scale.exponent

  explicit OneSide(const GeneralCoefficients<number_t>& general) {
    using Constants = torch_elu::Constants<number_t>;
    constexpr int bias = Constants::exponent_bias, far_down = Constants::mantissa_bits + 4;
    const bool is_growing = general.input_scale.mantissa < 0;
    constexpr number_t tiny = std::numeric_limits<number_t>::epsilon() / 16;
    // cppcheck-suppress useInitializationList ; what is_growing says comes first
    factor = is_growing ? number_t(4) : tiny;
    exponent = is_growing ? 2 : -far_down;
    const int more = general.slope.exponent;
    is_enough = is_growing ? more > -bias / 2 : more < bias / 2;
    const int n = is_growing ? bias + exponent - more : exponent + 1 - bias - more;
    const number_t end = static_cast<number_t>(n) / Constants::log2e / general.input_scale.mantissa;
    constexpr number_t saturation = Constants::general_saturation;
    lowest = end > -saturation && end < saturation ? end : -saturation;
  }
};

template <typename V, typename T>
TORCH_ELU_INLINE V slope(V x, const RoundedCoefficients<T>& coefficients) {
  using Constants = torch_elu::Constants<number_t<V>>;
  const auto& factor = coefficients.general.slope;
  if constexpr (is_vector<V>) {
    const OneSide<number_t<V>> side(coefficients.general);
    if (side.is_enough) {
      const auto [product, p, n] = reduce(x, coefficients, side.lowest);
      const auto exp = sum(V(1), p.high);
      const V exponential = times(factor.mantissa * side.factor, exp.high, exp.low + p.low);
      const V e = n.shifted + V(static_cast<number_t<V>>(factor.exponent - side.exponent));
      return select(x > V(0), V(coefficients.scale), exponential * power(e));
    }
  }
  const auto [product, p, n] = reduce(x, coefficients, -Constants::general_saturation);
  const auto exp = sum(V(1), p.high);
  const V exponential = times(factor.mantissa, exp.high, exp.low + p.low);
  return select(x > V(0), V(coefficients.scale), ldexp(exponential, n, factor.exponent));
}

// The same where alpha * scale is 0 and input_scale neither 0 nor NaN: below zero every value and
// slope is the same zero, whose sign the slope's mantissa has.
template <typename T>
TORCH_ELU_INLINE bool is_rectifier(const RoundedCoefficients<T>& coefficients) {
  const auto& general = coefficients.general;
  return general.scaled_alpha.mantissa == 0 &&
         (general.input_scale.mantissa < 0 || general.input_scale.mantissa > 0);
}

template <typename V, typename T>
TORCH_ELU_INLINE V rectified(V x, const RoundedCoefficients<T>& coefficients) {
  return select(x < V(0), V(-coefficients.general.slope.mantissa), V(coefficients.scale) * x);
}

template <typename V, typename T>
TORCH_ELU_INLINE V rectified_slope(V x, const RoundedCoefficients<T>& coefficients) {
  const V not_above = select(x < V(1), V(coefficients.general.slope.mantissa), x);  // NaN is NaN
  return select(x > V(0), V(coefficients.scale), not_above);
}

}  // namespace general
}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu

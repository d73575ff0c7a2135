// alpha as one of the inputs: an own one for every lane of a vector, and what is learnt of it.
//
//   value(x)         = x where x > 0, alpha * (exp(x / divisor) - 1) elsewhere
//   by alpha         = 0 where x > 0, exp(x / divisor) - 1
//   by the divisor   = 0 where x > 0, -slope(x) * x / divisor
#pragma once

#include "math/formula.h"
#include "math/general.h"

namespace torch_elu {
inline namespace TORCH_ELU_SIMD {

// Those of a scale and an input_scale of 1. An alpha in the precision of the computation has no
// rest but the least, so the others are the same for every alpha that formula.h takes, but for 1.
template <typename T, typename V>
struct CoefficientsOfAlphas : Coefficients<T> {
  V scaled_alpha, scaled_alpha_bits, slope_bits, guarded_slope_bits, guarded_curvature_bits;

  TORCH_ELU_INLINE CoefficientsOfAlphas(const Coefficients<T>& of_any_alpha, V alpha)
      : Coefficients<T>(of_any_alpha),
        scaled_alpha(alpha),
        scaled_alpha_bits(alpha),
        slope_bits(alpha),
        guarded_slope_bits(alpha * V(Constants<T>::underflow_guard)),
        guarded_curvature_bits(guarded_slope_bits) {}
};

// The part of Coefficients<T> that the functions below take, where each column has its own. N: a
// number, or a vector of those of as many columns. With a scale of 1, and an alpha in the precision
// of the computation, alpha * scale has no rest but the least.
template <typename T, typename N>
struct ColumnCoefficients {
  using element_t = T;
  static constexpr number_t<N> scale = 1, scaled_alpha_rest = Constants<T>::least_rest;

  // Those of the value lie together, and those of the slope: fewer cache lines.
  N scaled_alpha_bits;
  N scaled_alpha, slope_bits, value_saturation;
  Step<N> value_step;
  N value_polynomial[Constants<T>::value_terms];
  N steps_per_one, slope_rest;
  Step<N> slope_step;
  N slope_saturation, slope_shift, input_scale, input_scale_rest;
  N slope_polynomial[Constants<T>::terms];
  N guarded_slope_bits;
  N guarded_curvature_bits, polynomial[Constants<T>::terms];

  explicit ColumnCoefficients(const Coefficients<T>& c)
      : scaled_alpha_bits(bit_cast<N>(c.scaled_alpha_bits)),
        scaled_alpha(c.scaled_alpha),
        slope_bits(bit_cast<N>(c.slope_bits)),
        value_saturation(c.value_saturation),
        value_step(c.value_step),
        steps_per_one(c.steps_per_one),
        slope_rest(c.slope_rest),
        slope_step(c.slope_step),
        slope_saturation(c.slope_saturation),
        slope_shift(c.slope_shift),
        input_scale(c.input_scale),
        input_scale_rest(c.input_scale_rest),
        guarded_slope_bits(bit_cast<N>(c.guarded_slope_bits)),
        guarded_curvature_bits(bit_cast<N>(c.guarded_curvature_bits)) {
    for (int term = 0; term < Constants<T>::terms; ++term) {
      polynomial[term] = c.polynomial[term];
      slope_polynomial[term] = c.slope_polynomial[term];
    }
    for (int term = 0; term < Constants<T>::value_terms; ++term) {
      value_polynomial[term] = c.value_polynomial[term];
    }
  }
};

// exp(input_scale * x) - 1 for x <= 0. The compiler finds most of it in slope(), too.
template <typename V, typename C>
TORCH_ELU_INLINE V expm1(V x, const C& coefficients) {
  using T = typename C::element_t;
  using Constants = torch_elu::Constants<T>;
  constexpr auto guard_bits = bit_cast<bits_t<number_t<V>>>(Constants::underflow_guard);
  const auto from = [](V shifted_n, V expm1_of_r) {
    const V power = low_bits_to_exponent(shifted_n, guard_bits) * V(1 / Constants::underflow_guard);
    return fma(power, expm1_of_r, power - V(1));
  };
  if constexpr (Constants::carries_rests) {
    const auto [shifted_n, shifted] = exponential(x, coefficients);
    return from(shifted_n, shifted - V(coefficients.slope_rest));
  } else {
    const V clamped = at_least(x, V(coefficients.slope_saturation));
    const auto reduced =
        reduce<Constants::takes_step_low>(clamped, coefficients.slope_step, coefficients);
    return from(reduced.shifted_n,
                fma(reduced.q, reduced.r, V(1)) * (reduced.r * V(coefficients.input_scale)));
  }
}

// take(by self, by alpha, slope times x); by the divisor it is the last one times -1 / divisor. GCC
// 12 would copy a structure of three pairs of vectors through memory: AVX2, CELU's backward with an
// alpha a channel takes 0.71 ns an element in place of 1.00.
template <typename V, typename Take>
TORCH_ELU_INLINE void gradients(V grad_output, V x, V slope, V expm1, const Take& take) {
  constexpr auto least = std::numeric_limits<number_t<V>>::lowest();  // 0 times infinity is NaN
  const V self = grad_output * slope;
  take(self, select(x > V(0), V(0), grad_output * expm1),
       select(x > V(0), V(0), self * at_least(x, V(least))));
}

// C: coefficients of one alpha or of many, or a reference to them.
template <typename C>
struct ValueOf {
  C coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V x) const {
    return value(x, coefficients);
  }
};

template <typename C>
struct GradientsOf {
  C coefficients;
  template <typename V, typename Take>
  TORCH_ELU_INLINE void operator()(V grad_output, V x, const Take& take) const {
    gradients(grad_output, x, slope(x, coefficients), expm1(x, coefficients), take);
  }
};

template <typename T>
struct UnitGradients {
  RoundedCoefficients<T> coefficients;
  template <typename V, typename Take>
  TORCH_ELU_INLINE void operator()(V grad_output, V x, const Take& take) const {
    gradients(grad_output, x, unit_slope(x, coefficients), unit_value(x, coefficients), take);
  }
};

template <typename T>
struct GeneralGradients {
  // by_alpha: with an alpha of 1, where the value is what is learnt of alpha.
  RoundedCoefficients<T> coefficients, by_alpha;

  TORCH_ELU_INLINE explicit GeneralGradients(const RoundedCoefficients<T>& coefficients)
      : coefficients(coefficients), by_alpha(coefficients) {
    by_alpha.general.scaled_alpha = {1, 0};
    by_alpha.general.slope = coefficients.general.input_scale;
  }

  template <typename V, typename Take>
  TORCH_ELU_INLINE void operator()(V grad_output, V x, const Take& take) const {
    gradients(grad_output, x, general::slope(x, coefficients), general::value(x, by_alpha), take);
  }
};

}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu

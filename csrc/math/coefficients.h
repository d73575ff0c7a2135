// The constants of the formula, and what is made of alpha, scale and input_scale before it starts.
#pragma once

#include <bit>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <type_traits>

#include "math/number.h"

namespace torch_elu {

// The formula's, for results of type T. tools/constants.py makes ln2, its parts and the
// polynomials, and compares them with what stands here.
template <typename T>
struct Constants;

template <>
struct Constants<float> {
  static constexpr int mantissa_bits = 23;
  static constexpr int exponent_bias = 127;
  // n * slope_step.high is exact for |n| < 256: the slope goes down to the subnormals, n = -183.
  static constexpr int step_high_bits = 16;
  static constexpr bool takes_step_low = true;
  // The nearest number to ln2 is so near that the value needs no more of it.
  static constexpr bool unscaled_value_takes_step_low = false;
  static constexpr float value_saturation = -37;      // alpha's rest, too, drowns exp from -36.1 on
  static constexpr float slope_saturation = -126.5;   // 2^32 exp rounds to 0 from -126.1 on
  static constexpr float underflow_guard = 0x1p+90f;  // keeps the slope's terms normal numbers
  static constexpr float shift = 0x1.8p+23f;          // the nine lowest bits are zero
  static constexpr bool carries_rests = true;
  // In place of a smaller rest of alpha * scale, so that 2^n times as much is a normal number.
  static constexpr float least_rest = 0x1p-72f;
  static constexpr bool compensates_r = false;  // carries the rounding of r into expm1(r)
  static constexpr bool subtracts_on_fma_units = false;

  // For general.h, which clamps x * 2^exponent to +-general_saturation: beyond, every result has
  // reached its limit, even with the smallest alpha * input_scale that doubles make, 2^-2148.
  static constexpr float general_saturation = 1600;
  static constexpr float linear_below =
      0x1p-30f;  // from here to zero expm1(x) = x to the last bit but one
  static constexpr float log2e = 0x1.715476p0f;
  static constexpr float ln2_high = 0x1.62ep-1f;  // 12 bits: n * ln2_high is exact for |n| <= 4096
  static constexpr float ln2_low = 0x1.0bfbe8p-15f;

  // expm1(r) = r + r^2 (q0 + q1 r + ...) for |r| <= ln2 / 2
  static constexpr int terms = 5;
  static constexpr double polynomial[terms] = {
      0x1.fffffp-2, 0x1.555494p-3, 0x1.556256p-5, 0x1.1238bcp-7, 0x1.637302p-10,
  };
  // For value where alpha or scale is not 1: more roundings add up, so it has one more term. Where
  // input_scale is not 1, the low part of the step costs as much as that term: value then takes
  // `polynomial`, whose weights suit it.
  static constexpr int value_terms = 6;
  static constexpr int scaled_value_terms = terms;
  static constexpr double value_polynomial[value_terms] = {
      0x1p-1, 0x1.55555p-3, 0x1.5554d4p-5, 0x1.11179ap-7, 0x1.6d5b38p-10, 0x1.97efdp-13,
  };
};

template <>
struct Constants<double> {
  static constexpr int mantissa_bits = 52;
  static constexpr int exponent_bias = 1023;
  static constexpr int step_high_bits = 41;  // |n| < 4096
  static constexpr bool takes_step_low = true;
  static constexpr bool unscaled_value_takes_step_low = true;
  static constexpr double value_saturation = -77;   // from -76.3 on
  static constexpr double slope_saturation = -768;  // from -767.4 on
  static constexpr double underflow_guard = 0x1p+128;
  static constexpr double shift = 0x1.8p+52;
  static constexpr bool carries_rests = true;
  static constexpr double least_rest = 0x1p-900;
  static constexpr bool compensates_r = true;
  static constexpr bool subtracts_on_fma_units = false;

  static constexpr double general_saturation = 2200;
  static constexpr double linear_below = 0x1p-60;
  static constexpr double log2e = 0x1.71547652b82fep0;
  static constexpr double ln2_high = 0x1.62e42fefa4p-1;
  static constexpr double ln2_low = -0x1.8432a1b0e2634p-43;

  static constexpr int terms = 10;
  static constexpr double polynomial[terms] = {
      0x1p-1,
      0x1.55555555553f8p-3,
      0x1.55555555532f5p-5,
      0x1.1111111169794p-7,
      0x1.6c16c17c771edp-10,
      0x1.a019ffc2f8c0fp-13,
      0x1.a019ac112048ep-16,
      0x1.71e24b816b8aap-19,
      0x1.289eb3ab7c08cp-22,
      0x1.a88155f7556f4p-26,
  };
  static constexpr int value_terms = 11;
  static constexpr int scaled_value_terms = value_terms;
  static constexpr double value_polynomial[value_terms] = {
      0x1p-1,
      0x1.555555555555cp-3,
      0x1.555555555555ep-5,
      0x1.111111110ebbap-7,
      0x1.6c16c16c13549p-10,
      0x1.a01a01b3b8531p-13,
      0x1.a01a01b46504p-16,
      0x1.71ddef9ae34cap-19,
      0x1.27e4bf156d295p-22,
      0x1.af6cc06070613p-26,
      0x1.1f9e12eac8db9p-29,
  };
};

// The halves, too, are computed in float, but need less of it.
template <>
struct Constants<Float16> : Constants<float> {
  static constexpr bool takes_step_low = false;
  static constexpr bool carries_rests = false;
  // Conversions keep the adders of a Zen 4 core busy: 0.197 ns an element in place of 0.212.
  static constexpr bool subtracts_on_fma_units = true;
  static constexpr int terms = 4, value_terms = terms, scaled_value_terms = terms;
  static constexpr double polynomial[terms] = {0x1.00006p-1, 0x1.556e9ep-3, 0x1.5653p-5,
                                               0x1.02b8fap-7};
};

template <>
struct Constants<BFloat16> : Constants<float> {
  static constexpr bool takes_step_low = false;
  static constexpr bool carries_rests = false;
  static constexpr int terms = 3, value_terms = terms, scaled_value_terms = terms;
  static constexpr double polynomial[terms] = {0x1.0015f8p-1, 0x1.56c10cp-3, 0x1.4486fep-5};
};

// mantissa * 2^exponent, 1 <= |mantissa| < 2, for coefficients beyond the range of the number type.
template <typename number_t>
struct Unbounded {
  number_t mantissa;
  int exponent;
};

// The length of a step, ln2 / input_scale, in two parts.
template <typename number_t>
struct Step {
  number_t high;
  number_t low;
};

// What general.h computes with.
template <typename number_t>
struct GeneralCoefficients {
  Unbounded<number_t> scaled_alpha;
  Unbounded<number_t> input_scale;
  number_t input_scale_low;   // what the rounding of its mantissa lost
  Unbounded<number_t> slope;  // alpha * scale * input_scale
};

// f(std::integral_constant<int, term>()) for each: device code takes a constant alone from a
// constant array.
template <int terms, int term = 0, typename F>
TORCH_ELU_ON_DEVICE void for_each_term(const F& f) {
  if constexpr (term < terms) {
    f(std::integral_constant<int, term>());
    for_each_term<terms, term + 1>(f);
  }
}

// Made in double, each rounded once; plain data that CUDA kernels take by value.
template <typename T>
struct RoundedCoefficients {
  using element_t = T;
  using number_t = opmath_t<T>;

  number_t scale;
  number_t scaled_alpha;  // alpha * scale
  number_t input_scale;

  number_t steps_per_one;
  Step<number_t> value_step;
  Step<number_t> slope_step;
  number_t polynomial[Constants<T>::terms];
  number_t value_saturation;  // from this x on
  number_t slope_saturation;
  // The bits of scaled_alpha, of the slope at zero, scaled_alpha * input_scale, and of the
  // curvature, scaled_alpha * input_scale^2. low_bits_to_exponent makes 2^n times as much of them
  // by adding n to the exponent field. "Guarded": times Constants::underflow_guard.
  bits_t<number_t> scaled_alpha_bits;
  bits_t<number_t> slope_bits;
  bits_t<number_t> guarded_slope_bits;
  bits_t<number_t> guarded_curvature_bits;

  bool is_unit;  // alpha, scale and input_scale are 1: there is a shorter way, to bits of its own

  bool takes_general_path;  // outside the range of formula.h
  GeneralCoefficients<number_t> general;

  TORCH_ELU_ON_DEVICE RoundedCoefficients(double alpha, double scale, double input_scale) {
    using Constants = torch_elu::Constants<T>;
    const auto rounded = [](double x) { return static_cast<number_t>(x); };
    const auto bits = [](number_t x) { return std::bit_cast<bits_t<number_t>>(x); };
    const auto is_moderate = [](double x) {
      return std::abs(x) >= 0x1p-32 && std::abs(x) <= 0x1p+32;
    };
    is_unit = alpha == 1 && scale == 1 && input_scale == 1;
    const double scaled_alpha = alpha * scale;
    const double slope = scaled_alpha * input_scale, curvature = slope * input_scale;
    takes_general_path =
        !(is_moderate(scaled_alpha) && is_moderate(slope) && is_moderate(curvature) &&
          input_scale >= 0x1p-16 && input_scale <= 0x1p+16);

    this->scale = rounded(scale);
    this->scaled_alpha = rounded(scaled_alpha);
    this->input_scale = rounded(input_scale);
    constexpr double ln2 = 0x1.62e42fefa39efp-1, ln2_rest = 0x1.abc9e3b39803fp-56;
    steps_per_one = rounded(input_scale / ln2);
    const double step_high = first_bits(ln2 / input_scale, Constants::step_high_bits);
    const Step<number_t> exact{
        rounded(step_high),
        rounded((std::fma(-step_high, input_scale, ln2) + ln2_rest) / input_scale)};
    const Step<number_t> rounded_step{rounded(ln2 / input_scale), 0};
    slope_step = Constants::takes_step_low ? exact : rounded_step;
    value_step =
        input_scale == 1 && !Constants::unscaled_value_takes_step_low ? rounded_step : slope_step;
    double power = input_scale;
    for_each_term<Constants::terms>([&](auto term) {
      constexpr double coefficient = Constants::polynomial[term.value];
      polynomial[term.value] = rounded(coefficient * power);
      power *= input_scale;
    });
    value_saturation = rounded(Constants::value_saturation / input_scale);
    slope_saturation = rounded(Constants::slope_saturation / input_scale);
    scaled_alpha_bits = bits(this->scaled_alpha);
    slope_bits = bits(rounded(slope));
    guarded_slope_bits = bits(rounded(slope) * Constants::underflow_guard);
    guarded_curvature_bits = bits(rounded(curvature) * Constants::underflow_guard);

    // An infinite input_scale as the largest finite one, which does not make NaN of intermediate
    // results.
    constexpr double largest = std::numeric_limits<double>::max();
    if (std::isinf(input_scale)) input_scale = std::copysign(largest, input_scale);
    general.scaled_alpha = product({scaled_alpha});
    general.input_scale = product({input_scale});
    general.input_scale_low = rounded(std::ldexp(input_scale, -general.input_scale.exponent) -
                                      general.input_scale.mantissa);
    general.slope = product({scaled_alpha, input_scale});
  }

 private:
  TORCH_ELU_ON_DEVICE static double first_bits(double x, int count) {
    int exponent = 0;
    const double mantissa = std::frexp(x, &exponent);
    return std::ldexp(std::nearbyint(std::ldexp(mantissa, count)), exponent - count);
  }

  TORCH_ELU_ON_DEVICE static Unbounded<number_t> product(std::initializer_list<double> factors) {
    double mantissa = 1;
    int exponent = 0;
    for (const double factor : factors) {
      int of_factor = 0, of_product = 0;
      mantissa = std::frexp(mantissa * std::frexp(factor, &of_factor), &of_product);
      if (std::isfinite(mantissa)) exponent += of_factor + of_product;
    }
    // Zero without the exponents of its other factors, with which x would overflow beside it.
    if (mantissa == 0) return {static_cast<number_t>(mantissa), 0};
    return {static_cast<number_t>(2 * mantissa), exponent - 1};
  }
};

// What those roundings lost, too. A base of its own for the rest, since nvcc copies a structure of
// more than 128 bytes in a loop.
template <typename T>
struct Coefficients : RoundedCoefficients<T> {
  using number_t = opmath_t<T>;

  // Where Constants<T>::carries_rests:
  number_t scaled_alpha_rest{};
  number_t input_scale_rest{};
  number_t slope_rest{};   // scaled_alpha * input_scale = slope (1 + slope_rest)
  number_t slope_shift{};  // slope_rest / input_scale
  number_t value_polynomial[Constants<T>::value_terms]{};  // times 1 + slope_rest
  number_t slope_polynomial[Constants<T>::terms]{};        // times input_scale

  TORCH_ELU_ON_DEVICE Coefficients(double alpha, double scale, double input_scale)
      : RoundedCoefficients<T>(alpha, scale, input_scale) {
    using Constants = torch_elu::Constants<T>;
    if constexpr (Constants::carries_rests) {
      const auto rounded = [](double x) { return static_cast<number_t>(x); };
      const double scaled_alpha = alpha * scale, slope = scaled_alpha * input_scale;
      // What the two products lost, for results in double.
      const double scaled_alpha_lost = std::fma(alpha, scale, -scaled_alpha);
      const double slope_lost =
          std::fma(scaled_alpha, input_scale, -slope) + scaled_alpha_lost * input_scale;
      const double rest = ((slope - rounded(slope)) + slope_lost) / rounded(slope);
      scaled_alpha_rest = rounded((scaled_alpha - rounded(scaled_alpha)) + scaled_alpha_lost);
      if (std::abs(scaled_alpha_rest) < Constants::least_rest) {
        scaled_alpha_rest = Constants::least_rest;
      }
      input_scale_rest = rounded(input_scale - rounded(input_scale));
      slope_rest = rounded(rest);
      slope_shift = rounded(rest / input_scale);
      double power = input_scale;
      const bool has_last_term =
          input_scale == 1 || Constants::scaled_value_terms == Constants::value_terms;
      for_each_term<Constants::value_terms>([&](auto term) {
        constexpr bool is_last = term.value == Constants::terms;
        constexpr double of_value = Constants::value_polynomial[term.value];
        constexpr double of_slope = is_last ? 0 : Constants::polynomial[is_last ? 0 : term.value];
        const double coefficient = (has_last_term ? of_value : of_slope) * power;
        value_polynomial[term.value] = rounded(std::fma(coefficient, rest, coefficient));
        if constexpr (!is_last)
          slope_polynomial[term.value] = rounded(of_slope * power * input_scale);
        power *= input_scale;
      });
    }
  }
};

// Whether an alpha, with a scale and an input_scale of 1, is neither 1 nor one for general.h: the
// coefficients of all such ones differ in what is made of alpha alone.
template <typename number_t>
TORCH_ELU_INLINE bool is_like_others(number_t alpha) {
  const number_t size = alpha < 0 ? -alpha : alpha;
  return size >= number_t(0x1p-32) && size <= number_t(0x1p+32) && alpha != 1;
}

}  // namespace torch_elu

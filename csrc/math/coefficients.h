// The constants of the formula, and what is made of alpha, scale and input_scale before it starts.
#pragma once

#include <cmath>
#include <initializer_list>
#include <limits>

#include "math/number.h"

namespace torch_elu {

// For results of type T. ln2, its parts and the polynomials are made, and compared with what stands
// here, by tools/constants.py.
template <typename T>
struct Constants;

template <>
struct Constants<float> {
  static constexpr int mantissa_bits = 23;
  static constexpr int exponent_bias = 127;
  // n * step.high is exact for |n| < 256: the slope goes down to the subnormals, n = -183.
  static constexpr int step_high_bits = 16;
  static constexpr bool takes_step_low = true;
  // Such a part of a step may be left out of the value, where |n| <= 26.
  static constexpr double negligible = 0x1p-28;
  static constexpr float value_saturates = -18;     // exp - 1 rounds to -1 from -17.33 on
  static constexpr float slope_saturates = -126.5;  // 2^32 exp rounds to 0 from -126.1 on
  static constexpr float lift = 0x1p+90f;
  static constexpr float shift = 0x1.8p+23f;  // the nine lowest bits are zero
  static constexpr bool r_is_rounded_last = false;
  static constexpr bool subtracts_by_fma = false;

  // For extreme.h, where x * 2^exponent is kept within +-extreme_saturates: beyond, every result
  // has reached its limit, even with the smallest alpha * input_scale, 2^-2148, for coefficients
  // come as doubles.
  static constexpr float extreme_saturates = 1600;
  static constexpr float straight = 0x1p-30f;  // expm1(x) = x to the last bit but one
  static constexpr float log2e = 0x1.715476p0f;
  static constexpr float ln2_high = 0x1.62ep-1f;  // 12 bits: n * ln2_high is exact for |n| <= 4096
  static constexpr float ln2_low = 0x1.0bfbe8p-15f;

  // expm1(r) = r + r^2 (q0 + q1 r + ...) for |r| <= ln2 / 2
  static constexpr int terms = 5;
  static constexpr double polynomial[terms] = {
      0x1.fffffp-2, 0x1.555494p-3, 0x1.556256p-5, 0x1.1238bcp-7, 0x1.637302p-10,
  };
};

template <>
struct Constants<double> {
  static constexpr int mantissa_bits = 52;
  static constexpr int exponent_bias = 1023;
  static constexpr int step_high_bits = 41;  // |n| < 4096
  static constexpr bool takes_step_low = true;
  static constexpr double negligible = 0;
  static constexpr double value_saturates = -38;   // from -37.43 on
  static constexpr double slope_saturates = -768;  // from -767.4 on
  static constexpr double lift = 0x1p+128;
  static constexpr double shift = 0x1.8p+52;
  static constexpr bool r_is_rounded_last = true;
  static constexpr bool subtracts_by_fma = false;

  static constexpr double extreme_saturates = 2200;
  static constexpr double straight = 0x1p-60;
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
};

// The halves, too, are computed in float, but need less of it.
template <>
struct Constants<Float16> : Constants<float> {
  static constexpr bool takes_step_low = false;
  // Conversions keep the adders of a Zen 4 core busy: 0.197 ns an element, was 0.212.
  static constexpr bool subtracts_by_fma = true;
  static constexpr int terms = 4;
  static constexpr double polynomial[terms] = {0x1.00006p-1, 0x1.556e9ep-3, 0x1.5653p-5,
                                               0x1.02b8fap-7};
};

template <>
struct Constants<BFloat16> : Constants<float> {
  static constexpr bool takes_step_low = false;
  static constexpr int terms = 3;
  static constexpr double polynomial[terms] = {0x1.0015f8p-1, 0x1.56c10cp-3, 0x1.4486fep-5};
};

// mantissa * 2^exponent, 1 <= |mantissa| < 2, for coefficients beyond the range of the number type.
template <typename number_t>
struct Scaled {
  number_t mantissa;
  int exponent;
};

// The length of a step, ln2 / input_scale, in two parts.
template <typename number_t>
struct Step {
  number_t high;
  number_t low;
};

// Made on the host, in double, each rounded once; plain data that CUDA kernels take by value.
template <typename T>
struct Coefficients {
  using number_t = opmath_t<T>;

  number_t scale;
  number_t alpha;  // alpha * scale, here and below
  number_t input_scale;

  number_t steps_per_one;
  Step<number_t> value_step;
  Step<number_t> slope_step;
  number_t polynomial[Constants<T>::terms];
  number_t value_saturates;  // from this x on
  number_t slope_saturates;
  // The bits of alpha, of the slope at zero, alpha * input_scale, and the curvature, alpha *
  // input_scale^2, of which low_bits_to_exponent makes 2^n as much: an addition to the exponent
  // field.
  bits_t<number_t> alpha_bits;
  bits_t<number_t> slope_bits;
  bits_t<number_t> lifted_slope_bits;
  bits_t<number_t> lifted_curvature_bits;

  bool is_unit;  // alpha, scale and input_scale are 1: there is a shorter way to the same bits

  // Outside what the formula is laid out for: extreme.h has a slower one that takes any
  // coefficients.
  bool is_extreme;
  Scaled<number_t> extreme_alpha;
  Scaled<number_t> extreme_input_scale;
  number_t extreme_input_scale_low;  // what the rounding of its mantissa lost
  Scaled<number_t> extreme_slope;    // alpha * input_scale

  Coefficients(double alpha, double scale, double input_scale) {
    using C = Constants<T>;
    const auto rounded = [](double x) { return static_cast<number_t>(x); };
    const auto bits = [](number_t x) { return bit_cast<bits_t<number_t>>(x); };
    const auto is_plain = [](double x) { return std::abs(x) >= 0x1p-32 && std::abs(x) <= 0x1p+32; };
    is_unit = alpha == 1 && scale == 1 && input_scale == 1;
    alpha *= scale;
    const double slope = alpha * input_scale, curvature = slope * input_scale;
    is_extreme = !(is_plain(alpha) && is_plain(slope) && is_plain(curvature) &&
                   input_scale >= 0x1p-16 && input_scale <= 0x1p+16);

    this->scale = rounded(scale);
    this->alpha = rounded(alpha);
    this->input_scale = rounded(input_scale);
    constexpr double ln2 = 0x1.62e42fefa39efp-1, ln2_rest = 0x1.abc9e3b39803fp-56;
    const auto split = [&](double high) -> Step<number_t> {
      return {rounded(high), rounded((std::fma(-high, input_scale, ln2) + ln2_rest) / input_scale)};
    };
    steps_per_one = rounded(input_scale / ln2);
    const Step<number_t> nearest = split(rounded(ln2 / input_scale));
    const Step<number_t> exact = split(first_bits(ln2 / input_scale, C::step_high_bits));
    const bool is_near = std::abs(nearest.low) <= C::negligible * std::abs(nearest.high);
    value_step = is_near || !C::takes_step_low ? Step<number_t>{nearest.high, 0} : exact;
    slope_step = C::takes_step_low ? exact : Step<number_t>{nearest.high, 0};
    double power = input_scale;
    for (int term = 0; term < C::terms; ++term, power *= input_scale) {
      polynomial[term] = rounded(C::polynomial[term] * power);
    }
    value_saturates = rounded(C::value_saturates / input_scale);
    slope_saturates = rounded(C::slope_saturates / input_scale);
    alpha_bits = bits(rounded(alpha));
    slope_bits = bits(rounded(slope));
    lifted_slope_bits = bits(rounded(slope) * C::lift);
    lifted_curvature_bits = bits(rounded(curvature) * C::lift);

    // An infinite input_scale as the largest finite one, which does not make NaN of intermediate
    // results.
    constexpr double largest = std::numeric_limits<double>::max();
    if (std::isinf(input_scale)) input_scale = std::copysign(largest, input_scale);
    extreme_alpha = product({alpha});
    extreme_input_scale = product({input_scale});
    extreme_input_scale_low = rounded(std::ldexp(input_scale, -extreme_input_scale.exponent) -
                                      extreme_input_scale.mantissa);
    extreme_slope = product({alpha, input_scale});
  }

 private:
  static double first_bits(double x, int count) {
    int exponent = 0;
    const double mantissa = std::frexp(x, &exponent);
    return std::ldexp(std::nearbyint(std::ldexp(mantissa, count)), exponent - count);
  }

  static Scaled<number_t> product(std::initializer_list<double> factors) {
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

}  // namespace torch_elu

// What the tests of the bare formula and kernels compare with: the C library in a wider type.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "kernels/cpu/kernels.h"
#include "math/bounds.h"

namespace torch_elu::reference {

struct Parameters {
  std::string name;
  double alpha, scale, input_scale;
  bool plus_one = false;  // elu_plus_one, for which the coefficients are 1

  bool is_unit() const { return alpha == 1 && scale == 1 && input_scale == 1; }
};

inline const Parameters plus_one{"elu_plus_one", 1, 1, 1, true};

inline Parameters celu(double alpha) {
  return {"celu " + std::to_string(alpha), alpha, 1, 1 / alpha};
}

inline std::vector<Parameters> parameters() {
  return {{"elu 1", 1, 1, 1},
          {"elu 0.1", 0.1, 1, 1},
          {"elu 0.5", 0.5, 1, 1},
          {"elu 2", 2, 1, 1},
          {"elu 10", 10, 1, 1},
          {"elu -0.7", -0.7, 1, 1},
          {"selu", 1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1},
          celu(0.3),
          celu(2),
          celu(3),
          celu(10),
          celu(0.01)};
}

// Those that go through general.h.
inline std::vector<Parameters> general_parameters() {
  return {celu(-1),
          celu(-0.5),
          celu(-3),
          {"elu 1e-30", 1e-30, 1, 1},
          {"elu 1e30", 1e30, 1, 1},
          {"elu 0", 0, 1, 1},
          {"elu 1e-30, input_scale -1", 1e-30, 1, -1},
          {"elu 1e30, input_scale 1e-30", 1e30, 1, 1e-30},
          {"elu 1e-30, input_scale 1e30", 1e-30, 1, 1e30}};
}

template <typename wide_t>
struct Exact {
  wide_t scale, alpha, input_scale;
  bool plus_one;

  explicit Exact(const Parameters& p)
      : scale(p.scale), alpha(scale * p.alpha), input_scale(p.input_scale), plus_one(p.plus_one) {}

  wide_t value(wide_t x) const {
    if (plus_one) return x > 0 ? x + 1 : std::exp(x);
    return x < 0 ? alpha * std::expm1(input_scale * x) : scale * x;
  }
  // At -700 the product would be off by as much as the result's last place is worth: hence its
  // error.
  wide_t slope(wide_t x) const {
    const wide_t product = input_scale * x;
    if (x > 0) return scale;
    const wide_t result = alpha * input_scale * std::exp(product);
    if (sizeof(wide_t) == sizeof(double) || result == 0 || !std::isfinite(result)) return result;
    return result * (1 + std::fma(input_scale, x, -product));
  }
};

// The error, in ulp, that math/bounds.h allows at x, whose exact value is `exact`.
template <typename number_t>
double bound_of_value(const Coefficients<number_t>& coefficients, double x, double exact) {
  using Bound = bounds::Bound<number_t>;
  if (coefficients.takes_general_path) return Bound::general;
  if (coefficients.is_unit) return Bound::unit;
  if (x > 0) return Bound::linear;
  if (std::abs(x) < Bound::tiny || std::abs(exact) < Bound::tiny) return Bound::value_of_tiny;
  return coefficients.input_scale == 1 ? Bound::value : Bound::scaled_value;
}

template <typename number_t>
double bound_of_slope(const Coefficients<number_t>& coefficients) {
  using Bound = bounds::Bound<number_t>;
  if (coefficients.takes_general_path) return Bound::general;
  return coefficients.is_unit ? Bound::unit : Bound::slope;
}

inline float widened(float x) { return x; }
inline double widened(double x) { return x; }

inline float widened(BFloat16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}

inline float widened(Float16 x) {
  const int exponent = x.bits >> 10 & 31, mantissa = x.bits & 1023;
  const float magnitude = exponent == 31 ? (mantissa ? std::numeric_limits<float>::quiet_NaN()
                                                     : std::numeric_limits<float>::infinity())
                          : exponent     ? std::ldexp(1024.0f + mantissa, exponent - 25)
                                         : std::ldexp(static_cast<float>(mantissa), -24);
  return x.bits & 0x8000 ? -magnitude : magnitude;
}

template <typename T>
struct Limits : std::numeric_limits<T> {};
template <>
struct Limits<Float16> {
  static constexpr int digits = 11, min_exponent = -13, max_exponent = 16;
};
template <>
struct Limits<BFloat16> {
  static constexpr int digits = 8, min_exponent = -125, max_exponent = 128;
};

// The distance to the exact result in units of the last place that the exact result has in
// number_t.
template <typename number_t, typename wide_t>
double error_in_ulp(number_t number, wide_t exact) {
  using limits = Limits<number_t>;
  const auto got = widened(number);
  if (std::isnan(exact) || std::isnan(got)) {
    return std::isnan(exact) && std::isnan(got) ? 0 : std::numeric_limits<double>::infinity();
  }
  // Behind the largest number the error counts from 2^max_exponent, as if the exponent went on.
  const wide_t overflow = std::ldexp(wide_t(1), limits::max_exponent);
  const auto finite = [&](wide_t y) {
    return std::isinf(y) || std::abs(y) > overflow ? std::copysign(overflow, y) : y;
  };
  exact = finite(exact);
  int exponent = 0;
  std::frexp(exact, &exponent);
  if (std::abs(exact) == overflow) exponent -= 1;
  const int lowest = limits::min_exponent;
  const int last = (exact == 0 || exponent < lowest ? lowest : exponent) - limits::digits;
  return static_cast<double>(std::abs(std::ldexp(finite(got) - exact, -last)));
}

// Rounded to nearest, ties to even, to a number with so many bits and the exponent range of T.
template <typename T>
std::uint16_t rounded_to_half(double x) {
  constexpr int digits = Limits<T>::digits;
  constexpr int bias = Limits<T>::max_exponent - 1;
  const std::uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const std::uint16_t infinity = static_cast<std::uint16_t>((2 * bias + 1) << (digits - 1));
  if (std::isnan(x)) return static_cast<std::uint16_t>(infinity | 1);
  if (std::isinf(x)) return sign | infinity;
  int exponent = 0;
  std::frexp(x, &exponent);
  const int last = (exponent < 2 - bias || x == 0 ? 2 - bias : exponent) - digits;
  // A mantissa that rounds up to the next power of two carries into the exponent, up to infinity.
  const double steps = std::nearbyint(std::ldexp(std::abs(x), -last));
  const int exponent_field = last + digits - 1 + bias - 1;
  return static_cast<std::uint16_t>(
      sign |
      std::min<long>((static_cast<long>(exponent_field) << (digits - 1)) + static_cast<long>(steps),
                     infinity));
}

// The instruction sets that this build has and this processor can run; baseline comes first.
inline std::vector<const cpu::KernelTable*> kernel_tables() {
  std::vector<const cpu::KernelTable*> tables{&cpu::kernels_baseline};
#if defined(__x86_64__) && !defined(TORCH_ELU_BASELINE_ONLY)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    tables.push_back(&cpu::kernels_avx2);
  }
#if defined(TORCH_ELU_SIMDE)  // the AVX-512 build is emulated: it runs anywhere
  tables.push_back(&cpu::kernels_avx512);
#else
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")) {
    tables.push_back(&cpu::kernels_avx512);
  }
#endif
#endif
  return tables;
}

}  // namespace torch_elu::reference

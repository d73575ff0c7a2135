// Looks for the largest errors of the kernels, counted from the coefficients as they were given;
// those of float32 against a double-precision reference of its own, several times as fast as the C
// library.
//
//   largest_errors full           SELU, alpha 1.673, 0.3, -0.7, CELU 0.3 and 3: every float in
//                                 [-128, -2^-30] / input_scale, every 61st elsewhere
//   largest_errors named N        fourteen sets of coefficients, every N-th float
//   largest_errors elu|celu|all N M   M random sets (log-uniform, fixed seed), every N-th float,
//                                 and where N is 61 every one in [-1, -0.17] / input_scale
//   largest_errors double N M     values in float64: N random numbers in [-1, -0.1] / input_scale
//                                 for M random sets of each kind
//
// "tiny" is where x or the result is smaller than bounds::Bound<float>::tiny.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>
#include <vector>

#include "math/bounds.h"
#include "math/coefficients.h"
#include "reference.h"

namespace torch_elu {
namespace {

constexpr int chunk = 4096;

struct Given {
  double alpha, scale, input_scale;
};

// exp(t) = power (1 + p), each to about 2^-51.
struct Exponential {
  double p, power;
};

inline Exponential exponential(double t) {
  constexpr double shift = 0x1.8p52;
  constexpr double inverse_factorials[] = {
      1. / 2,         1. / 6,           1. / 24,          1. / 120,     1. / 720,
      1. / 5040,      1. / 40320,       1. / 362880,      1. / 3628800, 1. / 39916800,
      1. / 479001600, 1. / 6227020800., 1. / 87178291200.};
  t = t < -200 ? -200 : t;
  const double shifted_n = t * 0x1.71547652b82fep0 + shift;
  const double n = shifted_n - shift;
  const double r = std::fma(n, -0x1.abc9e3b39803fp-56, std::fma(n, -0x1.62e42fefa39efp-1, t));
  double q = inverse_factorials[12];
  for (int i = 11; i >= 0; --i) q = std::fma(q, r, inverse_factorials[i]);
  const auto power = (std::bit_cast<std::uint64_t>(shifted_n) << 52) + 0x3ff0000000000000;
  return {std::fma(q * r, r, r), std::bit_cast<double>(power)};
}

// A float's last place at y.
inline double ulp(double y) {
  constexpr std::uint64_t smallest_normal = std::uint64_t{1023 - 126} << 52;
  const std::uint64_t exponent = std::bit_cast<std::uint64_t>(y) & 0x7ff0000000000000;
  return std::bit_cast<double>(std::max(exponent, smallest_normal) - (std::uint64_t{23} << 52));
}

struct Worst {
  double error = 0;
  double x = 0;
  Given given{};

  void see(double candidate, double at, const Given& of) {
    if (!(candidate <= error)) *this = {candidate, at, of};  // NaN is the worst
  }
};

struct Errors {
  Worst value, tiny, slope, linear;
};

struct Batch {
  float x[chunk], y[chunk], slope[chunk], ones[chunk];
  int n = 0;
};

void run(Batch& batch, const cpu::Kernels<float>& kernels,
         const Coefficients<float>& coefficients) {
  kernels.forward(batch.y, 1, batch.x, 1, batch.n, coefficients, cpu::Store::cached);
  kernels.backward_from_input(batch.slope, 1, batch.ones, 1, batch.x, 1, batch.n, coefficients,
                              cpu::Store::cached);
}

void see_linear(Errors& errors, const Batch& batch, const Given& given) {
  for (int i = 0; i < batch.n; ++i) {
    const double wanted = given.scale * static_cast<double>(batch.x[i]);
    if (std::abs(wanted) > 0x1p127 || batch.x[i] == 0) continue;
    errors.linear.see(std::abs(batch.y[i] - wanted) / ulp(wanted), batch.x[i], given);
    errors.linear.see(std::abs(batch.slope[i] - given.scale) / ulp(given.scale), batch.x[i], given);
  }
}

// The loops without branches are the ones that take time.
void see_exponential(Errors& errors, const Batch& batch, const Given& given) {
  static double wanted[chunk], of_value[chunk], of_slope[chunk];
  const double scaled_alpha = given.alpha * given.scale;
  const double at_zero = scaled_alpha * given.input_scale;
  for (int i = 0; i < batch.n; ++i) {
    const double product = static_cast<double>(batch.x[i]) * given.input_scale;
    const auto [p, power] = exponential(product < -1e4 ? -1e4 : product);
    wanted[i] = scaled_alpha * std::fma(p, power, power - 1);
    of_value[i] = std::abs(batch.y[i] - wanted[i]) / ulp(wanted[i]);
    const double slope = at_zero * std::fma(p, power, power);
    of_slope[i] = std::abs(batch.slope[i] - slope) / ulp(slope);
  }
  for (int i = 0; i < batch.n; ++i) {
    constexpr double tiny = bounds::Bound<float>::tiny;
    const bool is_tiny = std::abs(wanted[i]) < tiny || batch.x[i] > -tiny;
    (is_tiny ? errors.tiny : errors.value).see(of_value[i], batch.x[i], given);
    errors.slope.see(of_slope[i], batch.x[i], given);
  }
}

void look(Errors& errors, const Given& given, std::uint64_t every) {
  const auto& kernels = reference::kernel_tables().back()->float32;
  const Coefficients<float> coefficients(given.alpha, given.scale, given.input_scale);
  static Batch batch;
  std::fill(batch.ones, batch.ones + chunk, 1.0f);
  const auto each = [&](std::uint64_t from, std::uint64_t to, std::uint64_t step, auto see) {
    while (from <= to) {
      for (batch.n = 0; batch.n < chunk && from <= to; from += step) {
        batch.x[batch.n++] = std::bit_cast<float>(static_cast<std::uint32_t>(from));
      }
      run(batch, kernels, coefficients);
      see(errors, batch, given);
    }
  };
  const auto bits = [](double x) { return std::bit_cast<std::uint32_t>(static_cast<float>(x)); };
  const auto near = bits(-0x1p-30 / given.input_scale), far = bits(-128 / given.input_scale);
  // Where n = 0 or -1 ends and the largest errors of the values lie.
  const auto from = bits(-0.17 / given.input_scale), to = bits(-1 / given.input_scale);
  const std::uint64_t sparse = std::max<std::uint64_t>(every, 61);
  each(0, 0x7f800000, std::max<std::uint64_t>(every, 997), see_linear);
  each(0x80000000, near - 1, sparse, see_exponential);
  each(near, from - 1, every, see_exponential);
  each(from, to, every == 61 ? 1 : every, see_exponential);
  each(to + 1, far, every, see_exponential);
  each(far + 1, 0xff800000, sparse, see_exponential);
}

std::vector<Given> random_sets(std::string_view kind, long count) {
  std::mt19937_64 random(23);
  const auto power_of_two = [&](double low, double high) {
    const double unit = std::ldexp(static_cast<double>(random() >> 11), -53);
    return std::exp2(low + (high - low) * unit);
  };
  std::vector<Given> sets;
  for (long i = 0; i < count; ++i) {
    Given given{power_of_two(-16, 16), 1, 1};
    if (random() & 1) given.alpha = -given.alpha;
    if (kind == "celu") {
      given.alpha = std::abs(given.alpha);
      given.input_scale = 1 / given.alpha;
    } else if (kind == "all") {
      given.scale = power_of_two(-4, 4);
      given.input_scale = power_of_two(-8, 8);
    }
    sets.push_back(given);
  }
  return sets;
}

std::vector<Given> sets_of(std::string_view kind, long count) {
  const Given selu{bounds::selu_alpha, bounds::selu_scale, 1};
  if (kind == "full")
    return {selu, {1.673, 1, 1}, {.3, 1, 1}, {-.7, 1, 1}, {.3, 1, 1 / .3}, {3, 1, 1 / 3.}};
  if (kind != "named") return random_sets(kind, count);
  return {{1, 1, 1},      selu,          {1.673, 1, 1}, {.3, 1, 1},  {.3, 1, 1 / .3},
          {7, 1, 1},      {.1, 1, 1},    {10, 1, 1},    {-.7, 1, 1}, {1.1, 1, 1},
          {3, 1, 1 / 3.}, {.01, 1, 100}, {10, 1, .1},   {2, 1, .5}};
}

void print(const char* what, const Worst& worst) {
  std::printf("%s %.4f alpha %a scale %a input_scale %a x %a\n", what, worst.error,
              worst.given.alpha, worst.given.scale, worst.given.input_scale, worst.x);
}

void look_in_double(const char* kind, std::uint64_t numbers, long count) {
  const auto& kernels = reference::kernel_tables().back()->float64;
  std::mt19937_64 random(23);
  std::uniform_real_distribution<double> within(-1, -0.1);
  static double x[chunk], y[chunk];
  Worst worst;
  for (const Given& given : random_sets(kind, count)) {
    const Coefficients<double> coefficients(given.alpha, given.scale, given.input_scale);
    const reference::Exact<long double> exact({"", given.alpha, given.scale, given.input_scale});
    for (std::uint64_t done = 0; done < numbers; done += chunk) {
      for (double& each : x) each = within(random) / given.input_scale;
      kernels.forward(y, 1, x, 1, chunk, coefficients, cpu::Store::cached);
      for (int i = 0; i < chunk; ++i) {
        worst.see(reference::error_in_ulp(y[i], exact.value(x[i])), x[i], given);
      }
    }
  }
  print(kind, worst);
}

}  // namespace
}  // namespace torch_elu

int main(int count, char** arguments) {
  using namespace torch_elu;
  const std::string_view kind = count > 1 ? arguments[1] : "full";
  const auto every = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 1;
  const long sets = count > 3 ? std::strtol(arguments[3], nullptr, 10) : 100;
  if (kind == "double") {
    for (const char* each : {"elu", "celu", "all"}) look_in_double(each, every, sets);
    return 0;
  }
  Errors worst;
  for (const Given& given : sets_of(kind, sets)) {
    Errors errors;
    look(errors, given, every);
    std::printf("%-22.17g %-20.17g %-20.17g value %.4f tiny %.4f slope %.4f x > 0 %.4f\n",
                given.alpha, given.scale, given.input_scale, errors.value.error, errors.tiny.error,
                errors.slope.error, errors.linear.error);
    std::fflush(stdout);
    for (const auto part : {&Errors::value, &Errors::tiny, &Errors::slope, &Errors::linear}) {
      const Worst& found = errors.*part;
      (worst.*part).see(found.error, found.x, found.given);
    }
  }
  print("value", worst.value);
  print("tiny ", worst.tiny);
  print("slope", worst.slope);
  print("x > 0", worst.linear);
}

// The largest errors over all inputs: the 2^32 floats, both times 2^16 halves, and four million
// doubles. Fails where a limit is exceeded; at alpha 1 halves are to be rounded correctly.
//
//   exhaustive [--every n] [--threads n]
//
// --every n: only each n-th float, and a tenth of the doubles, from 1000 on a hundredth: an
// emulator computes their reference in software. Coefficients other than 1 get every 7th of those
// floats.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>
#include <thread>
#include <type_traits>

#include "math/formula.h"
#include "reference.h"

namespace torch_elu {
namespace {

using reference::Parameters;

struct Worst {
  double error = 0;
  double at = 0;
  void see(double candidate, double x) {
    if (candidate <= error) return;
    error = candidate;
    at = x;
  }
};

struct Errors {
  Worst value, slope;
  double part_of_bound = 0;  // the largest error, divided by what math/bounds.h allows there
  void see(const Errors& other) {
    value.see(other.value.error, other.value.at);
    slope.see(other.slope.error, other.slope.at);
    part_of_bound = std::max(part_of_bound, other.part_of_bound);
  }
};

constexpr std::ptrdiff_t chunk = 4096;

template <typename T>
struct Batch {
  T x[chunk], y[chunk], slope[chunk], ones[chunk];

  explicit Batch(T one) { std::fill(ones, ones + chunk, one); }

  void run(const cpu::Kernels<T>& kernels, const Parameters& p, std::ptrdiff_t n) {
    const Coefficients<T> coefficients(p.alpha, p.scale, p.input_scale);
    if (p.plus_one) {
      kernels.plus_one(y, 1, x, 1, n, coefficients, cpu::Store::cached);
      kernels.plus_one_backward(slope, 1, ones, 1, y, 1, n, coefficients, cpu::Store::cached);
    } else {
      kernels.forward(y, 1, x, 1, n, coefficients, cpu::Store::cached);
      kernels.backward_from_input(slope, 1, ones, 1, x, 1, n, coefficients, cpu::Store::cached);
    }
  }
};

template <typename T, typename wide_t>
void see(Errors& errors, const Batch<T>& batch, std::ptrdiff_t n, const Parameters& p) {
  const reference::Exact<wide_t> exact(p);
  const Coefficients<T> coefficients(p.alpha, p.scale, p.input_scale);
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    const auto at = static_cast<double>(batch.x[i]);
    const wide_t wanted = exact.value(batch.x[i]);
    const double of_value = reference::error_in_ulp(batch.y[i], wanted);
    const double of_slope = reference::error_in_ulp(batch.slope[i], exact.slope(batch.x[i]));
    const double allowed = reference::bound_of_value(coefficients, at, static_cast<double>(wanted));
    errors.see({{of_value, at},
                {of_slope, at},
                std::max(of_value / allowed, of_slope / reference::bound_of_slope(coefficients))});
  }
}

// Floats by their bits: start, start + step, ...
Errors float_errors(const cpu::Kernels<float>& kernels, const Parameters& p, std::uint64_t start,
                    std::uint64_t step) {
  Batch<float> batch(1);
  Errors errors;
  for (std::uint64_t bits = start; bits < std::uint64_t{1} << 32;) {
    std::ptrdiff_t n = 0;
    for (; n < chunk && bits < std::uint64_t{1} << 32; bits += step) {
      batch.x[n++] = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    }
    batch.run(kernels, p, n);
    see<float, double>(errors, batch, n, p);
  }
  return errors;
}

Errors float_errors_threaded(const cpu::Kernels<float>& kernels, const Parameters& p,
                             std::uint64_t every, unsigned threads) {
  std::vector<Errors> errors(threads);
  std::vector<std::thread> running;
  for (unsigned i = 0; i < threads; ++i) {
    running.emplace_back(
        [&, i] { errors[i] = float_errors(kernels, p, i * every, threads * every); });
  }
  for (auto& thread : running) thread.join();
  for (const auto& more : errors) errors[0].see(more);
  return errors[0];
}

Errors double_errors(const cpu::Kernels<double>& kernels, const Parameters& p, int batches) {
  Batch<double> batch(1);
  Errors errors;
  std::mt19937_64 random(2015);
  std::uniform_real_distribution<double> exponent(-60, 10), near(-40, 1), far(-780, 0);
  for (int i = 0; i < batches; ++i) {
    for (double& x : batch.x) {
      const std::uint64_t kind = random() % 8;
      x = kind == 0   ? std::bit_cast<double>(random())
          : kind < 3  ? -std::exp2(exponent(random))
          : kind == 3 ? far(random) / p.input_scale
          : kind == 4 ? -std::abs(near(random)) * 0x1p-4 / p.input_scale
                      : near(random) / p.input_scale;
    }
    batch.run(kernels, p, chunk);
    see<double, long double>(errors, batch, chunk, p);
  }
  return errors;
}

// How many of the 65,536 inputs give another half than the exact result rounded once, and by how
// much the result is off at most.
struct HalfErrors {
  int values = 0, slopes = 0;
  Worst worst;
};

template <typename T>
HalfErrors half_errors(const cpu::Kernels<T>& kernels, const Parameters& p) {
  const reference::Exact<double> exact(p);
  constexpr std::uint16_t one = std::is_same_v<T, Float16> ? 0x3c00 : 0x3f80;
  Batch<T> batch(T{one});
  HalfErrors errors;
  const auto differ = [&](T got, double wanted, double x) {
    errors.worst.see(reference::error_in_ulp(got, wanted), x);
    if (std::isnan(wanted)) return !std::isnan(reference::widened(got));
    return got.bits != reference::rounded_to_half<T>(wanted);
  };
  for (int start = 0; start < 65536; start += chunk) {
    for (int i = 0; i < chunk; ++i) batch.x[i].bits = static_cast<std::uint16_t>(start + i);
    batch.run(kernels, p, chunk);
    for (int i = 0; i < chunk; ++i) {
      const double x = reference::widened(batch.x[i]);
      errors.values += differ(batch.y[i], exact.value(x), x);
      errors.slopes += differ(batch.slope[i], exact.slope(x), x);
    }
  }
  return errors;
}

template <typename T>
bool report_halves(const char* table, const char* type, const Parameters& p,
                   const cpu::Kernels<T>& kernels) {
  const HalfErrors e = half_errors(kernels, p);
  // A wrong one is next to a tie.
  const double limit = std::is_same_v<T, Float16> ? 0.501 : 0.506;
  const bool good = p.is_unit() ? e.values + e.slopes == 0 : e.worst.error <= limit;
  std::printf("%-9s%-9s%-28s wrongly rounded: %3d values, %d slopes; %6.4f ulp at %-13.7g%s\n",
              table, type, p.name.c_str(), e.values, e.slopes, e.worst.error, e.worst.at,
              good ? "" : "  TOO MUCH");
  return good;
}

bool report(const char* table, const char* type, const Parameters& p, const Errors& e) {
  const bool good = e.part_of_bound <= 1;
  std::printf("%-9s%-8s%-28s value %6.4f ulp at %-13.7g slope %6.4f at %-13.7g%s\n", table, type,
              p.name.c_str(), e.value.error, e.value.at, e.slope.error, e.slope.at,
              good ? "" : "  TOO MUCH");
  std::fflush(stdout);
  return good;
}

// CUDA computes by rounded_value and rounded_slope where the coefficients are 1.
bool unit_is_rounded(std::uint64_t every) {
  const Coefficients<float> unit(1, 1, 1);
  std::uint64_t differences = 0;
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += every) {
    const auto x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (std::isnan(x)) continue;
    const auto differ = [](float a, float b) {
      return std::bit_cast<std::uint32_t>(a) != std::bit_cast<std::uint32_t>(b);
    };
    differences += differ(unit_value(x, unit), rounded_value(x, unit)) ||
                   differ(unit_slope(x, unit), rounded_slope(x, unit));
  }
  std::printf("float32 with all coefficients 1, by CUDA's way: %llu other bits%s\n",
              static_cast<unsigned long long>(differences), differences ? "  TOO MANY" : "");
  return differences == 0;
}

bool run(std::uint64_t every, unsigned threads) {
  bool good = unit_is_rounded(every);
  const cpu::KernelTable& table = *reference::kernel_tables().back();
  const auto halves = [] {
    auto list = reference::parameters();
    list.insert(list.begin() + 1, reference::plus_one);
    return list;
  }();
  const auto all = [&] {
    auto list = halves;
    for (const auto& more : reference::general_parameters()) list.push_back(more);
    return list;
  }();
  for (const auto& p : all) {
    const std::uint64_t step = p.is_unit() ? every : every * 7;
    good &=
        report(table.name, "float32", p, float_errors_threaded(table.float32, p, step, threads));
  }
  const int batches = every == 1 ? 1000 : every < 1000 ? 100 : 10;
  for (const auto& p : all) {
    good &= report(table.name, "float64", p, double_errors(table.float64, p, batches));
  }
  for (const auto* each : reference::kernel_tables()) {
    for (const auto& p : halves) {
      good &= report_halves(each->name, "float16", p, each->float16);
      good &= report_halves(each->name, "bfloat16", p, each->bfloat16);
    }
  }
  std::puts(good ? "within the limits" : "LIMITS EXCEEDED");
  return good;
}

}  // namespace
}  // namespace torch_elu

int main(int count, char** arguments) {
  std::uint64_t every = 1;
  unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view option = arguments[i];
    const auto number = std::strtoul(arguments[i + 1], nullptr, 10);
    if (option == "--every") every = std::max(1ul, number);
    if (option == "--threads") threads = static_cast<unsigned>(std::max(1ul, number));
  }
  return torch_elu::run(every, threads) ? 0 : 1;
}

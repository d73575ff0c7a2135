// The kernels for an alpha that is a tensor: those of columns.h, and of runs that have one alpha,
// where the gradients of self and of alpha take one pass. For kernels.cpp, as map.h is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/cpu/columns.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/map.h"
#include "kernels/cpu/terms.h"
#include "math/parametric.h"

namespace torch_elu::cpu {
namespace {

inline constexpr bool streams_here = simd::streams && fuses;

// In an order of its own, whatever the length of a vector: the same bits from each instruction set.
// Sums of eight terms, which lie 16 apart, are made in the type of the computation.
template <typename number_t>
class OrderedSum {
 public:
  TORCH_ELU_INLINE void add(const number_t* terms, std::ptrdiff_t n) {
    std::ptrdiff_t i = 0;
    while (i < n) {
      if (next_ == 0 && n - i >= at_once) {
        for (int part = 0; part < width; ++part) {
          number_t sum = terms[i + part];
          for (int more = width; more < at_once; more += width) sum += terms[i + part + more];
          parts_[part] += static_cast<double>(sum);
        }
        i += at_once;
      } else if (next_ % width == 0 && n - i >= width) {
        for (int part = 0; part < width; ++part) sums_[part] += terms[i + part];
        i += width;
        next_ += width;
      } else {
        sums_[next_++ % width] += terms[i++];
      }
      if (next_ == at_once) move();
    }
  }

  TORCH_ELU_INLINE double total() {
    move();
    double total = 0;
    for (const double part : parts_) total += part;
    return total;
  }

 private:
  static constexpr int width = 16, at_once = 8 * width;

  TORCH_ELU_INLINE void move() {
    for (int part = 0; part < width; ++part) {
      parts_[part] += static_cast<double>(sums_[part]);
      sums_[part] = 0;
    }
    next_ = 0;
  }

  double parts_[width] = {};
  number_t sums_[width] = {};
  int next_ = 0;
};

template <typename Lanes, bool streaming, bool has_divisor, typename Function, typename T>
// cppcheck-suppress passedByValue ; stores do not change a copy
__attribute__((noinline)) void gradients_contiguous(const Function function, Terms<T> to,
                                                    std::ptrdiff_t n, const T* grad_output,
                                                    const T* self) {
  std::ptrdiff_t done = 0;
  if constexpr (fuses && Lanes::in_step > 1) {  // of more, the terms take the registers
    using Several = InStep<Lanes, 2>;
    TORCH_ELU_INDEPENDENT
    for (; done + Several::count <= n; done += Several::count) {
      do_gradients<Several, InStep<Numbers<T, Lanes>, 2>, streaming, has_divisor>(
          function, to + done, grad_output + done, self + done);
    }
  }
  TORCH_ELU_INDEPENDENT
  for (; done + Lanes::count <= n; done += Lanes::count) {
    do_gradients<Lanes, Numbers<T, Lanes>, streaming, has_divisor>(function, to + done,
                                                                   grad_output + done, self + done);
  }
  if (done < n) {
    gradients_few<Lanes, has_divisor>(function, to + done, n - done, grad_output + done,
                                      self + done);
  }
}

// In blocks whose terms stay in the first cache: take(by_alpha, slope_times_x, n). Where it
// streams, with whole vectors at aligned addresses.
template <typename Lanes, bool has_divisor, typename Function, typename T, typename Take>
TORCH_ELU_INLINE void for_each_block(const Function& function, T* grad_input, const T* grad_output,
                                     const T* self, std::ptrdiff_t n, Store store,
                                     const Take& take) {
  // Aligned: vectors across two cache lines make it up to 1.4 times as slow, by the luck of the
  // stack.
  alignas(64) opmath_t<T> by_alpha[block];
  alignas(64) opmath_t<T> slope_times_x[block];
  const auto address = reinterpret_cast<std::uintptr_t>(grad_input);
  constexpr std::uintptr_t bytes = Lanes::count * sizeof(T);
  const bool streams = streams_here && store != Store::cached && address % sizeof(T) == 0;
  std::ptrdiff_t count = block;
  if (streams && address % bytes != 0) {
    count = static_cast<std::ptrdiff_t>((bytes - address % bytes) / sizeof(T));
  }
  for (std::ptrdiff_t start = 0; start < n; start += count, count = block) {
    if (n - start < count) count = n - start;
    const Terms<T> to{grad_input + start, by_alpha, slope_times_x};
    if (streams) {
      gradients_contiguous<Lanes, streams_here, has_divisor>(function, to, count,
                                                             grad_output + start, self + start);
    } else {
      gradients_contiguous<Lanes, false, has_divisor>(function, to, count, grad_output + start,
                                                      self + start);
    }
    take(by_alpha, slope_times_x, count);
  }
  if (streams && store == Store::streaming) simd::finish_streaming();
}

template <typename T>
struct ParametricEntryPoints {
  using number_t = opmath_t<T>;
  using Coefficients = torch_elu::Coefficients<T>;
  using Lanes = simd::Lanes<T>;
  using Own = OwnCoefficients<T>;

  static void value_of_columns(T* out, const T* self, std::ptrdiff_t stride, std::ptrdiff_t rows,
                               std::ptrdiff_t n, const OfColumns<T>& coefficients, Store store) {
    const bool streams = can_stream(out, stride, rows, store);
    const auto run = [&](const auto& columns) {
      if (streams) {
        cpu::value_of_columns<Lanes, streams_here>(columns, out, self, stride, rows, n);
      } else {
        cpu::value_of_columns<Lanes, false>(columns, out, self, stride, rows, n);
      }
    };
    if (coefficients.own == nullptr) {
      run(OwnAlphas<T, UnscaledValue>{*coefficients.one, coefficients.alpha});
    } else if (!has_shorter_values<T> || coefficients.own_is_scaled) {
      run(columns<ScaledValue>(coefficients.own));
    } else if constexpr (has_shorter_values<T>) {
      run(columns<ValueOf>(coefficients.own));
    }
    if (streams && store == Store::streaming) simd::finish_streaming();
  }

  static void gradients_of_columns(T* grad_input, const T* grad_output, const T* self,
                                   std::ptrdiff_t stride, std::ptrdiff_t rows, std::ptrdiff_t n,
                                   const OfColumns<T>& coefficients, Store store, double* by_alpha,
                                   double* slope_times_x) {
    const bool streams = can_stream(grad_input, stride, rows, store);
    const auto run = [&](const auto& columns, auto has_divisor) {
      const auto go = [&](auto streaming) {
        cpu::gradients_of_columns<Lanes, decltype(streaming)::value, decltype(has_divisor)::value>(
            columns, grad_input, grad_output, self, stride, rows, n, by_alpha, slope_times_x);
      };
      streams ? go(std::bool_constant<streams_here>{}) : go(std::false_type{});
    };
    const auto run_one = [&](const auto& function) {
      const OneForAll<std::decay_t<decltype(function)>> columns{function};
      slope_times_x != nullptr ? run(columns, std::true_type{}) : run(columns, std::false_type{});
    };
    if (coefficients.own != nullptr) {
      run(columns<GradientsOf>(coefficients.own), std::true_type{});
    } else if (coefficients.alpha != nullptr) {
      run(OwnAlphas<T, GradientsOf>{*coefficients.one, coefficients.alpha}, std::false_type{});
    } else {
      with_gradients_of(*coefficients.one, run_one);
    }
    if (streams && store == Store::streaming) simd::finish_streaming();
  }

  static GradientSums gradients_of_run(T* grad_input, const T* grad_output, const T* self,
                                       std::ptrdiff_t n, const Coefficients& coefficients,
                                       bool has_divisor, Store store) {
    OrderedSum<number_t> by_alpha, slope_times_x;
    with_gradients_of(coefficients, [&](const auto& function) {
      if (has_divisor) {
        for_each_block<Lanes, true>(
            function, grad_input, grad_output, self, n, store,
            [&](const number_t* of_alpha, const number_t* of_divisor, std::ptrdiff_t count) {
              by_alpha.add(of_alpha, count);
              slope_times_x.add(of_divisor, count);
            });
      } else {
        for_each_block<Lanes, false>(function, grad_input, grad_output, self, n, store,
                                     [&](const number_t* of_alpha, const number_t* /*none*/,
                                         std::ptrdiff_t count) { by_alpha.add(of_alpha, count); });
      }
    });
    return {by_alpha.total(), slope_times_x.total()};
  }

 private:
  template <template <typename> typename Function>
  static auto columns(const void* own) {
    using Columns = typename Own::template Columns<Function>;
    return Columns{static_cast<const typename Own::Group*>(own)};
  }

  // Whether every row starts at an address for whole vectors.
  static bool can_stream(const T* out, std::ptrdiff_t stride, std::ptrdiff_t rows, Store store) {
    constexpr std::ptrdiff_t bytes = Lanes::count * std::ptrdiff_t{sizeof(T)};
    return streams_here && store != Store::cached &&
           reinterpret_cast<std::uintptr_t>(out) % bytes == 0 &&
           (rows == 1 || stride * std::ptrdiff_t{sizeof(T)} % bytes == 0);
  }

  // f(function) with the one that has the bits of a number's gradient.
  template <typename F>
  TORCH_ELU_INLINE static void with_gradients_of(const Coefficients& coefficients, const F& f) {
    if (coefficients.is_unit) {
      f(UnitGradients<T>{coefficients});
    } else if (coefficients.takes_general_path) {
      f(GeneralGradients<T>(coefficients));
    } else {
      f(GradientsOf<Coefficients>{coefficients});
    }
  }
};

}  // namespace
}  // namespace torch_elu::cpu

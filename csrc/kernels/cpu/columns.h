// Rows whose columns have coefficients of their own: the value, and the gradients of self and of
// alpha in one pass. For kernels.cpp, as map.h is.
#pragma once

#include <cstddef>
#include <type_traits>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/map.h"
#include "kernels/cpu/terms.h"
#include "math/functions.h"
#include "math/parametric.h"

namespace torch_elu::cpu {
namespace {

// What a row of columns applies to its elements from column i on: at(i) to a vector of them, and
// last(i, n) to fewer.
template <typename Function>
struct OneForAll {
  Function function;
  TORCH_ELU_INLINE const Function& at(std::ptrdiff_t /*i*/) const { return function; }
  TORCH_ELU_INLINE const Function& last(std::ptrdiff_t /*i*/, std::ptrdiff_t /*n*/) const {
    return function;
  }
};

template <typename T, template <typename> typename Function>
struct OwnAlphas {
  using Numbers = torch_elu::cpu::Numbers<T, simd::Lanes<T>>;
  using number_t = opmath_t<T>;

  Coefficients<T> of_any_alpha;
  const number_t* alpha;

  TORCH_ELU_INLINE auto at(std::ptrdiff_t i) const { return with(alpha + i); }
  TORCH_ELU_INLINE auto last(std::ptrdiff_t i, std::ptrdiff_t n) const {
    return with(Padded<number_t, Numbers::count>(alpha + i, n).data);
  }

 private:
  TORCH_ELU_INLINE auto with(const number_t* from) const {
    using Coefficients = CoefficientsOfAlphas<T, typename Numbers::V>;
    return Function<Coefficients>{Coefficients(of_any_alpha, Numbers::load(from))};
  }
};

// In memory groups of as many columns as a vector has lanes; in each, number after number.
template <typename T>
struct OwnCoefficients {
  using Numbers = torch_elu::cpu::Numbers<T, simd::Lanes<T>>;
  using number_t = opmath_t<T>;
  using Plain = ColumnCoefficients<T, typename Numbers::V>;
  // An odd number of vectors: with 32, those of floats, all groups lie in the same lines of the
  // first cache, and CELU, channels last, took 1.2 times as long.
  struct Group : Plain {
    typename Numbers::V spacing[1 + sizeof(Plain) / sizeof(typename Numbers::V) % 2];
  };

  static void write(const Coefficients<T>& coefficients, std::ptrdiff_t column, void* own) {
    const ColumnCoefficients<T, number_t> one(coefficients);
    constexpr std::ptrdiff_t numbers = sizeof one / sizeof(number_t), count = Numbers::count;
    static_assert(sizeof(Plain) == sizeof one * count);
    const auto* from = reinterpret_cast<const char*>(&one);
    auto* to = static_cast<char*>(own) + column / count * std::ptrdiff_t{sizeof(Group)};
    to += Numbers::lane(column % count) * std::ptrdiff_t{sizeof(number_t)};
    for (std::ptrdiff_t i = 0; i < numbers; ++i) {
      __builtin_memcpy(to + i * count * std::ptrdiff_t{sizeof(number_t)},
                       from + i * std::ptrdiff_t{sizeof(number_t)}, sizeof(number_t));
    }
  }

  template <template <typename> typename Function>
  struct Columns {
    const Group* groups;
    TORCH_ELU_INLINE auto at(std::ptrdiff_t i) const {
      return Function<const Group&>{groups[i / Numbers::count]};
    }
    TORCH_ELU_INLINE auto last(std::ptrdiff_t i, std::ptrdiff_t /*n*/) const { return at(i); }
  };
};

// The coefficients are so many streams that the processor's prefetcher loses that of the rows:
// CELU's backward takes 0.70 ns an element in place of 0.80.
template <typename T>
TORCH_ELU_INLINE void prefetch_rows_behind(const T* from, std::ptrdiff_t stride) {
  __builtin_prefetch(from + 2 * stride);
}

// Row by row, in the order of memory: with two in step ELU's value took 1.8 times as long.
template <typename Lanes, bool streaming, typename Columns, typename T>
__attribute__((noinline)) void value_of_columns(const Columns columns, T* out, const T* self,
                                                std::ptrdiff_t stride, std::ptrdiff_t rows,
                                                std::ptrdiff_t n) {
  for (std::ptrdiff_t row = 0; row < rows; ++row, out += stride, self += stride) {
    std::ptrdiff_t i = 0;
    TORCH_ELU_INDEPENDENT
    for (; i + Lanes::count <= n; i += Lanes::count) {
      prefetch_rows_behind(self + i, stride);
      write<Lanes, streaming>(out + i, columns.at(i)(Lanes::load(self + i)));
    }
    if (i < n) map_few<Lanes>(columns.last(i, n - i), out + i, n - i, self + i);
  }
}

template <typename number_t>
TORCH_ELU_INLINE void move_sums(double* to, number_t* from, std::ptrdiff_t n) {
  TORCH_ELU_INDEPENDENT
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    to[i] += static_cast<double>(from[i]);
    from[i] = 0;
  }
}

template <typename Lanes, bool streaming, bool has_divisor, typename Columns, typename T>
__attribute__((noinline)) void gradients_of_columns(const Columns columns, T* grad_input,
                                                    const T* grad_output, const T* self,
                                                    std::ptrdiff_t stride, std::ptrdiff_t rows,
                                                    std::ptrdiff_t n, double* by_alpha,
                                                    double* slope_times_x) {
  using Numbers = torch_elu::cpu::Numbers<T, Lanes>;
  constexpr int count = Lanes::count;
  alignas(64) opmath_t<T> of_alpha[most_columns] = {};
  alignas(64) opmath_t<T> of_divisor[has_divisor ? most_columns : 1] = {};
  const auto add = [](opmath_t<T>* sums, auto terms) {
    Numbers::store(sums, Numbers::load(sums) + terms);
  };
  for (std::ptrdiff_t row = 0; row < rows; ++row) {
    std::ptrdiff_t i = 0;
    TORCH_ELU_INDEPENDENT
    for (; i + count <= n; i += count) {
      prefetch_rows_behind(grad_output + i, stride);
      prefetch_rows_behind(self + i, stride);
      columns.at(i)(Lanes::load(grad_output + i), Lanes::load(self + i),
                    [&](auto by_self, auto by_alpha, auto slope_times_x) {
                      write<Lanes, streaming>(grad_input + i, by_self);
                      add(of_alpha + i, by_alpha);
                      if constexpr (has_divisor) add(of_divisor + i, slope_times_x);
                    });
    }
    if (i < n) {
      opmath_t<T> alpha_terms[count], divisor_terms[count];
      gradients_few<Lanes, has_divisor>(columns.last(i, n - i),
                                        Terms<T>{grad_input + i, alpha_terms, divisor_terms}, n - i,
                                        grad_output + i, self + i);
      for (std::ptrdiff_t j = 0; i + j < n; ++j) {
        of_alpha[i + j] += alpha_terms[j];
        if constexpr (has_divisor) of_divisor[i + j] += divisor_terms[j];
      }
    }
    // Sums of so many rows are made in the type of the computation, and added in double: where each
    // row is, CELU's backward takes 0.73 ns an element in place of 0.60.
    constexpr int rows_of_sum = 8;
    if (row % rows_of_sum == rows_of_sum - 1 || row == rows - 1) {
      move_sums(by_alpha, of_alpha, n);
      if constexpr (has_divisor) move_sums(slope_times_x, of_divisor, n);
    }
    grad_input += stride;
    grad_output += stride;
    self += stride;
  }
}

}  // namespace
}  // namespace torch_elu::cpu

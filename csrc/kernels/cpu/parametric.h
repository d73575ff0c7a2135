// The kernels for an alpha that is a tensor: the value where every element has its own, and the
// gradients of self and of alpha in one pass. For kernels.cpp, as map.h is.
#pragma once

#include <type_traits>
#include <utility>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/map.h"
#include "math/parametric.h"

namespace torch_elu::cpu {
namespace {

template <typename V>
struct IsPair : std::false_type {};
template <typename V>
struct IsPair<Pair<V>> : std::true_type {};

constexpr bool streams_here = simd::streams && fuses;

// Of two vectors the elements with an even number, and those with an odd one.
template <typename R, std::size_t... i>
TORCH_ELU_INLINE std::pair<R, R> apart(R a, R b, std::index_sequence<i...>) {
  return {__builtin_shufflevector(a, b, 2 * i...), __builtin_shufflevector(a, b, 2 * i + 1 ...)};
}
// And the way back.
template <typename R, std::size_t... i>
TORCH_ELU_INLINE std::pair<R, R> together(R even, R odd, std::index_sequence<i...>) {
  constexpr std::size_t count = sizeof...(i);
  return {__builtin_shufflevector(even, odd, i / 2 + i % 2 * count...),
          __builtin_shufflevector(even, odd, (i + count) / 2 + i % 2 * count...)};
}

// Numbers in memory, as the vectors that Lanes makes of as many elements of type T.
template <typename T, typename Lanes>
struct Numbers {
  using number_t = opmath_t<T>;
  using V = decltype(Lanes::load(static_cast<const T*>(nullptr)));
  static constexpr int count = Lanes::count;
  static constexpr bool alternates = std::is_same_v<T, BFloat16>;  // see BFloat16Lanes

  TORCH_ELU_INLINE static V load(const number_t* from) {
    if constexpr (IsPair<V>::value) {
      using Half = decltype(V::first);
      V x{load_one<Half>(from), load_one<Half>(from + Half::count)};
      if constexpr (alternates) {
        const auto [even, odd] =
            apart(x.first.v, x.second.v, std::make_index_sequence<Half::count>());
        return V{Half(even), Half(odd)};
      }
      return x;
    } else {
      return load_one<V>(from);
    }
  }

  TORCH_ELU_INLINE static void store(number_t* to, V x) {
    if constexpr (IsPair<V>::value) {
      using Half = decltype(V::first);
      if constexpr (alternates) {
        const auto [low, high] =
            together(x.first.v, x.second.v, std::make_index_sequence<Half::count>());
        x = V{Half(low), Half(high)};
      }
      __builtin_memcpy(to, &x.first.v, sizeof x.first.v);
      __builtin_memcpy(to + Half::count, &x.second.v, sizeof x.second.v);
    } else if constexpr (std::is_floating_point_v<V>) {
      *to = x;
    } else {
      __builtin_memcpy(to, &x.v, sizeof x.v);
    }
  }

 private:
  template <typename One>
  TORCH_ELU_INLINE static One load_one(const number_t* from) {
    if constexpr (std::is_floating_point_v<One>) {
      return *from;
    } else {
      typename One::Register v;
      __builtin_memcpy(&v, from, sizeof v);
      return v;
    }
  }
};

template <typename T, int count>
struct Padded {
  T data[count] = {};
  Padded(const T* from, std::ptrdiff_t n) {
    for (std::ptrdiff_t i = 0; i < n; ++i) data[i] = scalar::read(from + i);
  }
};

// Where the gradients of a run go.
template <typename T>
struct Terms {
  T* grad_input;
  opmath_t<T>*by_alpha, *slope_times_x;  // to be summed

  TORCH_ELU_INLINE Terms operator+(std::ptrdiff_t n) const {
    return {grad_input + n, by_alpha + n, slope_times_x + n};
  }
};

// In an order of its own, whatever the length of a vector: the same bits from each instruction set.
class OrderedSum {
 public:
  template <typename number_t>
  TORCH_ELU_INLINE void add(const number_t* terms, std::ptrdiff_t n) {
    std::ptrdiff_t i = 0;
    for (; i < n && next_ != 0; ++i) add_one(terms[i]);
    for (; i + width <= n; i += width) {
      for (int part = 0; part < width; ++part) parts_[part] += static_cast<double>(terms[i + part]);
    }
    for (; i < n; ++i) add_one(terms[i]);
  }

  TORCH_ELU_INLINE double total() const {
    double total = 0;
    for (const double part : parts_) total += part;
    return total;
  }

 private:
  static constexpr int width = 16;

  TORCH_ELU_INLINE void add_one(double term) {
    parts_[next_] += term;
    next_ = (next_ + 1) % width;
  }

  double parts_[width] = {};
  int next_ = 0;
};

// One group of lanes. `alpha`: none, or where those of the elements are.
template <typename Group, typename GroupNumbers, bool streaming, bool has_divisor,
          typename Function, typename T, typename... Alpha>
TORCH_ELU_INLINE void do_gradients(const Function& function, const Terms<T>& to,
                                   const T* grad_output, const T* self, const Alpha*... alpha) {
  const auto result =
      function(Group::load(grad_output), Group::load(self), GroupNumbers::load(alpha)...);
  write<Group, streaming>(to.grad_input, result.self);
  GroupNumbers::store(to.by_alpha, result.alpha);
  if constexpr (has_divisor) GroupNumbers::store(to.slope_times_x, result.slope_times_x);
}

// Fewer elements than a vector has. Not inlined, as map_few.
template <typename Lanes, bool has_divisor, typename Function, typename T, typename... Alpha>
__attribute__((noinline)) void gradients_few(const Function& function, Terms<T> to,
                                             std::ptrdiff_t n, const T* grad_output, const T* self,
                                             const Alpha*... alpha) {
  constexpr int count = Lanes::count;
  T grad_input[count];
  opmath_t<T> by_alpha[count], slope_times_x[count];
  do_gradients<Lanes, Numbers<T, Lanes>, false, has_divisor>(
      function, Terms<T>{grad_input, by_alpha, slope_times_x},
      Padded<T, count>(grad_output, n).data, Padded<T, count>(self, n).data,
      Padded<Alpha, count>(alpha, n).data...);
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    scalar::write(to.grad_input + i, grad_input[i]);
    to.by_alpha[i] = by_alpha[i];
    if constexpr (has_divisor) to.slope_times_x[i] = slope_times_x[i];
  }
}

template <typename Lanes, bool streaming, bool has_divisor, typename Function, typename T,
          typename... Alpha>
// cppcheck-suppress passedByValue ; stores do not change a copy
__attribute__((noinline)) void gradients_contiguous(const Function function, Terms<T> to,
                                                    std::ptrdiff_t n, const T* grad_output,
                                                    const T* self, const Alpha*... alpha) {
  std::ptrdiff_t done = 0;
  if constexpr (fuses && Lanes::in_step > 1) {  // of more, the terms take the registers
    using Several = InStep<Lanes, 2>;
    TORCH_ELU_INDEPENDENT
    for (; done + Several::count <= n; done += Several::count) {
      do_gradients<Several, InStep<Numbers<T, Lanes>, 2>, streaming, has_divisor>(
          function, to + done, grad_output + done, self + done, (alpha + done)...);
    }
  }
  TORCH_ELU_INDEPENDENT
  for (; done + Lanes::count <= n; done += Lanes::count) {
    do_gradients<Lanes, Numbers<T, Lanes>, streaming, has_divisor>(
        function, to + done, grad_output + done, self + done, (alpha + done)...);
  }
  if (done < n) {
    gradients_few<Lanes, has_divisor>(function, to + done, n - done, grad_output + done,
                                      self + done, (alpha + done)...);
  }
}

template <typename Lanes, bool streaming, typename Function, typename T>
__attribute__((noinline)) void value_contiguous(const Function function, T* out, const T* self,
                                                const opmath_t<T>* alpha, std::ptrdiff_t n) {
  using Numbers = torch_elu::cpu::Numbers<T, Lanes>;
  std::ptrdiff_t done = 0;
  if constexpr (fuses && Lanes::in_step > 1) {
    using Several = InStep<Lanes, Lanes::in_step>;
    TORCH_ELU_INDEPENDENT
    for (; done + Several::count <= n; done += Several::count) {
      write<Several, streaming>(out + done,
                                function(Several::load(self + done),
                                         InStep<Numbers, Lanes::in_step>::load(alpha + done)));
    }
  }
  TORCH_ELU_INDEPENDENT
  for (; done + Lanes::count <= n; done += Lanes::count) {
    write<Lanes, streaming>(out + done,
                            function(Lanes::load(self + done), Numbers::load(alpha + done)));
  }
  if (done == n) return;
  constexpr int count = Lanes::count;
  T result[count];
  Lanes::store(result,
               function(Lanes::load(Padded<T, count>(self + done, n - done).data),
                        Numbers::load(Padded<opmath_t<T>, count>(alpha + done, n - done).data)));
  for (std::ptrdiff_t i = 0; done + i < n; ++i) scalar::write(out + done + i, result[i]);
}

// segment(start, n, streams), with whole vectors at aligned addresses where it streams. Of at most
// `at_most` elements.
template <typename Lanes, typename T, typename Segment>
TORCH_ELU_INLINE void for_each_segment(const T* out, std::ptrdiff_t n, Store store,
                                       std::ptrdiff_t at_most, const Segment& segment) {
  constexpr std::uintptr_t bytes = Lanes::count * sizeof(T);
  const auto address = reinterpret_cast<std::uintptr_t>(out);
  std::ptrdiff_t start = 0;
  const bool streams = streams_here && store != Store::cached && address % sizeof(T) == 0;
  if (streams && address % bytes != 0) {
    const auto head = static_cast<std::ptrdiff_t>((bytes - address % bytes) / sizeof(T));
    start = head < n ? head : n;
    segment(0, start, false);
  }
  for (; start < n; start += at_most) {
    segment(start, n - start < at_most ? n - start : at_most, streams);
  }
  if (streams && store == Store::streaming) simd::finish_streaming();
}

// In blocks whose terms stay in the first cache: take(start, n, by_alpha, slope_times_x).
template <typename Lanes, typename Function, typename T, typename Take, typename... Alpha>
TORCH_ELU_INLINE void for_each_block(const Function& function, T* grad_input, const T* grad_output,
                                     const T* self, std::ptrdiff_t n, bool has_divisor, Store store,
                                     const Take& take, const Alpha*... alpha) {
  opmath_t<T> by_alpha[block], slope_times_x[block];
  for_each_segment<Lanes>(
      grad_input, n, store, block, [&](std::ptrdiff_t start, std::ptrdiff_t count, bool streams) {
        const Terms<T> to{grad_input + start, by_alpha, slope_times_x};
        if (has_divisor) {
          gradients_contiguous<Lanes, false, true>(function, to, count, grad_output + start,
                                                   self + start, (alpha + start)...);
        } else if (streams) {
          gradients_contiguous<Lanes, streams_here, false>(function, to, count, grad_output + start,
                                                           self + start, (alpha + start)...);
        } else {
          gradients_contiguous<Lanes, false, false>(function, to, count, grad_output + start,
                                                    self + start, (alpha + start)...);
        }
        take(start, count, by_alpha, slope_times_x);
      });
}

template <typename T>
struct ParametricEntryPoints {
  using number_t = opmath_t<T>;
  using Coefficients = torch_elu::Coefficients<T>;
  using Lanes = simd::Lanes<T>;

  static void value_of_alphas(T* out, const T* self, const number_t* alpha, std::ptrdiff_t n,
                              const Coefficients& of_any_alpha, Store store) {
    const ValueOfAlphas<T> function{of_any_alpha};
    for_each_segment<Lanes>(out, n, store, n,
                            [&](std::ptrdiff_t start, std::ptrdiff_t count, bool streams) {
                              if (streams) {
                                value_contiguous<Lanes, streams_here>(
                                    function, out + start, self + start, alpha + start, count);
                              } else {
                                value_contiguous<Lanes, false>(function, out + start, self + start,
                                                               alpha + start, count);
                              }
                            });
  }

  static void gradients_of_columns(T* grad_input, const T* grad_output, const T* self,
                                   const number_t* alpha, std::ptrdiff_t n,
                                   const Coefficients& coefficients, Store store, double* by_alpha,
                                   double* slope_times_x) {
    const bool has_divisor = slope_times_x != nullptr;
    const auto add = [&](std::ptrdiff_t start, std::ptrdiff_t count, const number_t* of_alpha,
                         const number_t* of_divisor) {
      TORCH_ELU_INDEPENDENT
      for (std::ptrdiff_t i = 0; i < count; ++i) by_alpha[start + i] += of_alpha[i];
      if (!has_divisor) return;
      TORCH_ELU_INDEPENDENT
      for (std::ptrdiff_t i = 0; i < count; ++i) slope_times_x[start + i] += of_divisor[i];
    };
    if (alpha != nullptr) {
      for_each_block<Lanes>(GradientsOfAlphas<T>{coefficients}, grad_input, grad_output, self, n,
                            has_divisor, store, add, alpha);
    } else {
      gradients(grad_input, grad_output, self, n, coefficients, has_divisor, store, add);
    }
  }

  static GradientSums gradients_of_run(T* grad_input, const T* grad_output, const T* self,
                                       std::ptrdiff_t n, const Coefficients& coefficients,
                                       bool has_divisor, Store store) {
    OrderedSum by_alpha, slope_times_x;
    gradients(grad_input, grad_output, self, n, coefficients, has_divisor, store,
              [&](std::ptrdiff_t /*start*/, std::ptrdiff_t count, const number_t* of_alpha,
                  const number_t* of_divisor) {
                by_alpha.add(of_alpha, count);
                if (has_divisor) slope_times_x.add(of_divisor, count);
              });
    return {by_alpha.total(), slope_times_x.total()};
  }

 private:
  template <typename Take>
  static void gradients(T* grad_input, const T* grad_output, const T* self, std::ptrdiff_t n,
                        const Coefficients& coefficients, bool has_divisor, Store store,
                        const Take& take) {
    if (coefficients.is_unit) {
      for_each_block<Lanes>(UnitGradients<T>{coefficients}, grad_input, grad_output, self, n,
                            has_divisor, store, take);
    } else if (coefficients.takes_general_path) {
      for_each_block<Lanes>(GeneralGradients<T>(coefficients), grad_input, grad_output, self, n,
                            has_divisor, store, take);
    } else {
      for_each_block<Lanes>(GradientsOfOne<T>{coefficients}, grad_input, grad_output, self, n,
                            has_divisor, store, take);
    }
  }
};

}  // namespace
}  // namespace torch_elu::cpu

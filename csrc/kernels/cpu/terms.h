// What elements contribute to the gradient of their alpha: numbers in memory, to be summed. For
// kernels.cpp, as map.h is.
#pragma once

#include <type_traits>
#include <utility>

#include "kernels/cpu/map.h"

namespace torch_elu::cpu {
namespace {

template <typename V>
struct IsPair : std::false_type {};
template <typename V>
struct IsPair<Pair<V>> : std::true_type {};

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

  // Where in a vector the number of an element is.
  static constexpr std::ptrdiff_t lane(std::ptrdiff_t element) {
    return alternates ? element % 2 * (count / 2) + element / 2 : element;
  }

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

// Where the gradients of elements go.
template <typename T>
struct Terms {
  T* grad_input;
  opmath_t<T>*by_alpha, *slope_times_x;  // to be summed

  TORCH_ELU_INLINE Terms operator+(std::ptrdiff_t n) const {
    return {grad_input + n, by_alpha + n, slope_times_x + n};
  }
};

// A vector of elements, or several in step.
template <typename Group, typename GroupNumbers, bool streaming, bool has_divisor,
          typename Function, typename T>
TORCH_ELU_INLINE void do_gradients(const Function& function, const Terms<T>& to,
                                   const T* grad_output, const T* self) {
  function(Group::load(grad_output), Group::load(self),
           [&](auto by_self, auto by_alpha, auto slope_times_x) {
             write<Group, streaming>(to.grad_input, by_self);
             GroupNumbers::store(to.by_alpha, by_alpha);
             if constexpr (has_divisor) GroupNumbers::store(to.slope_times_x, slope_times_x);
           });
}

// Fewer elements than a vector has. Not inlined, as map_few.
template <typename Lanes, bool has_divisor, typename Function, typename T>
__attribute__((noinline)) void gradients_few(const Function& function, Terms<T> to,
                                             std::ptrdiff_t n, const T* grad_output,
                                             const T* self) {
  constexpr int count = Lanes::count;
  T grad_input[count];
  opmath_t<T> by_alpha[count], slope_times_x[count];
  do_gradients<Lanes, Numbers<T, Lanes>, false, has_divisor>(
      function, Terms<T>{grad_input, by_alpha, slope_times_x},
      Padded<T, count>(grad_output, n).data, Padded<T, count>(self, n).data);
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    scalar::write(to.grad_input + i, grad_input[i]);
    to.by_alpha[i] = by_alpha[i];
    if constexpr (has_divisor) to.slope_times_x[i] = slope_times_x[i];
  }
}

}  // namespace
}  // namespace torch_elu::cpu

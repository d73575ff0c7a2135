// Two vectors in step. The formula is one chain in which each operation waits for the one before,
// and a processor that sees the chains of two vectors one after the other finds too little to do
// meanwhile.
#pragma once

#include "math/number.h"

namespace torch_elu::cpu {
inline namespace TORCH_ELU_SIMD {

template <typename M>
struct PairMask {
  M first, second;
};

template <typename V>
struct Pair {
  using number_t = torch_elu::number_t<V>;
  V first, second;
  TORCH_ELU_INLINE Pair(V first, V second) : first(first), second(second) {}
  TORCH_ELU_INLINE explicit Pair(number_t x) : first(x), second(x) {}
};

template <typename V>
TORCH_ELU_INLINE Pair<V> operator+(Pair<V> a, Pair<V> b) {
  return {a.first + b.first, a.second + b.second};
}
template <typename V>
TORCH_ELU_INLINE Pair<V> operator-(Pair<V> a, Pair<V> b) {
  return {a.first - b.first, a.second - b.second};
}
template <typename V>
TORCH_ELU_INLINE Pair<V> operator-(Pair<V> a) {
  return {-a.first, -a.second};
}
template <typename V>
TORCH_ELU_INLINE Pair<V> operator*(Pair<V> a, Pair<V> b) {
  return {a.first * b.first, a.second * b.second};
}
template <typename V>
TORCH_ELU_INLINE auto operator<(Pair<V> a, Pair<V> b) {
  return PairMask<decltype(a.first < b.first)>{a.first < b.first, a.second < b.second};
}
template <typename V>
TORCH_ELU_INLINE auto operator>(Pair<V> a, Pair<V> b) {
  return b < a;
}
template <typename V>
TORCH_ELU_INLINE Pair<V> fma(Pair<V> a, Pair<V> b, Pair<V> c) {
  return {fma(a.first, b.first, c.first), fma(a.second, b.second, c.second)};
}
template <typename V>
TORCH_ELU_INLINE Pair<V> at_least(Pair<V> x, Pair<V> low) {
  return {at_least(x.first, low.first), at_least(x.second, low.second)};
}
template <typename V>
TORCH_ELU_INLINE Pair<V> at_most(Pair<V> x, Pair<V> high) {
  return {at_most(x.first, high.first), at_most(x.second, high.second)};
}
template <typename M, typename V>
TORCH_ELU_INLINE Pair<V> select(PairMask<M> condition, Pair<V> yes, Pair<V> no) {
  return {select(condition.first, yes.first, no.first),
          select(condition.second, yes.second, no.second)};
}
template <typename V>
TORCH_ELU_INLINE Pair<V> low_bits_to_exponent(Pair<V> x,
                                              bits_t<typename Pair<V>::number_t> offset) {
  return {low_bits_to_exponent(x.first, offset), low_bits_to_exponent(x.second, offset)};
}
template <typename V>
TORCH_ELU_INLINE Pair<V> low_bits_to_exponent(Pair<V> x, Pair<V> number) {
  return {low_bits_to_exponent(x.first, number.first),
          low_bits_to_exponent(x.second, number.second)};
}

}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu::cpu

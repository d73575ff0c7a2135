// A SIMD register as a number of formula.h, in the vector extensions that GCC and Clang share. A
// new instruction set goes into a file beside avx2.h, which adds what these lack: fma, at_least and
// at_most, stream_bits, the conversions of the halves, and the list of Lanes.
#pragma once

#include "kernels/cpu/simd/pair.h"
#include "math/coefficients.h"
#include "math/number.h"

namespace torch_elu::cpu {
inline namespace TORCH_ELU_SIMD {
namespace simd {

template <typename T, int bytes>
struct RegisterOf {
  typedef T type __attribute__((vector_size(bytes)));
};

template <typename T, int bytes>
struct Vector {
  using number_t = T;
  using Register = typename RegisterOf<T, bytes>::type;
  using Bits = typename RegisterOf<bits_t<T>, bytes>::type;
  static constexpr int count = bytes / sizeof(T);

  Register v;
  TORCH_ELU_INLINE Vector(Register v) : v(v) {}
  TORCH_ELU_INLINE explicit Vector(T x) : v(x - Register{}) {}  // -0 - 0 is -0: a broadcast
  TORCH_ELU_INLINE explicit Vector(Bits bits) : v(bit_cast<Register>(bits)) {}
  TORCH_ELU_INLINE Bits bits() const { return bit_cast<Bits>(v); }
};

// a < b, compared where it is used: of a mask in a variable GCC 12 makes a second comparison.
template <typename V>
struct Less {
  V a, b;
};

template <typename T, int bytes>
TORCH_ELU_INLINE Vector<T, bytes> operator+(Vector<T, bytes> a, Vector<T, bytes> b) {
  return a.v + b.v;
}
template <typename T, int bytes>
TORCH_ELU_INLINE Vector<T, bytes> operator-(Vector<T, bytes> a, Vector<T, bytes> b) {
  return a.v - b.v;
}
template <typename T, int bytes>
TORCH_ELU_INLINE Vector<T, bytes> operator-(Vector<T, bytes> a) {
  return -a.v;
}
template <typename T, int bytes>
TORCH_ELU_INLINE Vector<T, bytes> operator*(Vector<T, bytes> a, Vector<T, bytes> b) {
  return a.v * b.v;
}
template <typename T, int bytes>
TORCH_ELU_INLINE Less<Vector<T, bytes>> operator<(Vector<T, bytes> a, Vector<T, bytes> b) {
  return {a, b};
}
template <typename T, int bytes>
TORCH_ELU_INLINE Less<Vector<T, bytes>> operator>(Vector<T, bytes> a, Vector<T, bytes> b) {
  return b < a;
}
template <typename T, int bytes>
TORCH_ELU_INLINE Vector<T, bytes> select(Less<Vector<T, bytes>> condition, Vector<T, bytes> yes,
                                         Vector<T, bytes> no) {
  return condition.a.v < condition.b.v ? yes.v : no.v;
}
template <typename T, int bytes>
TORCH_ELU_INLINE Vector<T, bytes> low_bits_to_exponent(Vector<T, bytes> x, bits_t<T> offset) {
  return Vector<T, bytes>((x.bits() << Constants<T>::mantissa_bits) + offset);
}

// For numbers of which every lane has its own.
template <typename T, int bytes>
TORCH_ELU_INLINE Vector<T, bytes> low_bits_to_exponent(Vector<T, bytes> x,
                                                       Vector<T, bytes> number) {
  return Vector<T, bytes>((x.bits() << Constants<T>::mantissa_bits) + number.bits());
}

// In the upper half of each float; see scalar.h.
template <int bytes>
TORCH_ELU_INLINE auto round_to_bfloat16(Vector<float, bytes> x) {
  return x.bits() + 0x7fff + (x.bits() >> 16 & 1);
}

// From and to memory: T is what lies there.
template <typename T>
struct Lanes;

// For a T that is computed as it is.
template <typename V, int vectors>
struct PlainLanes {
  using T = typename V::number_t;
  static constexpr int count = V::count;
  static constexpr int in_step = vectors;
  TORCH_ELU_INLINE static V load(const T* from) {
    typename V::Register v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
  }
  TORCH_ELU_INLINE static void store(T* to, V x) { __builtin_memcpy(to, &x.v, sizeof x.v); }
  TORCH_ELU_INLINE static void stream(T* to, V x) { stream_bits(to, x); }
};

// Elements of even and odd index apart: a shift and a mask each make floats of them.
template <typename V>
struct BFloat16Lanes {
  static constexpr int count = 2 * V::count;
  static constexpr int in_step = 2;
  TORCH_ELU_INLINE static Pair<V> load(const BFloat16* from) {
    typename V::Bits x;
    __builtin_memcpy(&x, from, sizeof x);
    return {V(x << 16), V(x & 0xffff0000)};
  }
  TORCH_ELU_INLINE static void store(BFloat16* to, Pair<V> x) {
    const V bits = to_bfloat16(x.first, x.second);
    __builtin_memcpy(to, &bits.v, sizeof bits.v);
  }
  TORCH_ELU_INLINE static void stream(BFloat16* to, Pair<V> x) {
    stream_bits(to, to_bfloat16(x.first, x.second));
  }
};

}  // namespace simd
}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu::cpu

// Loads and stores of whole accesses, and what their elements are computed as.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

#include "floats.h"
#include "kernels.h"

namespace torch_elu::cuda {

// Wide accesses in PTX, since the compiler splits some that are written in C++. Streaming ("cs"):
// first to leave the L2 cache, for tensors that do not fit into it.
template <int size>
struct alignas(size) Bytes;

template <>
struct alignas(16) Bytes<16> {
  std::uint32_t words[4];

  static __device__ __forceinline__ Bytes load(const void* from, bool streaming) {
    std::uint32_t a, b, c, d;
    if (streaming) {
      asm volatile("ld.global.cs.v4.b32 {%0, %1, %2, %3}, [%4];"
                   : "=r"(a), "=r"(b), "=r"(c), "=r"(d)
                   : "l"(from));
    } else {
      asm volatile("ld.global.v4.b32 {%0, %1, %2, %3}, [%4];"
                   : "=r"(a), "=r"(b), "=r"(c), "=r"(d)
                   : "l"(from));
    }
    return {a, b, c, d};
  }
  __device__ __forceinline__ void store(void* to, bool streaming) const {
    const auto [a, b, c, d] = words;
    if (streaming) {
      asm volatile("st.global.cs.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(a), "r"(b), "r"(c),
                   "r"(d)
                   : "memory");
    } else {
      asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(a), "r"(b), "r"(c),
                   "r"(d)
                   : "memory");
    }
  }
};

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000
template <>
struct alignas(32) Bytes<32> {
  std::uint32_t words[8];

  static __device__ __forceinline__ Bytes load(const void* from, bool streaming) {
    std::uint32_t a, b, c, d, e, f, g, h;
    if (streaming) {
      asm volatile("ld.global.cs.v8.b32 {%0, %1, %2, %3, %4, %5, %6, %7}, [%8];"
                   : "=r"(a), "=r"(b), "=r"(c), "=r"(d), "=r"(e), "=r"(f), "=r"(g), "=r"(h)
                   : "l"(from));
    } else {
      asm volatile("ld.global.v8.b32 {%0, %1, %2, %3, %4, %5, %6, %7}, [%8];"
                   : "=r"(a), "=r"(b), "=r"(c), "=r"(d), "=r"(e), "=r"(f), "=r"(g), "=r"(h)
                   : "l"(from));
    }
    return {a, b, c, d, e, f, g, h};
  }
  __device__ __forceinline__ void store(void* to, bool streaming) const {
    const auto [a, b, c, d, e, f, g, h] = words;
    if (streaming) {
      asm volatile("st.global.cs.v8.b32 [%0], {%1, %2, %3, %4, %5, %6, %7, %8};" ::"l"(to), "r"(a),
                   "r"(b), "r"(c), "r"(d), "r"(e), "r"(f), "r"(g), "r"(h)
                   : "memory");
    } else {
      asm volatile("st.global.v8.b32 [%0], {%1, %2, %3, %4, %5, %6, %7, %8};" ::"l"(to), "r"(a),
                   "r"(b), "r"(c), "r"(d), "r"(e), "r"(f), "r"(g), "r"(h)
                   : "memory");
    }
  }
};
using Widest = Bytes<32>;
#else
using Widest = Bytes<16>;
#endif

// One element at a time.
template <typename T>
struct OneLane {
  using Word = T;
  static constexpr int count = 1;
  static __device__ __forceinline__ opmath_t<T> to_number(T x) {
    return static_cast<opmath_t<T>>(x);
  }
  static __device__ __forceinline__ T from_number(opmath_t<T> x) { return static_cast<T>(x); }
};

// The elements of a word as the number that instructions take at once.
template <typename T>
struct Lanes : OneLane<T> {};

template <>
struct Lanes<float> {
  using Word = float2;
  static constexpr int count = 2;
  static __device__ __forceinline__ Floats to_number(float2 x) { return x; }
  static __device__ __forceinline__ float2 from_number(Floats x) { return x.v; }
};

template <>
struct Lanes<__half> {
  using Word = __half2;
  static constexpr int count = 2;
  static __device__ __forceinline__ Floats to_number(__half2 x) { return __half22float2(x); }
  static __device__ __forceinline__ __half2 from_number(Floats x) {
    return __float22half2_rn(x.v);
  }
};

template <>
struct Lanes<__nv_bfloat16> {
  using Word = __nv_bfloat162;
  static constexpr int count = 2;
  static __device__ __forceinline__ Floats to_number(__nv_bfloat162 x) {
    return __bfloat1622float2(x);
  }
  static __device__ __forceinline__ __nv_bfloat162 from_number(Floats x) {
    return __float22bfloat162_rn(x.v);
  }
};

// What one instruction loads or stores, in words for one of the above.
template <typename LanesOfT, int bytes>
struct Access {
  using Lanes = LanesOfT;
  using Word = typename Lanes::Word;
  static constexpr int words = bytes / sizeof(Word);
  static constexpr int width = words * Lanes::count;  // in elements

  Word word[words];

  static __device__ __forceinline__ Access load(const void* from, bool streaming) {
    Access access;
    if constexpr (words == 1) {
      access.word[0] = *static_cast<const Word*>(from);
    } else {
      const auto loaded = Bytes<bytes>::load(from, streaming);
      memcpy(&access, &loaded, bytes);
    }
    return access;
  }

  __device__ __forceinline__ void store(void* to, bool streaming) const {
    if constexpr (words == 1) {
      *static_cast<Word*>(to) = word[0];
    } else {
      Bytes<bytes> stored;
      memcpy(&stored, this, bytes);
      stored.store(to, streaming);
    }
  }
};

template <typename Function, typename Access, int inputs>
__device__ __forceinline__ Access apply(const Function& function, const Access (&x)[inputs]) {
  using Lanes = typename Access::Lanes;
  Access result;
#pragma unroll
  for (int i = 0; i < Access::words; ++i) {
    if constexpr (inputs == 1) {
      result.word[i] = Lanes::from_number(function(Lanes::to_number(x[0].word[i])));
    } else {
      result.word[i] = Lanes::from_number(
          function(Lanes::to_number(x[0].word[i]), Lanes::to_number(x[1].word[i])));
    }
  }
  return result;
}

}  // namespace torch_elu::cuda

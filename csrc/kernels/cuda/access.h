// Loads and stores of whole accesses, and what their elements are computed as.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <cstring>

#include "kernels/cuda/float_pair.h"
#include "kernels/cuda/kernels.h"

namespace torch_elu::cuda {

// The widest access that the architecture has and that nvcc can write: CUDA 12.8 knows 10.0 and
// 12.0, and only 12.9 their accesses of 32 bytes.
#if !defined(TORCH_ELU_ACCESS_BYTES)
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000 && \
    (__CUDACC_VER_MAJOR__ > 12 || __CUDACC_VER_MINOR__ >= 9)
#define TORCH_ELU_ACCESS_BYTES 32
#else
#define TORCH_ELU_ACCESS_BYTES 16
#endif
#endif
constexpr int kAccessBytes = TORCH_ELU_ACCESS_BYTES;

// By one instruction. In PTX, since the compiler splits some stores that are written in C++.
template <int size>
struct alignas(size) Bytes {
  std::uint32_t words[size / 4];

  static TORCH_ELU_INLINE Bytes load(const void* from) {
#if defined(__CUDA_ARCH__)
    Bytes x;
    auto& w = x.words;
    if constexpr (size == 16) {
      asm volatile("ld.global.v4.b32 {%0, %1, %2, %3}, [%4];"
                   : "=r"(w[0]), "=r"(w[1]), "=r"(w[2]), "=r"(w[3])
                   : "l"(from));
    } else {
      asm volatile("ld.global.v8.b32 {%0, %1, %2, %3, %4, %5, %6, %7}, [%8];"
                   : "=r"(w[0]), "=r"(w[1]), "=r"(w[2]), "=r"(w[3]), "=r"(w[4]), "=r"(w[5]),
                     "=r"(w[6]), "=r"(w[7])
                   : "l"(from));
    }
    return x;
#else
    return *static_cast<const Bytes*>(from);
#endif
  }

  TORCH_ELU_INLINE void store(void* to) const {
#if defined(__CUDA_ARCH__)
    const auto& w = words;
    if constexpr (size == 16) {
      asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(w[0]), "r"(w[1]),
                   "r"(w[2]), "r"(w[3])
                   : "memory");
    } else {
      asm volatile("st.global.v8.b32 [%0], {%1, %2, %3, %4, %5, %6, %7, %8};" ::"l"(to), "r"(w[0]),
                   "r"(w[1]), "r"(w[2]), "r"(w[3]), "r"(w[4]), "r"(w[5]), "r"(w[6]), "r"(w[7])
                   : "memory");
    }
#else
    *static_cast<Bytes*>(to) = *this;
#endif
  }
};

// 16 bytes of shared memory, filled by copies that take no registers while they are under way.
struct Slot {
  Bytes<16> bytes;

  TORCH_ELU_INLINE void start_copy(const void* from) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(
                     static_cast<std::uint32_t>(__cvta_generic_to_shared(&bytes))),
                 "l"(from)
                 : "memory");
#else
    bytes = Bytes<16>::load(from);
#endif
  }

  // For all copies that this thread has started.
  static TORCH_ELU_INLINE void wait_for_copies() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
  }
};

// One element at a time.
template <typename T>
struct OneLane {
  using Word = T;
  static constexpr int count = 1;
  static TORCH_ELU_INLINE opmath_t<T> to_number(T x) { return static_cast<opmath_t<T>>(x); }
  static TORCH_ELU_INLINE T from_number(opmath_t<T> x) { return static_cast<T>(x); }
};

// The elements of a word as the number that instructions take at once.
template <typename T>
struct Lanes : OneLane<T> {};

template <>
struct Lanes<float> {
  using Word = float2;
  static constexpr int count = 2;
  static TORCH_ELU_INLINE Floats to_number(float2 x) { return x; }
  static TORCH_ELU_INLINE float2 from_number(Floats x) { return x.v; }
};

template <>
struct Lanes<__half> {
  using Word = __half2;
  static constexpr int count = 2;
  static TORCH_ELU_INLINE Floats to_number(__half2 x) { return __half22float2(x); }
  static TORCH_ELU_INLINE __half2 from_number(Floats x) { return __float22half2_rn(x.v); }
};

template <>
struct Lanes<__nv_bfloat16> {
  using Word = __nv_bfloat162;
  static constexpr int count = 2;
  static TORCH_ELU_INLINE Floats to_number(__nv_bfloat162 x) { return __bfloat1622float2(x); }
  static TORCH_ELU_INLINE __nv_bfloat162 from_number(Floats x) {
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

  static TORCH_ELU_INLINE Access load(const void* from) {
    Access access;
    if constexpr (words == 1) {
      access.word[0] = *static_cast<const Word*>(from);
    } else {
      access = of(Bytes<bytes>::load(from));
    }
    return access;
  }

  static TORCH_ELU_INLINE Access of(const Bytes<bytes>& loaded) {
    Access access;
    std::memcpy(static_cast<void*>(access.word), &loaded, bytes);
    return access;
  }

  TORCH_ELU_INLINE void store(void* to) const {
    if constexpr (words == 1) {
      *static_cast<Word*>(to) = word[0];
    } else {
      Bytes<bytes> stored;
      std::memcpy(stored.words, static_cast<const void*>(word), bytes);
      stored.store(to);
    }
  }
};

template <typename Function, typename Access, int inputs>
TORCH_ELU_INLINE Access apply(const Function& function, const Access (&x)[inputs]) {
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

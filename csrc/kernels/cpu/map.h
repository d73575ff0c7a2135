// How the CPU kernels walk through memory: a function of vectors, over runs of any stride. For
// kernels.cpp, which is compiled for each instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/simd/pair.h"
#include "kernels/cpu/simd/scalar.h"

#if defined(__AVX512F__) || defined(TORCH_ELU_EMULATED_AVX512)
#include "kernels/cpu/simd/avx512.h"
#elif defined(__AVX2__)
#include "kernels/cpu/simd/avx2.h"
#elif defined(__SSE2__)
#include "kernels/cpu/simd/sse2.h"
#elif defined(__aarch64__)
#include "kernels/cpu/simd/neon.h"
#else
namespace torch_elu::cpu {
namespace simd = scalar;
}
#endif

namespace torch_elu::cpu {
namespace {

// SSE2 has no fused multiply-add: it takes dozens of instructions, so that several vectors in step
// gain nothing and make the code large.
#if defined(__SSE2__) && !defined(__FMA__) && !defined(TORCH_ELU_EMULATED_AVX512)
inline constexpr bool fuses = false;
#else
inline constexpr bool fuses = true;
#endif

template <typename Lanes, typename Function>
constexpr bool runs_in_step = Lanes::in_step > 1 && (fuses || !requires { Function::is_general; });

// A strided run goes through buffers of so many elements, which stay in the first cache.
inline constexpr std::ptrdiff_t block = 256;

template <typename T>
struct Input {
  const T* data;
  std::ptrdiff_t stride;
  T buffer[block];

  // cppcheck-suppress uninitMemberVar ; what is read of the buffer is written first
  Input(const T* data, std::ptrdiff_t stride) : data(data), stride(stride) {}

  const T* contiguous(std::ptrdiff_t start, std::ptrdiff_t n) {
    const T* from = data + start * stride;
    if (stride == 1) return from;
    if (stride == 0 && start > 0) return buffer;  // full of the one element there is
    for (std::ptrdiff_t i = 0; i < n; ++i) buffer[i] = scalar::read(from + i * stride);
    return buffer;
  }
};

// Fewer elements than a vector has, and zeros.
template <typename T, int count>
struct Padded {
  T data[count] = {};
  Padded(const T* from, std::ptrdiff_t n) {
    for (std::ptrdiff_t i = 0; i < n; ++i) data[i] = scalar::read(from + i);
  }
};

// Applied to fewer elements than a vector has. Not inlined: the function's code is large.
template <typename Lanes, typename Function, typename T, typename... Inputs>
__attribute__((noinline)) void map_few(const Function& function, T* out, std::ptrdiff_t n,
                                       const Inputs*... inputs) {
  T result[Lanes::count];
  Lanes::store(result, function(Lanes::load(Padded<T, Lanes::count>(inputs, n).data)...));
  for (std::ptrdiff_t i = 0; i < n; ++i) scalar::write(out + i, result[i]);
}

// Lanes for twice as many elements, so many times over that `vectors` are in step.
template <typename Lanes, int vectors>
struct InStep {
  using Half = InStep<Lanes, vectors / 2>;
  static constexpr int count = 2 * Half::count;

  template <typename T>
  TORCH_ELU_INLINE static auto load(const T* from) {
    return Pair{Half::load(from), Half::load(from + Half::count)};
  }
  template <typename T, typename V>
  TORCH_ELU_INLINE static void store(T* to, Pair<V> x) {
    Half::store(to, x.first);
    Half::store(to + Half::count, x.second);
  }
  template <typename T, typename V>
  TORCH_ELU_INLINE static void stream(T* to, Pair<V> x) {
    Half::stream(to, x.first);
    Half::stream(to + Half::count, x.second);
  }
};

template <typename Lanes>
struct InStep<Lanes, 1> : Lanes {};

template <typename Lanes, bool streaming, typename T, typename V>
TORCH_ELU_INLINE void write(T* to, V x) {
  if constexpr (streaming) {
    Lanes::stream(to, x);
  } else {
    Lanes::store(to, x);
  }
}

// The output is the input exactly, or apart from it.
#if defined(__clang__)
#define TORCH_ELU_INDEPENDENT
#else
#define TORCH_ELU_INDEPENDENT _Pragma("GCC ivdep")
#endif

// Not inlined: among other loops GCC 12 makes this one slower by up to a sixth, and
// tests/cpp/hot_loops.py finds the loops by its name.
template <typename Lanes, bool streaming, typename Function, typename T, typename... Inputs>
__attribute__((noinline)) void map_contiguous(const Function function, T* out, std::ptrdiff_t n,
                                              const Inputs*... inputs) {
  std::ptrdiff_t done = 0;
  if constexpr (streaming) {  // wants whole vectors at aligned addresses
    constexpr std::uintptr_t bytes = Lanes::count * sizeof(T);
    done = static_cast<std::ptrdiff_t>(-reinterpret_cast<std::uintptr_t>(out) % bytes / sizeof(T));
    if (done > 0) map_few<Lanes>(function, out, done, inputs...);
  }
  if constexpr (runs_in_step<Lanes, Function>) {
    using Several = InStep<Lanes, Lanes::in_step>;
    TORCH_ELU_INDEPENDENT
    for (; done + Several::count <= n; done += Several::count) {
      write<Several, streaming>(out + done, function(Several::load(inputs + done)...));
    }
  }
  TORCH_ELU_INDEPENDENT
  for (; done + Lanes::count <= n; done += Lanes::count) {
    write<Lanes, streaming>(out + done, function(Lanes::load(inputs + done)...));
  }
  if (done < n) map_few<Lanes>(function, out + done, n - done, (inputs + done)...);
}

template <typename Lanes, typename Function, typename T, typename... Inputs>
TORCH_ELU_INLINE void map(const Function& function, Store store, T* out, std::ptrdiff_t out_stride,
                          std::ptrdiff_t n, Inputs&... inputs) {
  const bool is_contiguous = out_stride == 1 && (... && (inputs.stride == 1));
  const bool is_aligned = reinterpret_cast<std::uintptr_t>(out) % sizeof(T) == 0;
  if (store != Store::cached && is_contiguous && is_aligned && n >= Lanes::count) {
    map_contiguous<Lanes, simd::streams>(function, out, n, inputs.data...);
    if (store == Store::streaming) simd::finish_streaming();
    return;
  }
  if (n == 0) return;  // not even the one element of an expanded input is there
  T result[block];
  if ((... && (inputs.stride == 0))) {  // expanded: one result, many times
    map_few<Lanes>(function, result, 1, inputs.data...);
    for (std::ptrdiff_t i = 0; i < n; ++i) scalar::write(out + i * out_stride, result[0]);
    return;
  }
  const std::ptrdiff_t at_once = is_contiguous ? n : block;
  for (std::ptrdiff_t start = 0; start < n; start += at_once) {
    const std::ptrdiff_t count = n - start < at_once ? n - start : at_once;
    T* const to = out_stride == 1 ? out + start : result;
    map_contiguous<Lanes, false>(function, to, count, inputs.contiguous(start, count)...);
    if (out_stride == 1) continue;
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      scalar::write(out + (start + i) * out_stride, result[i]);
    }
  }
}

}  // namespace
}  // namespace torch_elu::cpu

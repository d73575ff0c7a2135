// Compiled once for each instruction set; TORCH_ELU_SIMD says which: baseline, avx2 or avx512.
// It includes nothing that another file may share as an inline function: the linker keeps one copy of
// those, and that could be the one that needs AVX-512. So everything here is local or always inlined.
#include "kernels.h"

#include "../extreme.h"
#include "../formula.h"
#include "simd/scalar.h"

#if defined(__AVX512F__)
#include "simd/avx512.h"
#elif defined(__AVX2__)
#include "simd/avx2.h"
#endif

#define TORCH_ELU_JOIN(a, b) a##b
#define TORCH_ELU_TABLE(name) TORCH_ELU_JOIN(kernels_, name)
#define TORCH_ELU_STRING(name) #name
#define TORCH_ELU_NAME(name) TORCH_ELU_STRING(name)

namespace torch_elu::cpu {
namespace {

#if defined(__AVX512F__)
namespace simd = avx512;
#elif defined(__AVX2__)
namespace simd = avx2;
#else
namespace simd = scalar;
#endif

// A strided run goes through buffers of so many elements, which stay in the first cache.
constexpr std::ptrdiff_t block = 256;

template <typename T>
struct Input {
  const T* data;
  std::ptrdiff_t stride;
  T buffer[block];

  Input(const T* data, std::ptrdiff_t stride) : data(data), stride(stride) {}

  const T* contiguous(std::ptrdiff_t start, std::ptrdiff_t n) {
    const T* from = data + start * stride;
    if (stride == 1) return from;
    for (std::ptrdiff_t i = 0; i < n; ++i) buffer[i] = scalar::read(from + i * stride);
    return buffer;
  }
};

// Fewer elements than a vector has.
template <typename Lanes, typename Function, typename T, typename... Inputs>
TORCH_ELU_INLINE void map_few(const Function& function, T* out, std::ptrdiff_t n,
                              const Inputs*... inputs) {
  struct Padded {
    T data[Lanes::count] = {};
    Padded(const T* from, std::ptrdiff_t n) {
      for (std::ptrdiff_t i = 0; i < n; ++i) data[i] = scalar::read(from + i);
    }
  };
  T result[Lanes::count];
  Lanes::store(result, function(Lanes::load(Padded(inputs, n).data)...));
  for (std::ptrdiff_t i = 0; i < n; ++i) scalar::write(out + i, result[i]);
}

// As many whole vectors as there are; returns the number of elements done.
template <typename Lanes, bool streaming, typename Function, typename T, typename... Inputs>
TORCH_ELU_INLINE std::ptrdiff_t map_vectors(const Function& function, T* out, std::ptrdiff_t n,
                                            const Inputs*... inputs) {
  constexpr std::ptrdiff_t count = Lanes::count, step = count * Lanes::unroll;
  const auto one_vector = [&](std::ptrdiff_t at) {
    const auto result = function(Lanes::load(inputs + at)...);
    if constexpr (streaming) {
      Lanes::stream(out + at, result);
    } else {
      Lanes::store(out + at, result);
    }
  };
  std::ptrdiff_t i = 0;
  if constexpr (Lanes::unroll > 1) {
    for (; i + step <= n; i += step) {
#pragma GCC unroll 8
      for (int vector = 0; vector < Lanes::unroll; ++vector) one_vector(i + vector * count);
    }
  }
#if !defined(__clang__)
#pragma GCC ivdep  // the output is the input exactly, or apart from it
#endif
  for (; i + count <= n; i += count) one_vector(i);
  return i;
}

template <typename Lanes, typename Function, typename T, typename... Inputs>
void map_contiguous(const Function function, Store store, T* out, std::ptrdiff_t n,
                    const Inputs*... inputs) {
  std::ptrdiff_t done = 0;
  if (store == Store::streaming) {
    // Streaming stores want whole aligned vectors.
    constexpr std::uintptr_t bytes = Lanes::count * sizeof(T);
    const std::uintptr_t missing = -reinterpret_cast<std::uintptr_t>(out) % bytes;
    if (missing % sizeof(T) == 0 && n >= Lanes::count) {
      const auto head = static_cast<std::ptrdiff_t>(missing / sizeof(T));
      if (head > 0) map_few<Lanes>(function, out, head, inputs...);
      done = head;
      done += map_vectors<Lanes, true>(function, out + done, n - done, (inputs + done)...);
      Lanes::finish_streaming();
    }
  } else {
    done = map_vectors<Lanes, false>(function, out, n, inputs...);
  }
  if (done < n) map_few<Lanes>(function, out + done, n - done, (inputs + done)...);
}

template <typename Lanes, typename Function, typename T, typename... Inputs>
TORCH_ELU_INLINE void map(const Function& function, Store store, T* out, std::ptrdiff_t out_stride,
                          std::ptrdiff_t n, Inputs... inputs) {
  if (out_stride == 1 && (... && (inputs.stride == 1))) {
    map_contiguous<Lanes>(function, store, out, n, inputs.data...);
    return;
  }
  T result[block];
  for (std::ptrdiff_t start = 0; start < n; start += block) {
    const std::ptrdiff_t count = n - start < block ? n - start : block;
    T* const to = out_stride == 1 ? out + start : result;
    map_contiguous<Lanes>(function, Store::cached, to, count, inputs.contiguous(start, count)...);
    if (out_stride == 1) continue;
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      scalar::write(out + (start + i) * out_stride, result[i]);
    }
  }
}

template <typename T>
struct Run {
  using number_t = opmath_t<T>;
  using Coefficients = torch_elu::Coefficients<number_t>;
  using Lanes = simd::Lanes<number_t>;
  using OneLane = scalar::Lanes<number_t>;

  static void forward(T* out, std::ptrdiff_t out_stride, const T* self, std::ptrdiff_t self_stride,
                      std::ptrdiff_t n, const Coefficients& k, Store store) {
    Input<T> x(self, self_stride);
    if (k.is_extreme) {
      const auto function = [k](auto x) { return extreme::value(x, k); };
      map<OneLane>(function, store, out, out_stride, n, x);
    } else {
      const auto function = [k](auto x) { return value(x, k); };
      map<Lanes>(function, store, out, out_stride, n, x);
    }
  }

  static void backward_from_input(T* grad_input, std::ptrdiff_t grad_input_stride,
                                  const T* grad_output, std::ptrdiff_t grad_output_stride,
                                  const T* self, std::ptrdiff_t self_stride, std::ptrdiff_t n,
                                  const Coefficients& k, Store store) {
    const Input<T> grad(grad_output, grad_output_stride), x(self, self_stride);
    if (k.is_extreme) {
      const auto function = [k](auto grad, auto x) { return grad * extreme::slope(x, k); };
      map<OneLane>(function, store, grad_input, grad_input_stride, n, grad, x);
    } else {
      const auto function = [k](auto grad, auto x) { return grad * slope(x, k); };
      map<Lanes>(function, store, grad_input, grad_input_stride, n, grad, x);
    }
  }

  static void backward_from_result(T* grad_input, std::ptrdiff_t grad_input_stride,
                                   const T* grad_output, std::ptrdiff_t grad_output_stride,
                                   const T* result, std::ptrdiff_t result_stride, std::ptrdiff_t n,
                                   const Coefficients& k, Store store) {
    const Input<T> grad(grad_output, grad_output_stride), y(result, result_stride);
    const auto function = [k](auto grad, auto y) { return grad * slope_from_result(y, k); };
    map<Lanes>(function, store, grad_input, grad_input_stride, n, grad, y);
  }

  static constexpr Kernels<T> kernels{forward, backward_from_input, backward_from_result};
};

}  // namespace

const KernelTable TORCH_ELU_TABLE(TORCH_ELU_SIMD){
    TORCH_ELU_NAME(TORCH_ELU_SIMD), Run<double>::kernels, Run<float>::kernels,
    Run<Float16>::kernels, Run<BFloat16>::kernels};

}  // namespace torch_elu::cpu

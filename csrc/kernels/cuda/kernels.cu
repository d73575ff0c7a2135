// A kernel for dense operands, one for those whose blocks then all run at once, and one for strided
// operands, each for any function of elements.
#include <algorithm>
#include <type_traits>

#include "kernels/cuda/access.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/schedule.h"
#include "math/functions.h"

namespace torch_elu::cuda {
namespace {

template <typename T, int alignment, int inputs = 1>
using PatternOf = Pattern<sizeof(T), alignment, kAccessBytes, inputs>;

template <typename T, int alignment>
using AccessOf = Access<std::conditional_t<PatternOf<T, alignment>::is_wide, Lanes<T>, OneLane<T>>,
                        PatternOf<T, alignment>::bytes>;

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ == 750
constexpr int kThreadsOfMultiprocessor = 1024;
#elif __CUDA_ARCH__ > 800 && __CUDA_ARCH__ < 900 || __CUDA_ARCH__ >= 1100
constexpr int kThreadsOfMultiprocessor = 1536;
#else
constexpr int kThreadsOfMultiprocessor = 2048;
#endif

// Blocks that a multiprocessor is to hold at once; this bounds the registers of a thread. All that
// there can be (32 registers, where that is 2,048 threads). Fewer where an architecture has
// accesses of 32 bytes, and for operands aligned to them: the compiler spilled registers or delayed
// a load. One for the long function of general.h.
template <int alignment, int inputs, typename Function>
constexpr int blocks_at_once() {
  int threads = kThreadsOfMultiprocessor;
  if (is_separate<Function>) {
    threads = kThreads;
  } else if (alignment == 32 || kAccessBytes == 32) {
    threads = std::min(threads, inputs == 1 ? 1024 : 768);
  }
  return threads / kThreads;
}

template <typename T, int inputs, typename Function>
TORCH_ELU_INLINE void do_edge(const Dense<T, inputs>& operands, const DenseSchedule& schedule,
                              const Function& function) {
  const std::int64_t element = edge(schedule, threadIdx.x);
  if (element >= schedule.numel) return;
  using One = AccessOf<T, sizeof(T)>;
  One one[inputs];
#pragma unroll
  for (int input = 0; input < inputs; ++input) {
    one[input] = One::load(operands.in[input] + element);
  }
  apply(function, one).store(operands.out + element);
}

template <int alignment, typename T, int inputs, typename Function>
__global__ void __launch_bounds__(kThreads, (blocks_at_once<alignment, inputs, Function>()))
    dense_kernel(Dense<T, inputs> operands, DenseSchedule schedule, Function function) {
  if (blockIdx.x == schedule.blocks) return do_edge(operands, schedule, function);
  using Access = AccessOf<T, alignment>;
  constexpr int count = PatternOf<T, alignment, inputs>::count;
  const Accesses<Access::width, count> accesses(schedule, blockIdx.x, threadIdx.x);
  // All loads are under way before the first is waited for.
  Access loaded[count][inputs];
#pragma unroll
  for (int i = 0; i < count; ++i) {
    if (!accesses.has(i)) break;
#pragma unroll
    for (int input = 0; input < inputs; ++input) {
      loaded[i][input] = Access::load(operands.in[input] + accesses.first + i * accesses.step);
    }
  }
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ > 1000
  __syncwarp();  // where the compiler would else put a load behind the arithmetic of another
#endif
#pragma unroll
  for (int i = 0; i < count; ++i) {
    if (!accesses.has(i)) break;
    apply(function, loaded[i]).store(operands.out + accesses.first + i * accesses.step);
  }
}

// As dense_kernel, for operands aligned to 16 bytes, with more of the inputs under way: on their
// way to shared memory they take no registers. Each thread waits for its own copies only.
template <typename T, int inputs, typename Function>
__global__ void __launch_bounds__(kThreads, kThreadsOfMultiprocessor / kThreads)
    staged_kernel(Dense<T, inputs> operands, DenseSchedule schedule, Function function) {
  if (blockIdx.x == schedule.blocks) return do_edge(operands, schedule, function);
  using Access = AccessOf<T, 16>;
  constexpr int count = StagedPattern<sizeof(T), inputs>::count;
  __shared__ Slot slots[count][inputs][kThreads];
  static_assert(sizeof slots == kStagedBytes);
  const Accesses<Access::width, count> accesses(schedule, blockIdx.x, threadIdx.x);
#pragma unroll
  for (int i = 0; i < count; ++i) {
    if (!accesses.has(i)) break;
#pragma unroll
    for (int input = 0; input < inputs; ++input) {
      slots[i][input][threadIdx.x].start_copy(operands.in[input] + accesses.first +
                                              i * accesses.step);
    }
  }
  Slot::wait_for_copies();
#pragma unroll
  for (int i = 0; i < count; ++i) {
    if (!accesses.has(i)) break;
    Access loaded[inputs];
#pragma unroll
    for (int input = 0; input < inputs; ++input) {
      loaded[input] = Access::of(slots[i][input][threadIdx.x].bytes);
    }
    apply(function, loaded).store(operands.out + accesses.first + i * accesses.step);
  }
}

// How many accesses a thread does to strided operands.
template <typename Access>
constexpr int kStridedCount = Access::width == 1 ? 4 : 2;

template <int alignment, typename T, int inputs, typename Function>
__global__ void __launch_bounds__(kThreads)
    strided_kernel(Strided<T, inputs> operands, Function function) {
  using Access = AccessOf<T, alignment>;
  constexpr int count = kStridedCount<Access>;
  const StridedAccesses<count> accesses(blockIdx.x, threadIdx.x);
  std::uint32_t index[count], offset[count][inputs + 1];
#pragma unroll
  for (int i = 0; i < count; ++i) index[i] = accesses.number(i);
  operands.offsets.get(index, offset);
  Access loaded[count][inputs];
#pragma unroll
  for (int i = 0; i < count; ++i) {
    if (!accesses.has(i, operands.count)) break;
#pragma unroll
    for (int input = 0; input < inputs; ++input) {
      const char* from = reinterpret_cast<const char*>(operands.in[input]);
      loaded[i][input] = Access::load(from + offset[i][input + 1]);
    }
  }
#pragma unroll
  for (int i = 0; i < count; ++i) {
    if (!accesses.has(i, operands.count)) break;
    apply(function, loaded[i]).store(reinterpret_cast<char*>(operands.out) + offset[i][0]);
  }
}

template <typename... Parameters, typename... Arguments>
cudaError_t start(void (*kernel)(Parameters...), unsigned blocks, cudaStream_t stream,
                  const Arguments&... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(kThreads);
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

template <int alignment, typename T, int inputs, typename Function>
cudaError_t start_dense(const Dense<T, inputs>& operands, int head, const Function& function,
                        cudaStream_t stream) {
  const DenseSchedule schedule(operands.numel, head, PatternOf<T, alignment, inputs>::chunk);
  if constexpr (alignment == 16 && !is_separate<Function>) {
    const DenseSchedule staged(operands.numel, head, StagedPattern<sizeof(T), inputs>::chunk);
    if (is_staged(staged.blocks, schedule.blocks, operands.wave)) {
      return start(staged_kernel<T, inputs, Function>, staged.blocks + staged.has_edges(), stream,
                   operands, staged, function);
    }
  }
  return start(dense_kernel<alignment, T, inputs, Function>, schedule.blocks + schedule.has_edges(),
               stream, operands, schedule, function);
}

template <int alignment, typename T, int inputs, typename Function>
cudaError_t start_strided(const Strided<T, inputs>& operands, const Function& function,
                          cudaStream_t stream) {
  constexpr int count = kStridedCount<AccessOf<T, alignment>>;
  return start(strided_kernel<alignment, T, inputs, Function>,
               StridedAccesses<count>::blocks(operands.count), stream, operands, function);
}

template <typename T, int inputs, typename Function>
cudaError_t launch(const Dense<T, inputs>& operands, const Function& function,
                   cudaStream_t stream) {
  const auto head = [&](int alignment) {
    const T* last = operands.in[inputs - 1];
    return elements_before_aligned({operands.out, operands.in[0], last}, sizeof(T), alignment);
  };
  if (operands.widest_access == 32 && head(32) >= 0) {
    return start_dense<32>(operands, head(32), function, stream);
  }
  if (head(16) >= 0) return start_dense<16>(operands, head(16), function, stream);
  return start_dense<sizeof(T)>(operands, 0, function, stream);
}

template <typename T, int inputs, typename Function>
cudaError_t launch(const Strided<T, inputs>& operands, const Function& function,
                   cudaStream_t stream) {
  if (operands.by_16_bytes) return start_strided<16>(operands, function, stream);
  return start_strided<sizeof(T)>(operands, function, stream);
}

}  // namespace

template <typename T, template <typename, int> typename Layout>
cudaError_t Kernels<T, Layout>::forward(const Layout<T, 1>& self, const Coefficients& coefficients,
                                        cudaStream_t stream) {
  if (coefficients.takes_general_path)
    return launch(self, Separately{GeneralValue<element_t<T>>{coefficients}}, stream);
  if constexpr (Constants<element_t<T>>::carries_rests) {
    if (coefficients.is_unit) return launch(self, RoundedValue<element_t<T>>{coefficients}, stream);
  }
  return launch(self, Value<element_t<T>>{coefficients}, stream);
}

template <typename T, template <typename, int> typename Layout>
cudaError_t Kernels<T, Layout>::backward_from_input(const Layout<T, 2>& operands,
                                                    const Coefficients& coefficients,
                                                    cudaStream_t stream) {
  if (coefficients.takes_general_path)
    return launch(operands, Separately{GeneralBackward<element_t<T>>{coefficients}}, stream);
  if constexpr (Constants<element_t<T>>::carries_rests) {
    if (coefficients.is_unit)
      return launch(operands, RoundedBackward<element_t<T>>{coefficients}, stream);
  }
  return launch(operands, Backward<element_t<T>>{coefficients}, stream);
}

template <typename T, template <typename, int> typename Layout>
cudaError_t Kernels<T, Layout>::backward_from_result(const Layout<T, 2>& operands,
                                                     const Coefficients& coefficients,
                                                     cudaStream_t stream) {
  return launch(operands, BackwardFromResult<element_t<T>>{coefficients}, stream);
}

template <typename T, template <typename, int> typename Layout>
cudaError_t Kernels<T, Layout>::plus_one(const Layout<T, 1>& self, const Coefficients& coefficients,
                                         cudaStream_t stream) {
  return launch(self, PlusOneValue<element_t<T>>{coefficients}, stream);
}

template <typename T, template <typename, int> typename Layout>
cudaError_t Kernels<T, Layout>::plus_one_backward(const Layout<T, 2>& operands,
                                                  cudaStream_t stream) {
  return launch(operands, PlusOneBackward<element_t<T>>{}, stream);
}

template struct Kernels<double, Dense>;
template struct Kernels<float, Dense>;
template struct Kernels<__half, Dense>;
template struct Kernels<__nv_bfloat16, Dense>;
template struct Kernels<double, Strided>;
template struct Kernels<float, Strided>;
template struct Kernels<__half, Strided>;
template struct Kernels<__nv_bfloat16, Strided>;

}  // namespace torch_elu::cuda

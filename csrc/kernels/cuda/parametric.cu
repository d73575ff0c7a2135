// A block does a piece of a run of one channel, or some rows of as many columns as it has threads,
// each of a channel. Sums go from threads to blocks to channels, always in the same order.
#include <algorithm>
#include <new>

#include "kernels/cuda/access.h"
#include "kernels/cuda/parametric.h"
#include "kernels/cuda/schedule.h"
#include "math/parametric.h"

namespace torch_elu::cuda {
namespace {

constexpr int kShortestRun = 256;
constexpr int kElementsOfThread = 32;  // of a run, or rows
constexpr int kPiece = kThreads * kElementsOfThread;

// How the elements are shared out among blocks.
struct ParametricSchedule {
  std::int64_t outer, channels, inner;
  bool is_of_runs;
  std::int64_t pieces;               // of a run
  std::int64_t copies, width, rows;  // short rows are put side by side
  std::int64_t tiles;                // of rows

  ParametricSchedule(std::int64_t outer, std::int64_t channels, std::int64_t inner)
      : outer(outer), channels(channels), inner(inner) {
    is_of_runs = inner >= kShortestRun || channels == 1;
    pieces = (inner + kPiece - 1) / kPiece;
    copies = std::clamp<std::int64_t>(kThreads / (channels * inner), 1, outer);
    width = channels * inner * copies;
    rows = (outer + copies - 1) / copies;
    tiles = (rows + kElementsOfThread - 1) / kElementsOfThread;
  }

  std::int64_t blocks_across() const { return (width + kThreads - 1) / kThreads; }
  std::int64_t blocks() const {
    return is_of_runs ? outer * channels * pieces : tiles * blocks_across();
  }
  std::int64_t partial_sums() const { return is_of_runs ? blocks() : tiles * width; }

  // Those of one channel.
  TORCH_ELU_INLINE std::int64_t sums_of_channel() const {
    return is_of_runs ? outer * pieces : tiles * copies * inner;
  }
  TORCH_ELU_INLINE std::int64_t sum_of_channel(std::int64_t channel, std::int64_t i) const {
    if (is_of_runs) return (i / pieces * channels + channel) * pieces + i % pieces;
    const std::int64_t tile = i / (copies * inner), copy = i / inner % copies;
    return tile * width + (copy * channels + channel) * inner + i % inner;
  }
};

// Of one channel. Most differ from another's in what is made of alpha alone.
template <typename T>
TORCH_ELU_INLINE Coefficients<T> coefficients_of(const Coefficients<T>& of_any_alpha,
                                                 opmath_t<T> alpha, const opmath_t<T>* divisor) {
  const auto bits = [](opmath_t<T> x) { return bit_cast<bits_t<opmath_t<T>>>(x); };
  if (divisor == nullptr && is_like_others(alpha)) {
    Coefficients<T> result = of_any_alpha;
    result.scaled_alpha = alpha;
    result.scaled_alpha_bits = result.slope_bits = bits(alpha);
    result.guarded_slope_bits = result.guarded_curvature_bits =
        bits(alpha * Constants<T>::underflow_guard);
    return result;
  }
  return Coefficients<T>(alpha, 1, divisor == nullptr ? 1 : 1 / static_cast<double>(*divisor));
}

template <typename T>
TORCH_ELU_INLINE opmath_t<T> value_of(opmath_t<T> x, const Coefficients<T>& coefficients) {
  if (coefficients.takes_general_path) return general::value(x, coefficients);
  if (coefficients.is_unit) return rounded_value(x, coefficients);
  return value(x, coefficients);
}

template <typename number_t>
struct Gradients {
  number_t self, alpha, slope_times_x;
};

template <typename T>
TORCH_ELU_INLINE Gradients<opmath_t<T>> gradients_of(opmath_t<T> grad_output, opmath_t<T> x,
                                                     const Coefficients<T>& coefficients) {
  Gradients<opmath_t<T>> result;
  const auto take = [&](auto self, auto alpha, auto slope_times_x) {
    result = {self, alpha, slope_times_x};
  };
  if (coefficients.takes_general_path) {
    GeneralGradients<T>{coefficients}(grad_output, x, take);
  } else if (coefficients.is_unit) {
    gradients(grad_output, x, rounded_slope(x, coefficients), rounded_value(x, coefficients), take);
  } else {
    GradientsOf<const Coefficients<T>&>{coefficients}(grad_output, x, take);
  }
  return result;
}

// Room for coefficients, which threads of a block share.
template <typename T>
struct Room {
  alignas(Coefficients<T>) unsigned char bytes[sizeof(Coefficients<T>)];
};

// f(element, sum, coefficients) for each element of the thread; finish(sum) with the number of the
// thread's sum.
template <typename T, typename F>
__device__ __forceinline__ void for_each_element(const ParametricSchedule& schedule,
                                                 const Coefficients<T>& of_any_alpha,
                                                 const opmath_t<T>* alpha,
                                                 const opmath_t<T>* divisor, const F& f) {
  const std::int64_t block = blockIdx.x;
  if (schedule.is_of_runs) {
    const std::int64_t run = block / schedule.pieces, channel = run % schedule.channels;
    __shared__ Room<T> room;
    if (threadIdx.x == 0) {
      new (room.bytes) Coefficients<T>(coefficients_of(
          of_any_alpha, alpha[channel], divisor == nullptr ? nullptr : divisor + channel));
    }
    __syncthreads();
    const auto& coefficients = *reinterpret_cast<const Coefficients<T>*>(room.bytes);
    const std::int64_t begin = block % schedule.pieces * kPiece;
    const std::int64_t end = begin + kPiece < schedule.inner ? begin + kPiece : schedule.inner;
    for (std::int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
      f(run * schedule.inner + i, coefficients);
    }
    return;
  }
  const std::int64_t across = (schedule.width + kThreads - 1) / kThreads;
  const std::int64_t column = block % across * kThreads + threadIdx.x;
  if (column >= schedule.width) return;
  const std::int64_t channel = column / schedule.inner % schedule.channels;
  const auto coefficients = coefficients_of(of_any_alpha, alpha[channel],
                                            divisor == nullptr ? nullptr : divisor + channel);
  const std::int64_t numel = schedule.outer * schedule.channels * schedule.inner;
  const std::int64_t first = block / across * kElementsOfThread;
  for (std::int64_t row = first; row < first + kElementsOfThread; ++row) {
    const std::int64_t element = row * schedule.width + column;
    if (element >= numel) break;
    f(element, coefficients);
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads)
    value_kernel(T* out, const T* self, ParametricSchedule schedule,
                 Coefficients<element_t<T>> of_any_alpha, const opmath_t<element_t<T>>* alpha,
                 const opmath_t<element_t<T>>* divisor) {
  for_each_element(
      schedule, of_any_alpha, alpha, divisor,
      [&](std::int64_t i, const Coefficients<element_t<T>>& coefficients) {
        out[i] = OneLane<T>::from_number(value_of(OneLane<T>::to_number(self[i]), coefficients));
      });
}

// The sum over a block, known to its last thread.
__device__ __forceinline__ double sum_of_block(double (&of_threads)[kThreads], double own) {
  of_threads[threadIdx.x] = own;
  __syncthreads();
  if (threadIdx.x != kThreads - 1) return 0;
  double sum = 0;
  for (int i = 0; i < kThreads; ++i) sum += of_threads[i];
  return sum;
}

template <typename T>
__global__ void __launch_bounds__(kThreads)
    gradients_kernel(T* grad_input, const T* grad_output, const T* self,
                     ParametricSchedule schedule, Coefficients<element_t<T>> of_any_alpha,
                     const opmath_t<element_t<T>>* alpha, const opmath_t<element_t<T>>* divisor,
                     double* by_alpha, double* slope_times_x) {
  opmath_t<element_t<T>> of_alpha = 0, of_divisor = 0;
  for_each_element(schedule, of_any_alpha, alpha, divisor,
                   [&](std::int64_t i, const Coefficients<element_t<T>>& coefficients) {
                     const auto gradients =
                         gradients_of(OneLane<T>::to_number(grad_output[i]),
                                      OneLane<T>::to_number(self[i]), coefficients);
                     grad_input[i] = OneLane<T>::from_number(gradients.self);
                     of_alpha += gradients.alpha;
                     of_divisor += gradients.slope_times_x;
                   });
  if (schedule.is_of_runs) {
    __shared__ double alpha_of_threads[kThreads], divisor_of_threads[kThreads];
    const double alpha_sum = sum_of_block(alpha_of_threads, of_alpha);
    const double divisor_sum = sum_of_block(divisor_of_threads, of_divisor);
    if (threadIdx.x != kThreads - 1) return;
    by_alpha[blockIdx.x] = alpha_sum;
    if (divisor != nullptr) slope_times_x[blockIdx.x] = divisor_sum;
    return;
  }
  const std::int64_t across = (schedule.width + kThreads - 1) / kThreads;
  const std::int64_t column = blockIdx.x % across * kThreads + threadIdx.x;
  if (column >= schedule.width) return;
  const std::int64_t sum = blockIdx.x / across * schedule.width + column;
  by_alpha[sum] = of_alpha;
  if (divisor != nullptr) slope_times_x[sum] = of_divisor;
}

// A block sums what belongs to one channel; or, where that is little, each thread does.
template <typename number_t>
__global__ void __launch_bounds__(kThreads)
    sum_kernel(ParametricSchedule schedule, bool is_one_by_block, const number_t* divisor,
               const double* by_alpha, const double* slope_times_x, number_t* grad_alpha,
               number_t* grad_divisor) {
  const std::int64_t channel =
      is_one_by_block ? blockIdx.x : std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const std::int64_t count = schedule.sums_of_channel();
  const std::int64_t first = is_one_by_block ? threadIdx.x : 0;
  const std::int64_t step = is_one_by_block ? kThreads : 1;
  double of_alpha = 0, of_divisor = 0;
  for (std::int64_t i = first; channel < schedule.channels && i < count; i += step) {
    const std::int64_t sum = schedule.sum_of_channel(channel, i);
    of_alpha += by_alpha[sum];
    if (divisor != nullptr) of_divisor += slope_times_x[sum];
  }
  if (is_one_by_block) {
    __shared__ double alpha_of_threads[kThreads], divisor_of_threads[kThreads];
    of_alpha = sum_of_block(alpha_of_threads, of_alpha);
    of_divisor = sum_of_block(divisor_of_threads, of_divisor);
    if (threadIdx.x != kThreads - 1) return;
  }
  if (channel >= schedule.channels) return;
  grad_alpha[channel] = static_cast<number_t>(of_alpha);
  if (divisor != nullptr) {
    // As on the CPU, in parametric_cpu.cpp.
    const double d = divisor[channel];
    grad_divisor[channel] = static_cast<number_t>(d == 0 ? 0 : -of_divisor / d);
  }
}

template <typename... Parameters, typename... Arguments>
cudaError_t start(void (*kernel)(Parameters...), std::int64_t blocks, cudaStream_t stream,
                  const Arguments&... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(kThreads);
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

}  // namespace

template <typename T>
cudaError_t Parametric<T>::value(T* out, const T* self, cudaStream_t stream) const {
  const ParametricSchedule schedule(outer, channels, inner);
  const Coefficients<element_t<T>> of_any_alpha(2, 1, 1);
  return start(value_kernel<T>, schedule.blocks(), stream, out, self, schedule, of_any_alpha, alpha,
               divisor);
}

template <typename T>
std::int64_t Parametric<T>::partial_sums() const {
  return ParametricSchedule(outer, channels, inner).partial_sums() * (divisor == nullptr ? 1 : 2);
}

template <typename T>
cudaError_t Parametric<T>::gradients(T* grad_input, const T* grad_output, const T* self,
                                     number_t* grad_alpha, number_t* grad_divisor,
                                     double* partial_sums, cudaStream_t stream) const {
  const ParametricSchedule schedule(outer, channels, inner);
  const Coefficients<element_t<T>> of_any_alpha(2, 1, 1);
  double* const slope_times_x = partial_sums + schedule.partial_sums();
  const cudaError_t error =
      start(gradients_kernel<T>, schedule.blocks(), stream, grad_input, grad_output, self, schedule,
            of_any_alpha, alpha, divisor, partial_sums, slope_times_x);
  if (error != cudaSuccess) return error;
  const bool is_one_by_block = schedule.sums_of_channel() > 8;
  const std::int64_t blocks = is_one_by_block ? channels : (channels + kThreads - 1) / kThreads;
  return start(sum_kernel<number_t>, blocks, stream, schedule, is_one_by_block, divisor,
               static_cast<const double*>(partial_sums), static_cast<const double*>(slope_times_x),
               grad_alpha, grad_divisor);
}

template struct Parametric<double>;
template struct Parametric<float>;
template struct Parametric<__half>;
template struct Parametric<__nv_bfloat16>;

}  // namespace torch_elu::cuda

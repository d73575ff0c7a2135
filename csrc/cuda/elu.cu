// The CUDA kernels: one body for dense tensors, one for strided ones, each for any elementwise
// function.

#include <ATen/ExpandUtils.h>
#include <ATen/OpMathType.h>
#include <ATen/TensorIterator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <ATen/cuda/detail/OffsetCalculator.cuh>

#include "../extreme.h"
#include "../formula.h"
#include "../operands.h"

namespace torch_elu {
namespace {

constexpr int kThreads = 128;
// Independent accesses that a thread has under way at once; memory is kept busy by bytes in flight.
constexpr int kUnroll = 4;
constexpr int kAccessBytes = 16;

// The formula's name for the element type.
template <typename T>
struct ElementOf {
  using type = T;
};
template <>
struct ElementOf<at::Half> {
  using type = Float16;
};
template <>
struct ElementOf<at::BFloat16> {
  using type = BFloat16;
};
template <typename T>
using coefficients_for = Coefficients<typename ElementOf<T>::type>;

template <typename T, int kWidth>
struct alignas(sizeof(T) * kWidth) Vector {
  T items[kWidth];
};

template <typename T, int kArity>
struct Operands {
  T* out;
  const T* in[kArity];
};

// out[i] = f(in[0][i], ...) for dense operands. A block does a tile of kThreads * kUnroll vectors;
// the elements that fill no vector are left to the first threads of the last block.
template <int kWidth, typename T, int kArity, typename Function>
__global__ void __launch_bounds__(kThreads)
    dense_kernel(Operands<T, kArity> operands, int64_t numel, Function function) {
  using V = Vector<T, kWidth>;
  const int64_t vectors = numel / kWidth;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * (kThreads * kUnroll) + threadIdx.x;
  V loaded[kUnroll][kArity];
#pragma unroll
  for (int u = 0; u < kUnroll; ++u) {
    const int64_t index = first + u * kThreads;
    if (index < vectors) {
#pragma unroll
      for (int a = 0; a < kArity; ++a) {
        loaded[u][a] = reinterpret_cast<const V*>(operands.in[a])[index];
      }
    }
  }
#pragma unroll
  for (int u = 0; u < kUnroll; ++u) {
    const int64_t index = first + u * kThreads;
    if (index < vectors) {
      V result;
#pragma unroll
      for (int i = 0; i < kWidth; ++i) {
        if constexpr (kArity == 1) {
          result.items[i] = function(loaded[u][0].items[i]);
        } else {
          result.items[i] = function(loaded[u][0].items[i], loaded[u][1].items[i]);
        }
      }
      reinterpret_cast<V*>(operands.out)[index] = result;
    }
  }
  const int64_t rest = vectors * kWidth + threadIdx.x;
  if (blockIdx.x == gridDim.x - 1 && rest < numel) {
    if constexpr (kArity == 1) {
      operands.out[rest] = function(operands.in[0][rest]);
    } else {
      operands.out[rest] = function(operands.in[0][rest], operands.in[1][rest]);
    }
  }
}

template <typename T, int kArity, typename Function>
__global__ void __launch_bounds__(kThreads)
    strided_kernel(Operands<T, kArity> operands, uint32_t numel,
                   OffsetCalculator<kArity + 1> offsets, Function function) {
#pragma unroll
  for (int u = 0; u < kUnroll; ++u) {
    const uint64_t index =
        (static_cast<uint64_t>(blockIdx.x) * kUnroll + u) * kThreads + threadIdx.x;
    if (index < numel) {
      const auto offset = offsets.get(static_cast<uint32_t>(index));
      if constexpr (kArity == 1) {
        operands.out[offset[0]] = function(operands.in[0][offset[1]]);
      } else {
        operands.out[offset[0]] = function(operands.in[0][offset[1]], operands.in[1][offset[2]]);
      }
    }
  }
}

template <typename T, int kArity>
Operands<T, kArity> operands_of(const at::TensorIteratorBase& iter) {
  Operands<T, kArity> operands{static_cast<T*>(iter.data_ptr(0)), {}};
  for (int a = 0; a < kArity; ++a) {
    operands.in[a] = static_cast<const T*>(iter.data_ptr(a + 1));
  }
  return operands;
}

template <typename T, int kArity>
bool is_aligned(const Operands<T, kArity>& operands) {
  auto bits = reinterpret_cast<uintptr_t>(operands.out);
  for (int a = 0; a < kArity; ++a) {
    bits |= reinterpret_cast<uintptr_t>(operands.in[a]);
  }
  return bits % kAccessBytes == 0;
}

unsigned int blocks_for(int64_t items) {
  constexpr int64_t tile = kThreads * kUnroll;
  return static_cast<unsigned int>(std::max<int64_t>((items + tile - 1) / tile, 1));
}

template <typename T, int kArity, typename Function>
void launch(const at::TensorIteratorBase& iter, const Function& function) {
  const int64_t numel = iter.numel();
  if (numel == 0) {
    return;
  }
  const auto stream = c10::cuda::getCurrentCUDAStream();
  const auto operands = operands_of<T, kArity>(iter);
  if (iter.is_contiguous()) {
    constexpr int width = kAccessBytes / sizeof(T);
    if (is_aligned(operands)) {
      dense_kernel<width>
          <<<blocks_for(numel / width), kThreads, 0, stream>>>(operands, numel, function);
    } else {
      dense_kernel<1><<<blocks_for(numel), kThreads, 0, stream>>>(operands, numel, function);
    }
  } else if (!iter.can_use_32bit_indexing()) {
    for (const auto& part : iter.with_32bit_indexing()) {
      launch<T, kArity>(part, function);
    }
    return;
  } else {
    strided_kernel<<<blocks_for(numel), kThreads, 0, stream>>>(
        operands, static_cast<uint32_t>(numel), make_element_offset_calculator<kArity + 1>(iter),
        function);
  }
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

template <typename T, bool kExtreme>
struct Forward {
  using number = at::opmath_type<T>;
  coefficients_for<T> c;
  __device__ T operator()(T x) const {
    if constexpr (kExtreme) {
      return static_cast<T>(extreme::value(static_cast<number>(x), c));
    } else {
      return static_cast<T>(value(static_cast<number>(x), c));
    }
  }
};

template <typename T, bool kExtreme>
struct BackwardFromInput {
  using number = at::opmath_type<T>;
  coefficients_for<T> c;
  __device__ T operator()(T grad_output, T x) const {
    if constexpr (kExtreme) {
      return static_cast<T>(static_cast<number>(grad_output) *
                            extreme::slope(static_cast<number>(x), c));
    } else {
      return static_cast<T>(static_cast<number>(grad_output) * slope(static_cast<number>(x), c));
    }
  }
};

template <typename T>
struct BackwardFromResult {
  using number = at::opmath_type<T>;
  coefficients_for<T> c;
  __device__ T operator()(T grad_output, T y) const {
    return static_cast<T>(static_cast<number>(grad_output) *
                          slope_from_result(static_cast<number>(y), c));
  }
};

template <typename Run>
void with_type_of(at::ScalarType dtype, const char* name, const Run& run) {
  switch (dtype) {
    case at::kDouble:
      return run.template operator()<double>();
    case at::kFloat:
      return run.template operator()<float>();
    case at::kHalf:
      return run.template operator()<at::Half>();
    case at::kBFloat16:
      return run.template operator()<at::BFloat16>();
    default:
      check_dtype(dtype, name);
  }
}

void run_forward(at::Tensor& out, const at::Tensor& self, const at::Scalar& alpha,
                 const at::Scalar& scale, const at::Scalar& input_scale, const char* name) {
  with_type_of(self.scalar_type(), name, [&]<typename T>() {
    const c10::cuda::CUDAGuard guard(self.device());
    const auto c = convert_coefficients<typename ElementOf<T>::type>(alpha, scale, input_scale);
    auto iter = at::TensorIterator::unary_op(out, self);  // allocates what is not there yet
    out = iter.output();
    if (c.is_extreme) {
      launch<T, 1>(iter, Forward<T, true>{c});
    } else {
      launch<T, 1>(iter, Forward<T, false>{c});
    }
  });
}

at::Tensor elu_cuda(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                    const at::Scalar& input_scale, bool /*save_output*/) {
  at::Tensor out;
  run_forward(out, self, alpha, scale, input_scale, "elu");
  return out;
}

at::Tensor& elu_out_cuda(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                         const at::Scalar& input_scale, at::Tensor& out) {
  run_forward(out, self, alpha, scale, input_scale, "elu.out");
  return out;
}

at::Tensor& elu_inplace_cuda(at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                             const at::Scalar& input_scale) {
  run_forward(self, self, alpha, scale, input_scale, "elu_");
  return self;
}

at::Tensor elu_backward_cuda(const at::Tensor& grad_output, const at::Scalar& alpha,
                             const at::Scalar& scale, const at::Scalar& input_scale, bool is_result,
                             const at::Tensor& self_or_result) {
  check_same_dtype(grad_output, self_or_result);
  const c10::cuda::CUDAGuard guard(self_or_result.device());
  at::Tensor grad_input;
  with_type_of(self_or_result.scalar_type(), "elu_backward", [&]<typename T>() {
    const auto c = convert_coefficients<typename ElementOf<T>::type>(alpha, scale, input_scale);
    const auto [expanded_grad_output, expanded] =
        at::expand_outplace(grad_output, self_or_result, "elu_backward");
    grad_input = empty_output(*expanded);
    auto iter = at::TensorIteratorConfig()
                    .add_output(grad_input)
                    .add_const_input(*expanded_grad_output)
                    .add_const_input(*expanded)
                    .build();
    if (is_result) {
      launch<T, 2>(iter, BackwardFromResult<T>{c});
    } else if (c.is_extreme) {
      launch<T, 2>(iter, BackwardFromInput<T, true>{c});
    } else {
      launch<T, 2>(iter, BackwardFromInput<T, false>{c});
    }
  });
  return grad_input;
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, CUDA, m) {
  m.impl("elu", &torch_elu::elu_cuda);
  m.impl("elu_", &torch_elu::elu_inplace_cuda);
  m.impl("elu.out", &torch_elu::elu_out_cuda);
  m.impl("elu_backward", &torch_elu::elu_backward_cuda);
}

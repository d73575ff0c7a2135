// The CUDA kernels: elements in memory, nothing of torch. kernels.cu holds them and what starts
// them.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/cuda/offsets.h"
#include "math/coefficients.h"

namespace torch_elu::cuda {

// The formula's names for CUDA's halves.
template <typename T>
struct ElementOf {
  using type = T;
};
template <>
struct ElementOf<__half> {
  using type = Float16;
};
template <>
struct ElementOf<__nv_bfloat16> {
  using type = BFloat16;
};
template <typename T>
using element_t = typename ElementOf<T>::type;

// Operands that are a run of memory each. The output may be an input, but overlap none in another
// way.
template <typename T, int inputs>
struct Dense {
  T* out;
  const T* in[inputs];
  std::int64_t numel;
  // Of the device, in bytes. Code for an older one does two accesses of 16 in place of one of 32.
  int widest_access;
  // How many blocks with inputs staged in shared memory the device holds at once; 0 where it has no
  // asynchronous copies to there.
  unsigned wave;
};

// Operands of any strides, of less than 2^31 elements and bytes.
template <typename T, int inputs>
struct Strided {
  T* out;
  const T* in[inputs];
  std::uint32_t count;  // of accesses: elements, or runs of 16 bytes where all of these are aligned
  bool by_16_bytes;
  Offsets<inputs + 1> offsets;  // of accesses, of the output first
};

// Each starts a kernel on the stream and returns what came of that.
template <typename T, template <typename, int> typename Layout>
struct Kernels {
  using Coefficients = torch_elu::Coefficients<element_t<T>>;

  static cudaError_t forward(const Layout<T, 1>& self, const Coefficients&, cudaStream_t);
  static cudaError_t backward_from_input(const Layout<T, 2>& grad_output_and_self,
                                         const Coefficients&, cudaStream_t);
  static cudaError_t backward_from_result(const Layout<T, 2>& grad_output_and_result,
                                          const Coefficients&, cudaStream_t);

  // elu_plus_one and its backward. The coefficients are all 1.
  static cudaError_t plus_one(const Layout<T, 1>& self, const Coefficients&, cudaStream_t);
  static cudaError_t plus_one_backward(const Layout<T, 2>& grad_output_and_result, cudaStream_t);
};

}  // namespace torch_elu::cuda

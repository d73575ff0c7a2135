// The CUDA kernels for an alpha that is a tensor: dense operands, nothing of torch.
#pragma once

#include "kernels/cuda/kernels.h"

namespace torch_elu::cuda {

// outer * channels * inner elements, with an alpha, and perhaps a divisor, for each channel.
template <typename T>
struct Parametric {
  using number_t = opmath_t<element_t<T>>;

  std::int64_t outer, channels, inner;
  const number_t* alpha;
  const number_t* divisor;  // or null: 1

  std::int64_t numel() const { return outer * channels * inner; }

  // Each starts its kernels on the stream and returns what came of that.
  cudaError_t value(T* out, const T* self, cudaStream_t stream) const;

  // The gradients of alpha and, where there is one, of the divisor have the dtype of the
  // computation. `partial_sums` is for this many numbers; what they are made of, and the order in
  // which they are added, follows from the sizes.
  std::int64_t partial_sums() const;
  cudaError_t gradients(T* grad_input, const T* grad_output, const T* self, number_t* grad_alpha,
                        number_t* grad_divisor, double* partial_sums, cudaStream_t stream) const;
};

}  // namespace torch_elu::cuda

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

//= ElementOf
//= Dense
//= Strided

// Each starts a kernel on the stream and returns what came of that.
template <typename T, template <typename, int> typename Layout>
struct Kernels {
  using Coefficients = torch_elu::Coefficients<element_t<T>>;

  static cudaError_t forward(const Layout<T, 1>& self, const Coefficients&, cudaStream_t);
  static cudaError_t backward_from_input(const Layout<T, 2>& grad_output_and_self,
                                         const Coefficients&, cudaStream_t);
  static cudaError_t backward_from_result(const Layout<T, 2>& grad_output_and_result,
                                          const Coefficients&, cudaStream_t);
};

}  // namespace torch_elu::cuda

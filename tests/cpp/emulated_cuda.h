// Lets csrc/kernels/cuda/*.cu be built as C++ and run on the CPU, thread after thread: given to the
// compiler with -include. The types, and the conversions of the halves, are those of the
// CUDA toolkit's headers.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>

#undef __global__
#undef __launch_bounds__
#undef __shared__
#define __global__
#define __launch_bounds__(...)
#define __shared__ static

// What threads wait for, threads of lower numbers have done.
inline void __syncthreads() {}

inline thread_local uint3 threadIdx, blockIdx;
inline unsigned blocks_of_last_launch;
inline cudaError_t error_of_launches = cudaSuccess;

template <typename... Parameters, typename... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               const Arguments&... arguments) {
  blocks_of_last_launch = config->gridDim.x;
  for (blockIdx.x = 0; blockIdx.x < config->gridDim.x; ++blockIdx.x) {
    for (threadIdx.x = 0; threadIdx.x < config->blockDim.x; ++threadIdx.x) {
      kernel(arguments...);
    }
  }
  return error_of_launches;
}

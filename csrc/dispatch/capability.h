#pragma once

#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>

#include <cstdint>

#include "dispatch/operands.h"
#include "kernels/cpu/kernels.h"

namespace torch_elu::cpu {

/// The kernels for the instruction set that PyTorch uses: the best one that this CPU has, or what
/// ATEN_CPU_CAPABILITY says, which PyTorch does not compare with the CPU.
const KernelTable& kernels();

/// Whether an output of so many bytes should bypass the caches.
Store store_for(int64_t output_bytes);

}  // namespace torch_elu::cpu

namespace torch_elu {

/// Work below this is done sooner by one thread than it takes to wake a second one.
inline constexpr int64_t kGrainSize = int64_t{128} * 1024;

/// call(kernels for the dtype, name of the operator)
template <typename Call>
void with_kernels_for(at::ScalarType dtype, const char* name, const Call& call) {
  const cpu::KernelTable& table = cpu::kernels();
  switch (dtype) {
    case at::kDouble:
      return call(table.float64, name);
    case at::kFloat:
      return call(table.float32, name);
    case at::kHalf:
      return call(table.float16, name);
    case at::kBFloat16:
      return call(table.bfloat16, name);
    default:
      C10_THROW_ERROR(NotImplementedError, unsupported_dtype(dtype, name));
  }
}

}  // namespace torch_elu

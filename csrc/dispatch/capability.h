#pragma once

#include <cstdint>

#include "kernels/cpu/kernels.h"

namespace torch_elu::cpu {

/// The kernels for the instruction set that PyTorch uses: the best one that this CPU has, or what
/// ATEN_CPU_CAPABILITY says, which PyTorch does not compare with the CPU.
const KernelTable& kernels();

/// Whether an output of so many bytes should bypass the caches.
Store store_for(int64_t output_bytes);

}  // namespace torch_elu::cpu

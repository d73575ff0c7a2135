#pragma once

#include <cstdint>

#include "kernels.h"

namespace torch_elu::cpu {

/// The kernels for the best instruction set that this CPU has and that ATEN_CPU_CAPABILITY allows.
const KernelTable& kernels();

/// Whether an output of so many bytes should bypass the caches.
Store store_for(int64_t output_bytes);

}  // namespace torch_elu::cpu

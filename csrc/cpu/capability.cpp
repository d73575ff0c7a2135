#include "capability.h"

#include <ATen/Version.h>
#include <unistd.h>

#include <string>

namespace torch_elu::cpu {

// PyTorch's own choice is followed, so that one environment variable steers both.
const KernelTable& kernels() {
  static const KernelTable& chosen = []() -> const KernelTable& {
#if defined(__x86_64__)
    const std::string capability = at::get_cpu_capability();
    if (capability == "AVX512") {
      return kernels_avx512;
    }
    if (capability == "AVX2") {
      return kernels_avx2;
    }
#endif
    return kernels_baseline;
  }();
  return chosen;
}

// An output larger than the last-level cache would only drive out what is in there, after each of
// its lines had been read from memory for nothing.
Store store_for(int64_t output_bytes) {
  static const int64_t last_level_cache = [] {
    const int64_t bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
    return bytes > 0 ? bytes : int64_t{32} << 20;
  }();
  return output_bytes > last_level_cache ? Store::streaming : Store::cached;
}

}  // namespace torch_elu::cpu

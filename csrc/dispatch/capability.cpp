#include "dispatch/capability.h"

#include <ATen/Version.h>
#include <unistd.h>

#include <fstream>
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

namespace {

// Linux knows how much of the cache a core can reach; the C library, asked in a virtual machine,
// may answer with that of the whole processor.
int64_t last_level_cache() {
  int64_t kibibytes = 0;
  if (std::ifstream("/sys/devices/system/cpu/cpu0/cache/index3/size") >> kibibytes) {
    return kibibytes * 1024;
  }
  const int64_t bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return bytes > 0 ? bytes : int64_t{32} << 20;
}

}  // namespace

// Where the output alone fills half of the last cache, beside the input not all of it would stay
// there, and each of its lines would have been read from memory for nothing.
Store store_for(int64_t output_bytes) {
  static const int64_t largest_cached = last_level_cache() / 2;
  return output_bytes > largest_cached ? Store::streaming : Store::cached;
}

}  // namespace torch_elu::cpu

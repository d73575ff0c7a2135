#include "dispatch/huge_pages.h"

#if defined(__linux__)

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace torch_elu::cpu {
namespace {

// From here on glibc maps each block anew (DEFAULT_MMAP_THRESHOLD_MAX), and the kernel's faults
// take longer than the kernels.
constexpr std::size_t smallest = std::size_t{32} << 20;

// Bytes of a huge page; 0 if none is to be asked for.
std::uintptr_t size_of_huge_page() {
  const char* const wanted = std::getenv("TORCH_ELU_HUGE_PAGES");
  if (wanted != nullptr && std::string_view(wanted) == "0") {
    return 0;
  }
  const std::string folder = "/sys/kernel/mm/transparent_hugepage/";
  std::string setting;
  std::getline(std::ifstream(folder + "enabled") >> std::ws, setting);
  std::uintptr_t bytes = 0;
  if (setting.find("[madvise]") != std::string::npos) {
    std::ifstream(folder + "hpage_pmd_size") >> bytes;
  }
  return bytes;
}

}  // namespace

void prefer_huge_pages(void* memory, std::size_t bytes) {
  if (bytes < smallest) {
    return;
  }
  static const std::uintptr_t page = size_of_huge_page();
  if (page == 0) {
    return;
  }
  // Whole pages inside: what lies beside the result is not ours.
  const std::uintptr_t start = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t first = (start + page - 1) / page * page,
                       end = (start + bytes) / page * page;
  if (first < end) {
    // A hint: it may fail.
    madvise(static_cast<std::byte*>(memory) + (first - start), end - first, MADV_HUGEPAGE);
  }
}

}  // namespace torch_elu::cpu

#else

namespace torch_elu::cpu {

void prefer_huge_pages(void* /*memory*/, std::size_t /*bytes*/) {}

}  // namespace torch_elu::cpu

#endif

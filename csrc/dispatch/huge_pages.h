#pragma once

#include <cstddef>

namespace torch_elu::cpu {

/// Asks Linux for huge pages in fresh memory of 32 MiB or more, before it is written. Not where
/// they are set to anything but `madvise`, nor under TORCH_ELU_HUGE_PAGES=0.
void prefer_huge_pages(void* memory, std::size_t bytes);

}  // namespace torch_elu::cpu

// Which elements each thread of a kernel touches: plain arithmetic, for the host too, so that
// a test can walk through every thread of every launch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "math/number.h"

namespace torch_elu::cuda {

constexpr int kThreads = 128;  // of a block

// How a thread accesses its chunk, in operands of this alignment: in accesses as wide as it and the
// architecture allow, or, where they have no alignment of 16 bytes in common, element by element.
//
// One access is enough: 2,048 threads make it 32 KiB of each input that a multiprocessor has under
// way. The halves' forward, which has the most instructions for its bytes, does two, and so fewer
// beside the formula. With more, and hints to the caches, an H200 is slower: docs/gpu/README.md.
template <int element_size, int alignment, int widest_access, int inputs>
struct Pattern {
  static constexpr bool is_wide = alignment >= 16;
  static constexpr int bytes = !is_wide                    ? element_size
                               : alignment < widest_access ? alignment
                                                           : widest_access;
  static constexpr int width = bytes / element_size;
  static constexpr bool is_twice = alignment == 16 && element_size == 2 && inputs == 1;
  static constexpr int chunk = is_wide            ? alignment * (is_twice ? 2 : 1) / element_size
                               : element_size > 4 ? 4
                                                  : 8;
  static constexpr int count = chunk / width;
};

// The same where the inputs are staged in shared memory, 64 bytes for each thread: so many do not
// fit into its registers, beside the formula.
template <int element_size, int inputs>
struct StagedPattern {
  static constexpr int width = 16 / element_size;
  static constexpr int count = 4 / inputs;
  static constexpr int chunk = width * count;
};
constexpr int kStagedBytes = kThreads * 64;  // of a block

// How many staged blocks a device holds at once, by its properties.
inline unsigned staged_wave(int multiprocessors, int threads_of_each, std::size_t shared_of_each,
                            std::size_t reserved_for_block) {
  const auto by_threads = static_cast<unsigned>(threads_of_each / kThreads);
  const auto by_memory =
      static_cast<unsigned>(shared_of_each / (kStagedBytes + reserved_for_block));
  return static_cast<unsigned>(multiprocessors) * std::min(by_threads, by_memory);
}

// Inputs are staged where all blocks then run at once, in one wave, and the usual blocks would be
// more than one and a half times as many as that. On an H200 that spares 0.5 to 0.8 us of 8 to 12
// in the forward of 2^21 and 2^22 float32 and of 2^21 float64, and changes the others' times by no
// more than 2.4 % (docs/gpu/README.md); for fewer blocks it does not pay. A wave of 0 is that of a
// device that has no asynchronous copies to shared memory.
inline bool is_staged(unsigned staged_blocks, unsigned usual_blocks, unsigned wave) {
  return wave > 0 && staged_blocks <= wave && usual_blocks > wave + wave / 2;
}

// How many elements lie before the first one that has the alignment in every operand; -1 where
// there is none.
inline int elements_before_aligned(std::initializer_list<const void*> operands, int element_size,
                                   int alignment) {
  const auto bytes_before = [&](const void* data) {
    return static_cast<int>(-reinterpret_cast<std::uintptr_t>(data) &
                            static_cast<std::uintptr_t>(alignment - 1));
  };
  const int bytes = bytes_before(*operands.begin());
  for (const void* data : operands) {
    if (bytes_before(data) != bytes) return -1;
  }
  return bytes / element_size;
}

// Who does which of the elements of dense operands: a thread each of the whole chunks, and a block
// of its own what lies before and behind them.
struct DenseSchedule {
  std::int64_t numel;
  std::int64_t body;  // elements in whole chunks
  int head;           // elements before them
  unsigned blocks;    // for the chunks

  DenseSchedule(std::int64_t numel, int head, int chunk)
      : numel(numel),
        body(numel > head ? (numel - head) / chunk * chunk : 0),
        head(numel > head ? head : static_cast<int>(numel)) {
    const std::int64_t tile = std::int64_t{kThreads} * chunk;
    blocks = static_cast<unsigned>((body + tile - 1) / tile);
  }

  bool has_edges() const { return body < numel; }
};

// A thread's accesses, `count` of them, of `width` elements each. A block does a tile of the
// chunks, in which the accesses of its threads lie side by side.
template <int width, int count>
struct Accesses {
  static constexpr int step = kThreads * width;  // from a thread's access to its next one

  std::int64_t first;  // the element at which the first access starts
  int left;            // elements of the tile from there on

  TORCH_ELU_INLINE Accesses(const DenseSchedule& schedule, std::int64_t block, int thread) {
    constexpr int tile = step * count;
    const std::int64_t rest = schedule.body - block * tile;
    const int offset = thread * width;
    first = schedule.head + block * tile + offset;
    left = static_cast<int>(rest < tile ? rest : tile) - offset;
  }

  TORCH_ELU_INLINE bool has(int access) const { return access * step < left; }
};

// The element outside the chunks that a thread of the block behind does, if it is below numel. They
// are fewer than two chunks have, hence fewer than a block has threads.
TORCH_ELU_INLINE std::int64_t edge(const DenseSchedule& schedule, int thread) {
  return thread < schedule.head ? thread : schedule.body + thread;
}

// A thread's accesses to strided operands, by their numbers: `count` of them, kThreads apart, of
// the `all` that all threads do.
template <int count>
struct StridedAccesses {
  static constexpr std::uint32_t tile = kThreads * count;  // of a block

  std::uint32_t first;

  TORCH_ELU_INLINE StridedAccesses(std::uint32_t block, std::uint32_t thread)
      : first(block * tile + thread) {}

  TORCH_ELU_INLINE std::uint32_t number(int access) const { return first + access * kThreads; }
  TORCH_ELU_INLINE bool has(int access, std::uint32_t all) const { return number(access) < all; }

  static unsigned blocks(std::uint32_t all) { return (all + tile - 1) / tile; }
};

}  // namespace torch_elu::cuda

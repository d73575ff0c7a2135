// Which elements each thread of a dense kernel touches: plain arithmetic, for the host too, so that
// a test can walk through every thread of every launch.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "../number.h"

namespace torch_elu::cuda {

constexpr int kThreads = 128;  // of a block
// What a thread has under way of each operand. 2,048 threads of a multiprocessor make that 64 KiB;
// an H200, which reads 2.4 TB/s while it writes as much, needs 18 KiB on each of 132 if memory
// answers within a microsecond.
constexpr int kChunkBytes = 32;

// How a thread accesses its chunk, in operands of this alignment: in accesses as wide as it and the
// architecture allow, or, where they have no alignment of 16 bytes in common, element by element.
template <int element_size, int alignment, int widest_access>
struct Pattern {
  static constexpr bool is_wide = alignment >= 16;
  static constexpr int bytes = !is_wide                    ? element_size
                               : alignment < widest_access ? alignment
                                                           : widest_access;
  static constexpr int width = bytes / element_size;
  // Element by element, a thread does no more of them than there are floats in a chunk.
  static constexpr int chunk = kChunkBytes / (is_wide || element_size > 4 ? element_size : 4);
  static constexpr int count = chunk / width;
};

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

// A run of elements: whole chunks, one for each thread, and what lies before and behind them, which
// is left to a block of its own.
struct Run {
  std::int64_t numel;
  std::int64_t body;  // elements in whole chunks
  int head;           // elements before them
  unsigned blocks;    // for the chunks

  Run(std::int64_t numel, int head, int chunk)
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

  TORCH_ELU_INLINE Accesses(const Run& run, std::int64_t block, int thread) {
    constexpr int tile = step * count;
    const std::int64_t rest = run.body - block * tile;
    first = run.head + block * tile + thread * width;
    left = static_cast<int>(rest < tile ? rest : tile) - thread * width;
  }

  TORCH_ELU_INLINE bool has(int access) const { return access * step < left; }
};

// The element outside the chunks that a thread of the block behind does, if it is below numel. They
// are fewer than two chunks have, hence fewer than a block has threads.
TORCH_ELU_INLINE std::int64_t edge(const Run& run, int thread) {
  return thread < run.head ? thread : run.body + thread;
}

}  // namespace torch_elu::cuda

// Which elements the threads of a CUDA kernel touch, counted on the CPU: every thread of every
// launch.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/cuda/offsets.h"
#include "kernels/cuda/schedule.h"

namespace torch_elu::cuda {
namespace {

// Walks through all threads of a launch as dense_kernel and staged_kernel do, and counts.
template <typename P>
std::vector<int> touched(std::int64_t numel, int head) {
  const DenseSchedule schedule(numel, head, P::chunk);
  std::vector<int> count(static_cast<std::size_t>(numel), 0);
  for (unsigned block = 0; block < schedule.blocks; ++block) {
    for (int thread = 0; thread < kThreads; ++thread) {
      const Accesses<P::width, P::count> accesses(schedule, block, thread);
      for (int i = 0; i < P::count && accesses.has(i); ++i) {
        const std::int64_t first = accesses.first + i * accesses.step;
        EXPECT_EQ((first - head) % P::width, 0);
        for (int element = 0; element < P::width; ++element) {
          count.at(static_cast<std::size_t>(first + element)) += 1;
        }
      }
    }
  }
  for (int thread = 0; schedule.has_edges() && thread < kThreads; ++thread) {
    const std::int64_t element = edge(schedule, thread);
    if (element < numel) count.at(static_cast<std::size_t>(element)) += 1;
  }
  return count;
}

// Element size, alignment of the operands, widest access of the architecture, inputs.
template <int size, int align, int widest, int inputs>
struct Launch {
  static constexpr int element_size = size, alignment = align;
  using P = Pattern<size, align, widest, inputs>;
};
// Of a staged launch.
template <int size, int inputs>
struct Staged {
  static constexpr int element_size = size, alignment = 16;
  using P = StagedPattern<size, inputs>;
};
using Launches = testing::Types<Launch<2, 32, 32, 1>, Launch<2, 32, 16, 1>, Launch<2, 16, 16, 1>,
                                Launch<2, 16, 32, 2>, Launch<2, 2, 16, 1>, Launch<4, 32, 32, 1>,
                                Launch<4, 32, 16, 1>, Launch<4, 16, 32, 1>, Launch<4, 4, 16, 2>,
                                Launch<8, 32, 32, 1>, Launch<8, 32, 16, 2>, Launch<8, 16, 32, 1>,
                                Launch<8, 8, 16, 1>, Staged<2, 1>, Staged<2, 2>, Staged<4, 1>,
                                Staged<4, 2>, Staged<8, 1>, Staged<8, 2>>;

template <typename L>
struct DenseKernel : testing::Test {};
TYPED_TEST_SUITE(DenseKernel, Launches);

TYPED_TEST(DenseKernel, TouchesEveryElementOnceForEverySizeAndOffset) {
  constexpr int size = TypeParam::element_size, alignment = TypeParam::alignment;
  for (int head = 0; head < alignment / size; ++head) {
    for (std::int64_t numel = 0; numel <= 4096; ++numel) {
      const auto count = touched<typename TypeParam::P>(numel, head);
      const std::vector<int> once(static_cast<std::size_t>(numel), 1);
      ASSERT_EQ(count, once) << "numel " << numel << ", head " << head;
    }
  }
}

TYPED_TEST(DenseKernel, TouchesEveryElementOnceAroundTheTilesEnds) {
  using P = typename TypeParam::P;
  constexpr std::int64_t tile = std::int64_t{kThreads} * P::chunk;
  for (std::int64_t numel = 3 * tile - 2 * P::chunk; numel <= 3 * tile + 2 * P::chunk; ++numel) {
    const auto count = touched<P>(numel, 0);
    const std::vector<int> once(static_cast<std::size_t>(numel), 1);
    ASSERT_EQ(count, once) << "numel " << numel;
  }
}

TYPED_TEST(DenseKernel, CountsBeyond32Bits) {
  using P = typename TypeParam::P;
  using A = Accesses<P::width, P::count>;
  const std::int64_t numel = (std::int64_t{1} << 36) + 5;
  const DenseSchedule schedule(numel, 1, P::chunk);
  EXPECT_EQ(A(schedule, 0, 0).first, 1);
  const std::int64_t tile = std::int64_t{kThreads} * P::chunk;
  for (const std::int64_t block :
       {std::int64_t{schedule.blocks} - 1, std::int64_t{schedule.blocks} / 2}) {
    EXPECT_EQ(A(schedule, block, 3).first, 1 + block * tile + 3 * P::width);
  }
  const A last(schedule, schedule.blocks - 1, 0);
  EXPECT_EQ(last.first + last.left, 1 + schedule.body);
  EXPECT_LT(numel - 1 - schedule.body, P::chunk);
  EXPECT_EQ(edge(schedule, 1), 1 + schedule.body);
}

// Walks through all threads of a launch as strided_kernel does.
template <int count>
std::vector<int> touched_strided(std::uint32_t all) {
  using A = StridedAccesses<count>;
  std::vector<int> times(all, 0);
  for (std::uint32_t block = 0; block < A::blocks(all); ++block) {
    for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
      const A accesses(block, thread);
      for (int i = 0; i < count && accesses.has(i, all); ++i) times.at(accesses.number(i)) += 1;
    }
  }
  return times;
}

TEST(StridedKernel, DoesEveryAccessOnceForEveryNumberOfThem) {
  for (std::uint32_t all = 0; all <= 4096; ++all) {
    const std::vector<int> once(all, 1);
    ASSERT_EQ(touched_strided<2>(all), once) << all;
    ASSERT_EQ(touched_strided<4>(all), once) << all;
  }
}

TEST(StridedKernel, CountsUpTo31Bits) {
  using A = StridedAccesses<4>;
  constexpr std::uint32_t most = (std::uint32_t{1} << 31) - 1;
  const A last(A::blocks(most) - 1, kThreads - 1);
  EXPECT_EQ(last.number(3), most);  // whose number is one too high
  EXPECT_TRUE(last.has(2, most));
  EXPECT_FALSE(last.has(3, most));
}

// Of floats on an H200: 132 multiprocessors, of 16 blocks each.
TEST(Staging, IsForWhatThenRunsInOneWaveAndElseWouldNot) {
  constexpr unsigned wave = 132 * 16;
  const auto blocks = [](std::int64_t numel, int chunk) {
    return DenseSchedule(numel, 0, chunk).blocks;
  };
  const auto usual = [&](std::int64_t numel) {
    return blocks(numel, Pattern<4, 16, 16, 1>::chunk);
  };
  const auto staged = [&](std::int64_t numel) { return blocks(numel, StagedPattern<4, 1>::chunk); };
  for (std::int64_t numel = 1; numel < std::int64_t{1} << 34; numel += 1 + numel / 64) {
    EXPECT_FALSE(is_staged(staged(numel), usual(numel), 0)) << "without asynchronous copies";
    if (is_staged(staged(numel), usual(numel), wave)) {
      EXPECT_LE(staged(numel), wave) << numel;
      EXPECT_GT(usual(numel), wave) << numel;
    }
  }
  for (const std::int64_t faster : {1 << 21, 1 << 22}) {  // as measured: docs/gpu/README.md
    EXPECT_TRUE(is_staged(staged(faster), usual(faster), wave));
  }
}

// By the compute capability's limits, which CUDA's programming guide lists.
TEST(Staging, HasAsManyBlocksAsThreadsAndSharedMemoryAllow) {
  EXPECT_EQ(staged_wave(132, 2048, 228 << 10, 1 << 10), 132U * 16);  // H200
  EXPECT_EQ(staged_wave(108, 2048, 164 << 10, 1 << 10), 108U * 16);  // A100
  EXPECT_EQ(staged_wave(58, 1536, 100 << 10, 1 << 10), 58U * 11);    // L4
}

TEST(Alignment, HeadAlignsEveryOperandOrThereIsNone) {
  alignas(64) static std::byte memory[256];
  for (const int size : {2, 4, 8}) {
    for (const int alignment : {16, 32}) {
      for (int out = 0; out < 64; out += size) {
        for (int in = 0; in < 64; in += size) {
          const int head = elements_before_aligned({memory + out, memory + in}, size, alignment);
          if ((out - in) % alignment != 0) {
            EXPECT_EQ(head, -1);
          } else {
            EXPECT_EQ((out + head * size) % alignment, 0);
            EXPECT_EQ((in + head * size) % alignment, 0);
            EXPECT_LT(head * size, alignment);
          }
        }
      }
    }
  }
}

TEST(Divisor, DividesAsTheProcessorDoes) {
  constexpr std::uint32_t most = (std::uint32_t{1} << 31) - 1;
  std::mt19937 generator(5);
  const auto random = [&] { return static_cast<std::uint32_t>(generator()) & most; };
  for (int i = 0; i < 200'000; ++i) {
    const std::uint32_t divisor = 1 + random() % (most >> i % 31);
    const Divisor by(divisor);
    for (const std::uint32_t x :
         {0U, 1U, divisor - 1, divisor, most, most / divisor * divisor, random(), random()}) {
      ASSERT_EQ(by.quotient(x), x / divisor) << x << " / " << divisor;
    }
  }
}

}  // namespace
}  // namespace torch_elu::cuda

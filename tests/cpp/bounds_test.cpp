// The bare kernels read and write their elements and not a byte beside them: every size up to
// several steps of vectors, every alignment. Plain, under AddressSanitizer (make sanitize) and
// under valgrind (make valgrind).
#include <gtest/gtest.h>

#include <vector>

#include "fenced_memory.h"
#include "operations.h"
#include "reference.h"

namespace torch_elu::cpu {
namespace {

using tests::FencedMemory;
using tests::Operation;
using Place = FencedMemory::Place;

constexpr std::ptrdiff_t kMost = 300;

// Of the three ways that the kernels have, by coefficients: the unit's, the fast and the general
// path.
template <typename T>
std::vector<Coefficients<T>> all_coefficients() {
  return {{1, 1, 1}, {1.6732632423543772, 1.0507009873554805, 1}, {-1, 1, -1}};
}

// Where the operands of one call lie: their strides in elements, the offset of their addresses.
struct Layout {
  std::ptrdiff_t n;
  std::ptrdiff_t out_stride = 1, stride = 1;
  std::size_t out_offset = 0, grad_offset = 0, offset = 0;
  Place place = Place::last;
  Store store = Store::cached;
};

template <typename T>
class KernelBounds : public testing::Test {
 protected:
  // Bits of every kind: what is in memory must not matter to where it is read.
  KernelBounds() : bytes_(kMost * 3 * sizeof(T)) {
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      bytes_[i] = static_cast<unsigned char>(i * 167 + i / 256 * 41);
    }
  }

  void run(const KernelTable& table, Operation operation, const Coefficients<T>& coefficients,
           const Layout& at) {
    T* const out = place(out_, at, at.out_stride, at.out_offset);
    out_.forget();
    const T* const grad = place(grad_, at, at.stride, at.grad_offset);
    grad_.fill(bytes_.data());
    const T* const x = place(x_, at, at.stride, at.offset);
    x_.fill(bytes_.data());

    tests::run_kernel(table, operation, coefficients, out, at.out_stride, grad, at.stride, x,
                      at.stride, at.n, at.store);
    const bool is_dense = at.out_stride == 1 || at.out_stride == -1;
    ASSERT_TRUE(!is_dense || out_.is_defined());
    ASSERT_TRUE(out_.is_untouched_outside() && grad_.is_untouched_outside() &&
                x_.is_untouched_outside());
  }

  template <typename Check>
  void for_all(const Check& check) {
    for (const KernelTable* table : reference::kernel_tables()) {
      for (const Operation operation : tests::kOperations) {
        for (const auto& coefficients : all_coefficients<T>()) {
          SCOPED_TRACE(testing::Message()
                       << table->name << ", operation " << static_cast<int>(operation) << ", alpha "
                       << coefficients.scaled_alpha);
          check(*table, operation, coefficients);
          if (this->HasFatalFailure()) return;
          // These have one way for all coefficients.
          if (operation == Operation::backward_from_result || tests::is_plus_one(operation)) break;
        }
      }
    }
  }

 private:
  // The first element's address, in a run of just the elements from the first to the last.
  static T* place(FencedMemory& memory, const Layout& at, std::ptrdiff_t stride,
                  std::size_t offset) {
    const std::ptrdiff_t extent = at.n == 0 ? 0 : (at.n - 1) * std::abs(stride) + 1;
    unsigned char* const run =
        memory.run(static_cast<std::size_t>(extent) * sizeof(T), offset, at.place);
    return reinterpret_cast<T*>(run) + (stride < 0 ? extent - 1 : 0);
  }

  std::vector<unsigned char> bytes_;
  FencedMemory out_{bytes_.size()}, grad_{bytes_.size()}, x_{bytes_.size()};
};
using Types = testing::Types<float, double, Float16, BFloat16>;
TYPED_TEST_SUITE(KernelBounds, Types, );

TYPED_TEST(KernelBounds, hold_at_every_size_and_alignment) {
  this->for_all([&](const auto& table, auto operation, const auto& coefficients) {
    for (std::ptrdiff_t n = 0; n <= kMost; ++n) {
      for (std::size_t offset = 0; offset < 64; ++offset) {
        // Each operand comes to every offset, and to those of the others in turn.
        Layout at{.n = n, .out_offset = offset};
        at.grad_offset = (5 * offset + 3 * static_cast<std::size_t>(n)) % 64;
        at.offset = (offset + static_cast<std::size_t>(n)) % 64;
        for (const Store store : {Store::cached, Store::streaming}) {
          at.store = store;
          ASSERT_NO_FATAL_FAILURE(this->run(table, operation, coefficients, at))
              << n << " at " << offset;
        }
      }
    }
  });
}

TYPED_TEST(KernelBounds, hold_next_to_the_page_before) {
  this->for_all([&](const auto& table, auto operation, const auto& coefficients) {
    for (std::ptrdiff_t n = 0; n <= kMost; ++n) {
      for (const Store store : {Store::cached, Store::streaming}) {
        const Layout at{.n = n, .place = Place::first, .store = store};
        ASSERT_NO_FATAL_FAILURE(this->run(table, operation, coefficients, at)) << n;
      }
    }
  });
}

TYPED_TEST(KernelBounds, hold_with_strides) {
  this->for_all([&](const auto& table, auto operation, const auto& coefficients) {
    for (std::ptrdiff_t n = 0; n <= kMost; ++n) {
      for (const std::ptrdiff_t out_stride : {1, 3, -2}) {
        for (const std::ptrdiff_t stride : {0, 1, 2, -1}) {
          for (const Place place : {Place::first, Place::last}) {
            Layout at{.n = n, .out_stride = out_stride, .stride = stride, .place = place};
            ASSERT_NO_FATAL_FAILURE(this->run(table, operation, coefficients, at))
                << n << " with strides " << out_stride << ", " << stride;
          }
        }
      }
    }
  });
}

// Otherwise the tests above would show nothing.
TEST(FencedMemoryDeathTest, ends_the_process_at_the_first_byte_outside) {
  FencedMemory memory(kMost);
  const volatile unsigned char* run = memory.run(kMost, 64 - kMost % 64, Place::last);
  EXPECT_DEATH((void)run[kMost], "");
  run = memory.run(kMost, 0, Place::first);
  EXPECT_DEATH((void)run[-1], "");
}

}  // namespace
}  // namespace torch_elu::cpu

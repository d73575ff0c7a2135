// Memory: none is lost over a million calls, and where there is no more the call says so and the
// process goes on.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch_elu/functional.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>

namespace {

// Of this thread's allocations the one so many from now fails; below zero none does.
thread_local int64_t failing_allocation = -1;

bool is_to_fail() { return failing_allocation >= 0 && failing_allocation-- == 0; }

}  // namespace

// In place of the C library's, for PyTorch and operator new, too: the executable's symbols come
// first.
extern "C" {

void* __libc_malloc(std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) { return is_to_fail() ? nullptr : __libc_malloc(bytes); }

int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  *memory = is_to_fail() ? nullptr : __libc_memalign(alignment, bytes);
  return *memory == nullptr ? ENOMEM : 0;
}

}  // extern "C"

namespace {

int64_t resident_bytes() {
  int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

struct Memory {
  int64_t resident = resident_bytes();
  auto in_use() const { return static_cast<int64_t>(heap.uordblks + heap.hblkhd); }
  struct mallinfo2 heap = mallinfo2();
};

// A hundredth of the calls come first, so that caches are filled and the heap has its size.
template <typename Call>
void expect_no_growth(int calls, const Call& call) {
  for (int i = 0; i < calls / 100; ++i) call();
  const Memory before;
  for (int i = 0; i < calls; ++i) call();
  const Memory after;
  // Less than the smallest block, 32 bytes, at one call of a hundred.
  EXPECT_LT(after.in_use() - before.in_use(), calls / 4) << "of the heap, after " << calls;
  EXPECT_LT(after.resident - before.resident, int64_t{1} << 20) << "resident, after " << calls;
}

const at::Tensor& input() {
  static const at::Tensor x = at::linspace(-8, 8, 100);
  return x;
}

TEST(Memory, AMillionCallsKeepNone) {
  const auto& x = input();
  auto in_place = x.clone(), out = at::empty_like(x), strided = at::empty({100, 2}).select(1, 0);
  expect_no_growth(200'000, [&] {
    torch_elu::elu(x, 0.5);
    torch_elu::elu_(in_place, 0.5);
    torch_elu::elu_out(out, x, 0.5);
    torch_elu::elu_out(strided, x, 0.5);
    torch_elu::elu_backward(x, 1, 1, 1, false, x);
    torch_elu::elu_plus_one(x);
  });
}

TEST(Memory, ThreeHundredThousandGraphsKeepNone) {
  const auto x = input().clone().requires_grad_();
  const auto ones = at::ones_like(x);
  expect_no_growth(100'000, [&] {
    torch::autograd::grad({torch_elu::elu(x, 0.5, 2, 1)}, {x}, {ones});
    auto y = x * 1;
    torch::autograd::grad({torch_elu::elu_(y, 0.5)}, {x}, {ones});
    torch::autograd::grad({torch_elu::elu_plus_one(x)}, {x}, {ones});
  });
}

TEST(Memory, AHundredThousandGraphsThatNoBackwardWentThroughKeepNone) {
  const auto x = input().clone().requires_grad_();
  expect_no_growth(50'000, [&] {
    auto y = x * 1, z = x * 1;
    torch_elu::elu_(y, 0.5);
    auto view = z.slice(0, 10, 90);
    torch_elu::elu_(view, 0.5);
  });
}

TEST(Memory, AMillionErrorsKeepNone) {
  const auto integers = at::ones({3}, at::kInt);
  const auto x = input().clone().requires_grad_();
  auto wrong_dtype = at::empty({100}, at::kDouble), y = x * 1;
  auto expanded = at::ones({1}).expand({1 << 20});
  int64_t errors = 0;
  const auto expect_error = [&](const auto& call) {
    try {
      call();
    } catch (const c10::Error&) {
      ++errors;
    }
  };
  expect_no_growth(200'000, [&] {
    expect_error([&] { torch_elu::elu(integers); });
    expect_error([&] { torch_elu::elu_out(wrong_dtype, input()); });
    expect_error([&] { torch_elu::elu_(y, -1); });
    expect_error([&] { torch_elu::elu(input(), 1e300); });
    expect_error([&] { torch_elu::elu_(expanded); });
  });
  EXPECT_EQ(errors, 202'000 * 5);
}

// After an error: the operator does what it should.
void expect_usable() {
  const auto& x = input();
  const auto expected = at::where(x > 0, x, at::expm1(x));
  EXPECT_TRUE(at::allclose(torch_elu::elu(x), expected, 1e-6));
}

TEST(Memory, ATensorLargerThanTheAddressSpaceIsAnError) {
  const auto huge = at::full({1}, -1.0).expand({int64_t{1} << 50});
  const auto leaf = at::full({1}, -1.0).requires_grad_();
  EXPECT_THROW(torch_elu::elu(huge), c10::Error);
  EXPECT_THROW(torch_elu::elu(leaf.expand({int64_t{1} << 50})), c10::Error);
  EXPECT_THROW(torch_elu::elu_backward(huge, 1, 1, 1, false, huge), c10::Error);
  auto out = at::empty({0});
  EXPECT_THROW(torch_elu::elu_out(out, huge), c10::Error);
  expect_usable();
}

// Lets the process have so many bytes more than it has, as long as it lives.
class AddressSpaceLimit {
 public:
  explicit AddressSpaceLimit(int64_t more) {
    getrlimit(RLIMIT_AS, &before_);
    int64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(pages * sysconf(_SC_PAGESIZE) + more);
    setrlimit(RLIMIT_AS, &limit);
  }
  ~AddressSpaceLimit() { setrlimit(RLIMIT_AS, &before_); }
  AddressSpaceLimit(const AddressSpaceLimit&) = delete;
  AddressSpaceLimit& operator=(const AddressSpaceLimit&) = delete;

 private:
  rlimit before_{};
};

TEST(Memory, WhereTheSystemHasNoMoreTheCallIsAnErrorAndTheNextOneWorks) {
  auto x = at::linspace(-8, 8, int64_t{32} << 20);  // 128 MiB
  const auto leaf = x.detach().clone().requires_grad_();
  {
    const AddressSpaceLimit limit(int64_t{64} << 20);
    EXPECT_THROW(torch_elu::elu(x), c10::Error);
    EXPECT_THROW(torch_elu::elu(leaf), c10::Error);
    EXPECT_THROW(torch_elu::elu_backward(x, 1, 1, 1, false, x), c10::Error);
    expect_usable();
    torch_elu::elu_(x);  // needs none
  }
  EXPECT_TRUE(at::equal(torch_elu::elu(leaf.detach()), x));
}

// Fails the first allocation of a call, in another call the second, and so on, until there are no
// more. Returns how many there were.
int64_t expect_error_at_every_allocation(const std::function<at::Tensor()>& call) {
  for (int64_t allocation = 0; allocation < 1000; ++allocation) {
    at::Tensor result;
    failing_allocation = allocation;
    bool is_error = false;
    try {
      result = call();
    } catch (const std::exception&) {
      is_error = true;
    }
    const bool has_failed = failing_allocation < 0;
    failing_allocation = -1;
    EXPECT_EQ(is_error, has_failed) << "at allocation " << allocation;
    expect_usable();
    if (!has_failed) return allocation;
  }
  ADD_FAILURE() << "the call allocates without end";
  return 0;
}

TEST(Memory, EveryAllocationMayFail) {
  const auto& x = input();
  const auto leaf = x.clone().requires_grad_();
  auto in_place = x.clone(), strided = at::empty({100, 2}).select(1, 0);
  const auto expect_errors = [](int64_t least, const std::function<at::Tensor()>& call) {
    EXPECT_GE(expect_error_at_every_allocation(call), least);
  };
  expect_errors(2, [&] { return torch_elu::elu(x, 0.5); });
  expect_errors(2, [&] { return torch_elu::elu(strided, 0.5); });
  expect_errors(0, [&] { return torch_elu::elu_(in_place, 0.5); });
  expect_errors(0, [&] { return torch_elu::elu_out(strided, x, 0.5); });
  expect_errors(3, [&] { return torch_elu::elu(leaf, 0.5, 2.0); });
  const auto options = torch_elu::ELUFuncOptions().alpha(0.5).scale(2.0).save_output(true);
  expect_errors(3, [&] { return torch_elu::elu(leaf, options); });
  expect_errors(3, [&] { return torch_elu::elu_backward(x, 1, 1, 1, false, leaf); });
  expect_errors(2, [&] { return torch_elu::elu_plus_one(x); });
  expect_errors(3, [&] { return torch_elu::elu_plus_one(leaf); });
}

}  // namespace

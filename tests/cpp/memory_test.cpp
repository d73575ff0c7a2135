// Where there is no more memory the call says so and the process goes on.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch_elu/functional.h>

#include <cerrno>
#include <cstdlib>
#include <functional>

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

const at::Tensor& input() {
  static const at::Tensor x = at::linspace(-8, 8, 100);
  return x;
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

// Fails the first allocation of a call, in another call the second, and so on, until there are no
// more. Returns how many there were.
int64_t expect_error_at_every_allocation(const std::function<at::Tensor()>& call) {
  call();  // what is allocated once, by the first call, is not for this test
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

// Several threads at once, and several threads within one call.

#include <gtest/gtest.h>
#include <torch/torch.h>
#include <torch_elu/torch_elu.h>

#include <atomic>
#include <thread>
#include <vector>

namespace {

// Calls body(index) on so many threads at once, and returns when all are done.
template <typename Body>
void on_threads(int count, const Body& body) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&body, i] { body(i); });
  }
  for (auto& thread : threads) {
    thread.join();
  }
}

// What one thread finds must be what it finds alone, whatever number of threads it asks for between
// its calls; the others do not see that number. 300,000 elements are split between threads, 3,000
// are not.
class ThreadsInFlight : public testing::TestWithParam<int64_t> {
 protected:
  // Everything that reads `x`, five times over.
  static int count_wrong(const torch::Tensor& x) {
    const auto grad = torch::ones_like(x);
    const auto expected = reference(x);
    int wrong = 0;
    const auto of_plus_one = torch_elu::elu_plus_one(x);
    for (int round = 0; round < 5; ++round) {
      torch::set_num_threads(1 + round % 3);
      auto in_place = x.clone();
      torch_elu::elu_(in_place, 0.5);
      auto out = torch::empty_like(x);
      torch_elu::elu_out(out, x, 0.5);
      const auto result = torch_elu::elu(x, 0.5);
      const auto slope = torch_elu::elu_backward(grad, 0.5, 1, 1, /*is_result=*/true, result);
      wrong += static_cast<int>(!is_close(result, expected)) +
               static_cast<int>(!torch::equal(in_place, result)) +
               static_cast<int>(!torch::equal(out, result)) +
               static_cast<int>(!torch::equal(torch_elu::elu_plus_one(x), of_plus_one)) +
               static_cast<int>(!is_close(slope, torch::where(x > 0, 1, expected + 0.5)));
    }
    return wrong;
  }

  // Sixteen threads, each on `input(index)`.
  template <typename Input>
  static int count_wrong_in_flight(const Input& input) {
    const int before = torch::get_num_threads();
    std::atomic<int> wrong = 0;
    on_threads(16, [&](int index) { wrong += count_wrong(input(index)); });
    torch::set_num_threads(before);
    return wrong;
  }

 private:
  static torch::Tensor reference(const torch::Tensor& x) {
    const auto wide = x.to(torch::kDouble);
    return torch::where(wide > 0, wide, 0.5 * torch::expm1(wide)).to(torch::kFloat);
  }
  static bool is_close(const torch::Tensor& actual, const torch::Tensor& expected) {
    return torch::allclose(actual, expected, 3e-7, 1e-7);
  }
};

TEST_P(ThreadsInFlight, SixteenHaveTensorsOfTheirOwn) {
  EXPECT_EQ(count_wrong_in_flight(
                [&](int index) { return torch::linspace(-8 - index, 8, GetParam() + index); }),
            0);
}

TEST_P(ThreadsInFlight, SixteenReadOneTensor) {
  const auto shared = torch::linspace(-8, 8, GetParam());
  const auto before = shared.clone();
  EXPECT_EQ(count_wrong_in_flight([&](int) { return shared; }), 0);
  EXPECT_TRUE(torch::equal(shared, before));
}

TEST_P(ThreadsInFlight, SixteenGraphsLeadToOneLeaf) {
  const auto leaf = torch::linspace(-8, 8, GetParam()).requires_grad_();
  on_threads(16, [&](int) { torch_elu::elu(leaf, 0.5).sum().backward(); });
  const auto slope =
      torch_elu::elu_backward(torch::ones_like(leaf), 0.5, 1, 1, false, leaf.detach());
  EXPECT_TRUE(torch::allclose(leaf.grad(), 16 * slope, 3e-6));
}

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadsInFlight, testing::Values(3'000, 300'000));

}  // namespace

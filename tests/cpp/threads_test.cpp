// Several threads at once, and several threads within one call.

#include <gtest/gtest.h>
#include <torch/torch.h>
#include <torch_elu/torch_elu.h>

#include <string>
#include <thread>
#include <vector>

namespace {

TEST(Threads, SixteenMayCallAtOnce) {
  const auto shared = torch::linspace(-8, 8, 300'000);
  const auto expected = torch_elu::elu(shared);
  const auto expected_grad =
      torch_elu::elu_backward(torch::ones_like(shared), 1, 1, 1, false, shared);
  std::vector<int> same(16, 0);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < same.size(); ++i) {
    threads.emplace_back([&, i] {
      auto own = shared.clone().requires_grad_();
      const auto result = torch_elu::elu(own);
      result.sum().backward();
      same[i] = torch::equal(result, expected) && torch::equal(torch_elu::elu(shared), expected) &&
                torch::equal(own.grad(), expected_grad);
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(same, std::vector<int>(16, 1));
}

TEST(Threads, AnyNumberGivesTheSameBits) {
  const auto x = torch::randn({3'000'001});
  torch::set_num_threads(1);
  const auto expected = torch_elu::elu(x);
  const auto expected_grad = torch_elu::elu_backward(x, 1, 1, 1, false, x);
  for (const int threads : {2, 3, 5}) {
    torch::set_num_threads(threads);
    EXPECT_TRUE(torch::equal(torch_elu::elu(x), expected));
    EXPECT_TRUE(torch::equal(torch_elu::elu_backward(x, 1, 1, 1, false, x), expected_grad));
  }
}

}  // namespace

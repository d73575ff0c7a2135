// What a C++ app does on a GPU: the bits of the CPU.

#include <gtest/gtest.h>
#include <torch/torch.h>
#include <torch_elu/torch_elu.h>

namespace {

class OnGpu : public testing::TestWithParam<torch::ScalarType> {
 protected:
  void SetUp() override {
    if (torch_elu::cuda_version().empty()) GTEST_SKIP() << "this build has no CUDA kernels";
    if (!torch::cuda::is_available()) GTEST_SKIP() << "no GPU is available to PyTorch";
  }

  // As integers, so that -0 is not 0.
  static torch::Tensor bits(const torch::Tensor& x) {
    return x.contiguous().view(x.element_size() == 8   ? torch::kLong
                               : x.element_size() == 4 ? torch::kInt
                                                       : torch::kShort);
  }

  template <typename Function>
  void expect_bits_of_the_cpu(const Function& function) {
    const auto result = function(input_.to(torch::kCUDA));
    EXPECT_TRUE(result.is_cuda());
    EXPECT_TRUE(torch::equal(bits(result.cpu()), bits(function(input_))));
  }

  torch::Tensor input_ = torch::linspace(-20, 20, 30003, torch::kDouble).to(GetParam());
};

TEST_P(OnGpu, FunctionsGiveTheBitsOfTheCpu) {
  using torch::Tensor;
  expect_bits_of_the_cpu([](const Tensor& x) { return torch_elu::elu(x, 0.3); });
  expect_bits_of_the_cpu([](const Tensor& x) { return torch_elu::selu(x); });
  expect_bits_of_the_cpu([](const Tensor& x) { return torch_elu::celu(x.view({-1, 3}).t(), 0.7); });
  expect_bits_of_the_cpu([](const Tensor& x) { return torch_elu::elu_plus_one(x); });
  expect_bits_of_the_cpu([](const Tensor& x) {
    auto result = x.clone();
    return torch_elu::elu_(result, 0.3);
  });
}

TEST_P(OnGpu, ModulesAndTheirGradientsGiveTheBitsOfTheCpu) {
  for (const bool inplace : {false, true}) {
    torch_elu::ELU module(torch_elu::ELUOptions(0.3).inplace(inplace));
    expect_bits_of_the_cpu([&](const torch::Tensor& x) {
      const auto leaf = x.clone().requires_grad_();
      return torch::autograd::grad({module(leaf * 1)}, {leaf}, {x})[0];
    });
  }
}

TEST_P(OnGpu, TheGuardLeavesPyTorchsCudaKernelsAlone) {
  const auto x = input_.to(torch::kCUDA);
  const auto before = torch::elu(x);
  const torch_elu::OverrideAten override_aten;
  EXPECT_TRUE(torch::equal(torch::elu(x), before));
  EXPECT_TRUE(torch::equal(torch::elu(input_), torch_elu::elu(input_)));
}

TEST_P(OnGpu, TheGuardPutsOurCudaKernelsUnderPyTorchsFunctionsIfAsked) {
  const torch_elu::OverrideAten override_aten(torch_elu::OverrideAtenOptions().cuda(true));
  expect_bits_of_the_cpu([](const torch::Tensor& x) { return torch::elu(x, 0.3); });
  expect_bits_of_the_cpu([](const torch::Tensor& x) {
    const auto leaf = x.clone().requires_grad_();
    return torch::autograd::grad({torch::elu(leaf, 0.3)}, {leaf}, {x})[0];
  });
}

INSTANTIATE_TEST_SUITE_P(Dtypes, OnGpu,
                         testing::Values(torch::kDouble, torch::kFloat, torch::kHalf,
                                         torch::kBFloat16));

}  // namespace

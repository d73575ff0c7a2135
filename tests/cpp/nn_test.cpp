// The C++ modules beside those of torch::nn.

#include <gtest/gtest.h>
#include <torch/torch.h>
#include <torch_elu/torch_elu.h>

#include <memory>
#include <sstream>
#include <type_traits>
#include <utility>

namespace {

const auto kInput = torch::linspace(-4, 4, 101);

template <typename Module>
std::string printed(const Module& module) {
  std::ostringstream stream;
  stream << module;
  return stream.str();
}

TEST(Modules, GiveWhatTorchGives) {
  EXPECT_TRUE(torch::allclose(torch_elu::ELU(0.5)(kInput),
                              torch::nn::ELU(torch::nn::ELUOptions().alpha(0.5))(kInput)));
  EXPECT_TRUE(torch::allclose(torch_elu::SELU()(kInput), torch::nn::SELU()(kInput)));
  EXPECT_TRUE(torch::allclose(torch_elu::CELU(0.5)(kInput),
                              torch::nn::CELU(torch::nn::CELUOptions().alpha(0.5))(kInput)));
}

TEST(Modules, InPlaceWritesIntoTheInput) {
  const auto run = [](auto module) {
    const auto expected = module->forward(kInput.clone());
    module->options.inplace(true);
    auto input = kInput.clone();
    const auto output = module->forward(input);
    EXPECT_EQ(output.data_ptr(), input.data_ptr());
    EXPECT_TRUE(torch::equal(input, expected));
  };
  run(torch_elu::ELU(0.5));
  run(torch_elu::SELU());
  run(torch_elu::CELU(0.5));
}

TEST(Modules, SaveOutputRefusesANegativeAlphaWhereAGradientIsRecorded) {
  const auto run = [](auto module) {
    EXPECT_NO_THROW(module(kInput));
    EXPECT_THROW(module(kInput.clone().requires_grad_()), c10::Error);
  };
  run(torch_elu::ELU(torch_elu::ELUOptions(-1.0).save_output(true)));
  run(torch_elu::CELU(torch_elu::CELUOptions(-1.0).save_output(true)));
}

TEST(Modules, PrintTheirOptions) {
  EXPECT_EQ(printed(torch_elu::ELU()), "torch_elu::ELU(alpha=1)");
  EXPECT_EQ(printed(torch_elu::ELU(torch_elu::ELUOptions(0.5).inplace(true))),
            "torch_elu::ELU(alpha=0.5, inplace=true)");
  EXPECT_EQ(printed(torch_elu::ELU(torch_elu::ELUOptions(2.0).save_output(true))),
            "torch_elu::ELU(alpha=2, save_output=true)");
  EXPECT_EQ(printed(torch_elu::SELU()), "torch_elu::SELU()");
  EXPECT_EQ(printed(torch_elu::SELU(true)), "torch_elu::SELU(inplace=true)");
  EXPECT_EQ(printed(torch_elu::CELU(torch_elu::CELUOptions(0.5).inplace(true))),
            "torch_elu::CELU(alpha=0.5, inplace=true)");
  EXPECT_EQ(printed(torch_elu::CELU(torch_elu::CELUOptions(2.0).save_output(true))),
            "torch_elu::CELU(alpha=2, save_output=true)");
}

TEST(Modules, StandInSequentialAndAreClonedSavedAndLoadedWithTheirOptions) {
  torch::nn::Sequential network(torch::nn::Linear(3, 3), torch_elu::ELU(0.5), torch_elu::SELU(),
                                torch_elu::CELU(2.0));
  const auto clone = std::dynamic_pointer_cast<torch::nn::SequentialImpl>(network->clone());
  const auto x = torch::randn({5, 3});
  EXPECT_TRUE(torch::equal(network->forward(x), clone->forward(x)));
  EXPECT_EQ(clone->ptr<torch_elu::ELUImpl>(1)->options.alpha(), 0.5);
  EXPECT_NE(clone->ptr<torch_elu::ELUImpl>(1), network->ptr<torch_elu::ELUImpl>(1));
  std::stringstream stream;
  torch::save(network, stream);
  const torch::NoGradGuard no_grad;
  clone->ptr<torch::nn::LinearImpl>(0)->weight.zero_();
  torch::nn::Sequential loaded(clone);
  torch::load(loaded, stream);
  EXPECT_TRUE(torch::equal(network->forward(x), loaded->forward(x)));
}

TEST(Modules, LearnAnAlphaForEachChannel) {
  const auto x = torch::randn({2, 3, 4, 5});
  const auto negative = x.clamp_max(0);
  const auto check = [&](auto module, const auto& expected) {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : module->parameters()) {
      parameter.uniform_(0.5, 2);
    }
    EXPECT_TRUE(torch::allclose(module->forward(x), torch::where(x > 0, expected(*module).first,
                                                                 expected(*module).second)));
    const auto clone =
        std::dynamic_pointer_cast<typename std::remove_reference_t<decltype(*module)>>(
            module->clone());
    EXPECT_TRUE(torch::equal(clone->forward(x), module->forward(x)));
  };
  const auto along = [](const at::Tensor& parameter) { return parameter.view({3, 1, 1}); };
  check(torch_elu::ParametricELU(3),
        [&](const auto& module) { return std::pair(x, along(module.alpha) * negative.expm1()); });
  check(torch_elu::ParametricCELU(3), [&](const auto& module) {
    return std::pair(x, along(module.alpha) * (negative / along(module.alpha)).expm1());
  });
  check(torch_elu::PELU(3), [&](const auto& module) {
    const auto a = along(module.a), b = along(module.b);
    return std::pair(a / b * x, a * (negative / b).expm1());
  });
  torch_elu::ParametricELU module(torch_elu::ParametricELUOptions(3).init(0.5));
  module(x).sum().backward();
  EXPECT_TRUE(torch::allclose(module->alpha.grad(), negative.expm1().sum({0, 2, 3})));
  EXPECT_EQ(printed(module), "torch_elu::ParametricELU(num_parameters=3)");
}

}  // namespace

// PyTorch's activations in TorchScript models become operators of this library.

#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/torch.h>
#include <torch_elu/torch_elu.h>

#include <sstream>
#include <string>

namespace {

// Some of these values are rounded otherwise by PyTorch's kernels.
torch::Tensor make_input() { return torch::linspace(-8, 2, 30000); }

torch::Tensor run(torch::jit::Module& model, const torch::Tensor& x) {
  return model.forward({x}).toTensor();
}

torch::jit::Module save_and_load(const torch::jit::Module& model) {
  std::stringstream stream;
  model.save(stream);
  return torch::jit::load(stream);
}

torch::jit::Module model_of(const std::string& body) {
  torch::jit::Module model("Model");
  model.define("def forward(self, x: Tensor) -> Tensor:\n" + body);
  return model;
}

TEST(Convert, EachOfTheSixBecomesOurOperatorAndStaysSoWhenSaved) {
  auto model = model_of(
      "  x = torch.elu(x, 0.3)\n"
      "  x = torch.elu_(x, 0.4, 1.7, 0.6)\n"
      "  x = torch.celu(x, 0.7)\n"
      "  x = torch.celu_(x * 2, 0.5)\n"
      "  x = torch.selu(x - 1)\n"
      "  return torch.selu_(x - 1)\n");
  const auto x = make_input();
  const auto before = run(model, x);
  EXPECT_EQ(torch_elu::convert(model), 6);

  auto expected = torch_elu::elu(torch_elu::elu(x, 0.3), 0.4, 1.7, 0.6);
  expected = torch_elu::celu(torch_elu::celu(expected, 0.7) * 2, 0.5);
  expected = torch_elu::selu(torch_elu::selu(expected - 1) - 1);
  EXPECT_FALSE(torch::equal(before, expected));
  auto loaded = save_and_load(model);
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(torch::equal(run(model, x), expected));
    EXPECT_TRUE(torch::equal(run(loaded, x), expected));
  }
  EXPECT_EQ(torch_elu::convert(loaded), 0);
}

TEST(Convert, OtherHandlesKeepTheOldCodeAndShareTheParameters) {
  torch::jit::Module model("Model");
  model.register_parameter("weight", torch::ones({1}), /*is_buffer=*/false);
  model.register_buffer("mean", torch::zeros({1}));
  model.register_attribute("training", c10::BoolType::get(), true);
  model.define("def forward(self, x: Tensor) -> Tensor:\n  return torch.elu(x * self.weight)\n");
  torch::jit::Module other = model;
  const auto x = make_input();
  torch_elu::convert(model);
  EXPECT_TRUE(torch::equal(run(model, x), torch_elu::elu(x)));
  EXPECT_TRUE(torch::equal(run(other, x), torch::elu(x)));
  EXPECT_FALSE(torch::equal(run(other, x), torch_elu::elu(x)));
  EXPECT_EQ(model.attr("weight").toTensor().data_ptr(), other.attr("weight").toTensor().data_ptr());
  EXPECT_EQ(model.parameters().size(), 1);
  EXPECT_EQ(model.buffers().size(), 1);
  model.eval();
  EXPECT_FALSE(model.is_training());
}

TEST(Convert, SaveOutputIsPassedOnWhereAlphaAllowsIt) {
  const auto x = torch::linspace(-3, 3, 7).requires_grad_();
  const auto saves_output = [&](const std::string& body) {
    auto model = model_of(body);
    torch_elu::convert(model, torch_elu::ConvertOptions().save_output(true));
    auto y = run(model, x);
    // Written to after the forward, a saved output refuses the backward.
    const auto loss = y.sum();
    {
      const torch::NoGradGuard no_grad;
      y.add_(1);
    }
    try {
      torch::autograd::grad({loss}, {x});
      return false;
    } catch (const c10::Error&) {
      return true;
    }
  };
  EXPECT_TRUE(saves_output("  return torch.elu(x, 0.5)\n"));
  EXPECT_FALSE(saves_output("  return torch.elu(x, -0.5)\n"));
  EXPECT_TRUE(saves_output("  return torch.celu(x, 0.5)\n"));
  EXPECT_FALSE(saves_output("  return torch.celu(x, -0.5)\n"));
  EXPECT_FALSE(saves_output("  return torch.selu(x)\n"));
}

TEST(Convert, AModelWithNothingToReplaceStaysTheSameObjectAndLeavesNothingBehind) {
  for (const auto* const body :
       {"  return torch.relu(x)\n", "  if False:\n    x = torch.elu(x)\n  return x\n",
        "  if 1 > 2:\n    x = torch.elu(x)\n  return x\n"}) {
    auto model = model_of(body);
    const auto object = model._ivalue();
    const auto unit = object->compilation_unit();
    const auto functions = unit->get_functions().size();
    const auto code = model.get_method("forward").graph()->toString();
    EXPECT_EQ(torch_elu::convert(model), 0);
    EXPECT_EQ(model._ivalue(), object);
    EXPECT_EQ(unit->get_functions().size(), functions);
    EXPECT_EQ(model.get_method("forward").graph()->toString(), code);
  }
}

TEST(Revert, ConvertedModelsComputeAgainWhatTheyDid) {
  auto model = model_of(
      "  x = torch.elu(x, 0.3)\n"
      "  x = torch.elu_(x * 1, 0.4, 1.7, 0.6)\n"
      "  x = torch.celu(x, 0.7)\n"
      "  return torch.selu(x - 1)\n");
  const auto x = make_input();
  const auto before = run(model, x);
  torch_elu::convert(model, torch_elu::ConvertOptions().save_output(true));
  EXPECT_FALSE(torch::equal(run(model, x), before));
  EXPECT_EQ(torch_elu::revert(model), 4);
  auto loaded = save_and_load(model);
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(torch::equal(run(model, x), before));
    EXPECT_TRUE(torch::equal(run(loaded, x), before));
  }
  EXPECT_EQ(torch_elu::revert(loaded), 0);
}

}  // namespace

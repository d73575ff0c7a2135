// The C++ functions of the installed library, through PyTorch's dispatcher.

#include <gtest/gtest.h>
#include <torch/torch.h>
#include <torch_elu/torch_elu.h>

#include <limits>
#include <string>
#include <tuple>

namespace {

using torch_elu::CELUFuncOptions;
using torch_elu::ELUFuncOptions;
using torch_elu::SELUFuncOptions;

// The formula by PyTorch's own exp and expm1.
torch::Tensor reference(const torch::Tensor& x, double alpha, double scale, double input_scale) {
  return torch::where(x > 0, scale * x, alpha * scale * torch::expm1(input_scale * x));
}

torch::Tensor reference_slope(const torch::Tensor& x, double alpha, double scale,
                              double input_scale) {
  return torch::where(x > 0, scale, alpha * scale * input_scale * torch::exp(input_scale * x));
}

void expect_close(const torch::Tensor& actual, const torch::Tensor& expected) {
  EXPECT_TRUE(torch::allclose(actual, expected, 1e-15, /*atol=*/0)) << actual << expected;
}

const auto kInput = torch::linspace(-8, 8, 1001, torch::kDouble);

TEST(Functional, EachIsItsFormula) {
  expect_close(torch_elu::elu(kInput), reference(kInput, 1, 1, 1));
  expect_close(torch_elu::elu(kInput, 0.5, 2.0, 0.25), reference(kInput, 0.5, 2.0, 0.25));
  expect_close(torch_elu::selu(kInput),
               reference(kInput, 1.6732632423543772, 1.0507009873554805, 1));
  // 0.1 would not be the same in float32.
  expect_close(torch_elu::celu(kInput, 0.1), reference(kInput, 0.1, 1, 1 / 0.1));
  const auto plus_one = torch_elu::elu_plus_one(kInput);
  expect_close(plus_one, torch::where(kInput > 0, kInput + 1, torch::exp(kInput)));
  const auto ones = torch::ones_like(kInput);
  expect_close(torch_elu::elu_backward(ones, 0.5, 2, 0.25, false, kInput),
               reference_slope(kInput, 0.5, 2, 0.25));
  expect_close(torch_elu::elu_plus_one_backward(ones, plus_one), reference_slope(kInput, 1, 1, 1));
}

// On Arm by other means than on x86: FPCR takes vectors along, and the conversions of float16 not.
TEST(Functional, FlushedSubnormalsChangeNoOtherBits) {
  for (const auto dtype : {torch::kDouble, torch::kFloat, torch::kHalf, torch::kBFloat16}) {
    const auto x = kInput.to(dtype), ones = torch::ones_like(x);
    const auto results = [&] {
      return std::tuple(torch_elu::elu(x, 0.3), torch_elu::elu_backward(ones, 0.3, 1, 1, false, x),
                        torch_elu::elu_plus_one(x));
    };
    const auto [value, slope, plus_one] = results();
    if (!at::globalContext().setFlushDenormal(true)) GTEST_SKIP() << "this processor cannot";
    const bool is_on = std::numeric_limits<float>::min() * ones[0].item<float>() / 2 == 0;
    const auto [value_then, slope_then, plus_one_then] = results();
    at::globalContext().setFlushDenormal(false);
    EXPECT_TRUE(is_on);
    EXPECT_TRUE(torch::equal(value_then, value));
    EXPECT_TRUE(torch::equal(slope_then, slope));
    EXPECT_TRUE(torch::equal(plus_one_then, plus_one));
  }
}

TEST(Functional, InPlaceAndOutGiveTheSameBits) {
  const auto expected = torch_elu::elu(kInput, 0.5);
  auto in_place = kInput.clone();
  EXPECT_EQ(torch_elu::elu_(in_place, 0.5).data_ptr(), in_place.data_ptr());
  EXPECT_TRUE(torch::equal(in_place, expected));
  auto out = torch::empty({0}, torch::kDouble);
  torch_elu::elu_out(out, kInput, 0.5);
  EXPECT_TRUE(torch::equal(out, expected));
  auto selu_in_place = kInput.clone();
  EXPECT_TRUE(torch::equal(torch_elu::selu_(selu_in_place), torch_elu::selu(kInput)));
  auto celu_in_place = kInput.clone();
  EXPECT_TRUE(torch::equal(torch_elu::celu_(celu_in_place, 0.5), torch_elu::celu(kInput, 0.5)));
}

TEST(Functional, OptionsGiveWhatArgumentsGive) {
  const auto x = torch::linspace(-8, 2, 1001);
  EXPECT_TRUE(torch::equal(torch_elu::elu(x, ELUFuncOptions()), torch_elu::elu(x)));
  EXPECT_TRUE(
      torch::equal(torch_elu::elu(x, ELUFuncOptions().alpha(0.3).scale(1.7).input_scale(0.6)),
                   torch_elu::elu(x, 0.3, 1.7, 0.6)));
  EXPECT_TRUE(
      torch::equal(torch_elu::celu(x, CELUFuncOptions().alpha(0.3)), torch_elu::celu(x, 0.3)));
  for (const auto& [of_options, expected] :
       {std::tuple(
            +[](const torch::Tensor& x) {
              return torch_elu::elu(x, ELUFuncOptions().alpha(0.3).inplace(true));
            },
            torch_elu::elu(x, 0.3)),
        std::tuple(
            +[](const torch::Tensor& x) {
              return torch_elu::selu(x, SELUFuncOptions().inplace(true));
            },
            torch_elu::selu(x)),
        std::tuple(
            +[](const torch::Tensor& x) {
              return torch_elu::celu(x, CELUFuncOptions().alpha(0.3).inplace(true));
            },
            torch_elu::celu(x, 0.3))}) {
    const auto in_place = x.clone();
    EXPECT_EQ(of_options(in_place).data_ptr(), in_place.data_ptr());
    EXPECT_TRUE(torch::equal(in_place, expected));
  }
}

TEST(Functional, SaveOutputSavesTheOutput) {
  const auto x = torch::linspace(-3, 3, 7).requires_grad_();
  const auto is_output_saved = [](const torch::Tensor& y) {
    // Written to after the forward, a saved output refuses the backward.
    const auto loss = y.sum();
    {
      const torch::NoGradGuard no_grad;
      torch::Tensor(y).add_(1);
    }
    try {
      loss.backward();
      return false;
    } catch (const c10::Error&) {
      return true;
    }
  };
  EXPECT_TRUE(is_output_saved(torch_elu::elu(x, ELUFuncOptions().save_output(true))));
  EXPECT_TRUE(is_output_saved(torch_elu::celu(x, CELUFuncOptions().save_output(true))));
  EXPECT_FALSE(is_output_saved(torch_elu::elu(x, ELUFuncOptions())));
  EXPECT_FALSE(is_output_saved(torch_elu::celu(x, CELUFuncOptions())));
  EXPECT_FALSE(is_output_saved(torch_elu::elu(x)));
}

TEST(Functional, CeluRefusesAlphaZero) {
  auto x = torch::ones({1});
  EXPECT_THROW(torch_elu::celu(x, 0), c10::Error);
  EXPECT_THROW(torch_elu::celu(x, CELUFuncOptions().alpha(0)), c10::Error);
  EXPECT_THROW(torch_elu::celu_(x, 0), c10::Error);
}

TEST(Functional, VersionsAreTold) {
  EXPECT_FALSE(torch_elu::version().empty());
  const std::string capability = torch_elu::cpu_capability();
  EXPECT_TRUE(capability == "avx512" || capability == "avx2" || capability == "baseline")
      << capability;
}

}  // namespace

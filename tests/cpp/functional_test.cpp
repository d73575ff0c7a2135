// The C++ functions of the installed library, through PyTorch's dispatcher.

#include <gtest/gtest.h>
#include <torch/torch.h>
#include <torch_elu/torch_elu.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "dispatch/operands.h"

namespace {

using torch_elu::CELUFuncOptions;
using torch_elu::ELUFuncOptions;
using torch_elu::SELUFuncOptions;

// The formula in float64 by PyTorch's own exp and expm1.
torch::Tensor reference(const torch::Tensor& x, double alpha, double scale, double input_scale) {
  const auto wide = x.to(torch::kDouble);
  return torch::where(wide > 0, scale * wide, alpha * scale * torch::expm1(input_scale * wide));
}

torch::Tensor reference_slope(const torch::Tensor& x, double alpha, double scale,
                              double input_scale) {
  const auto wide = x.to(torch::kDouble);
  return torch::where(wide > 0, torch::full_like(wide, scale),
                      alpha * scale * input_scale * torch::exp(input_scale * wide));
}

// One unit in the last place of a number beyond 1 for the halves, which are computed in float32;
// a few for float32 and float64, whose references and coefficients have rounding errors, too.
double relative_tolerance(torch::ScalarType dtype) {
  switch (dtype) {
    case torch::kDouble:
      return 1e-15;
    case torch::kFloat:
      return 3e-7;
    case torch::kHalf:
      return 1e-3;
    default:
      return 8e-3;
  }
}

class FunctionalTest : public testing::TestWithParam<torch::ScalarType> {
 protected:
  void expect_close(const torch::Tensor& actual, const torch::Tensor& expected) {
    EXPECT_EQ(actual.scalar_type(), GetParam());
    EXPECT_TRUE(torch::allclose(actual.to(torch::kDouble), expected, relative_tolerance(GetParam()),
                                /*atol=*/0))
        << actual << expected;
  }
  torch::Tensor input_ = torch::linspace(-8, 8, 1001, torch::kDouble).to(GetParam());
};

TEST_P(FunctionalTest, EluIsTheFormula) {
  expect_close(torch_elu::elu(input_), reference(input_, 1, 1, 1));
  expect_close(torch_elu::elu(input_, 0.5, 2.0, 0.25), reference(input_, 0.5, 2.0, 0.25));
}

TEST_P(FunctionalTest, SeluUsesTheConstantsOfThePaper) {
  expect_close(torch_elu::selu(input_),
               reference(input_, 1.6732632423543772, 1.0507009873554805, 1));
}

TEST_P(FunctionalTest, CeluDividesByAlpha) {
  // 0.1 would not be the same in float32.
  expect_close(torch_elu::celu(input_, 0.1), reference(input_, 0.1, 1, 1 / 0.1));
}

TEST_P(FunctionalTest, AnInputScaleOfZeroGivesZeroForEveryNegativeNumber) {
  const double lowest = GetParam() == torch::kHalf     ? -65504
                        : GetParam() == torch::kDouble ? std::numeric_limits<double>::lowest()
                                                       : -3e38;
  const auto x = torch::tensor({lowest, lowest / 2, -1.0, -1e-5}, torch::kDouble).to(GetParam());
  for (const double alpha : {-8.0, 0.5, 1.0, 8.0, 1e30}) {
    EXPECT_TRUE(torch::equal(torch_elu::elu(x, alpha, 1, 0), torch::zeros_like(x))) << alpha;
  }
}

TEST_P(FunctionalTest, InPlaceAndOutGiveTheSameBits) {
  const auto expected = torch_elu::elu(input_, 0.5);
  auto in_place = input_.clone();
  EXPECT_EQ(torch_elu::elu_(in_place, 0.5).data_ptr(), in_place.data_ptr());
  EXPECT_TRUE(torch::equal(in_place, expected));
  auto out = torch::empty({0}, input_.options());
  torch_elu::elu_out(out, input_, 0.5);
  EXPECT_TRUE(torch::equal(out, expected));
  auto selu_in_place = input_.clone();
  EXPECT_TRUE(torch::equal(torch_elu::selu_(selu_in_place), torch_elu::selu(input_)));
  auto celu_in_place = input_.clone();
  EXPECT_TRUE(torch::equal(torch_elu::celu_(celu_in_place, 0.5), torch_elu::celu(input_, 0.5)));
}

TEST_P(FunctionalTest, TheGradientIsTheSlope) {
  const double tolerance = relative_tolerance(GetParam());
  for (const bool save_output : {false, true}) {
    auto x = input_.clone().requires_grad_();
    torch_elu::elu(x, ELUFuncOptions().alpha(0.5).scale(2.0).save_output(save_output))
        .sum()
        .backward();
    // From the output, which is near -1, a small slope has the output's error.
    EXPECT_TRUE(torch::allclose(x.grad().to(torch::kDouble), reference_slope(x, 0.5, 2.0, 1.0),
                                tolerance, save_output ? tolerance : 0));
  }
}

TEST_P(FunctionalTest, EluPlusOneIsTheFormula) {
  auto x = input_.clone().requires_grad_();
  const auto y = torch_elu::elu_plus_one(x);
  const auto wide = input_.to(torch::kDouble);
  expect_close(y.detach(), torch::where(wide > 0, wide + 1, torch::exp(wide)));
  y.sum().backward();
  expect_close(x.grad(), reference_slope(input_, 1, 1, 1));
}

INSTANTIATE_TEST_SUITE_P(Dtypes, FunctionalTest,
                         testing::Values(torch::kDouble, torch::kFloat, torch::kHalf,
                                         torch::kBFloat16),
                         [](const auto& info) { return std::string(torch::toString(info.param)); });

TEST(Functional, DerivativesOfEveryOrderExist) {
  const auto x =
      torch::tensor({-2.0, -0.5, 0.0, 1.0}, torch::dtype(torch::kDouble).requires_grad(true));
  torch::Tensor derivative = torch_elu::elu(x, 0.5, 2.0, 3.0);
  for (int order = 1; order <= 4; ++order) {
    derivative = torch::autograd::grad({derivative.sum()}, {x}, {}, true, true)[0];
    // On the exponential side, which 0 belongs to, every derivative is the one before times
    // input_scale.
    const auto expected =
        torch::where(x > 0, order == 1 ? 2.0 : 0.0, std::pow(3.0, order) * torch::exp(3.0 * x));
    EXPECT_TRUE(torch::allclose(derivative, expected, 1e-14, 0)) << order;
  }
}

TEST(Functional, DerivativesOfEluPlusOneOfEveryOrderExist) {
  const auto x =
      torch::tensor({-30.0, -0.5, 0.0, 1.0}, torch::dtype(torch::kDouble).requires_grad(true));
  torch::Tensor derivative = torch_elu::elu_plus_one(x);
  for (int order = 1; order <= 4; ++order) {
    derivative = torch::autograd::grad({derivative.sum()}, {x}, {}, true, true)[0];
    const auto expected = torch::where(x > 0, order == 1 ? 1.0 : 0.0, torch::exp(x));
    EXPECT_TRUE(torch::allclose(derivative, expected, 1e-14, 0)) << order;
  }
}

TEST(Functional, AWrongDtypeIsNamed) {
  try {
    torch_elu::elu(torch::ones({2}, torch::kInt));
    FAIL() << "no error";
  } catch (const c10::NotImplementedError& error) {
    EXPECT_NE(std::string(error.what()).find("torch_elu::elu"), std::string::npos);
  }
}

TEST(Functional, NegativeAlphaInPlaceIsRefusedBeforeTheDataChanges) {
  auto x = torch::full({3}, -1.0, torch::requires_grad());
  auto y = x * 1;
  EXPECT_THROW(torch_elu::elu_(y, -0.5), c10::Error);
  EXPECT_TRUE(torch::equal(y, x));
  const torch::NoGradGuard no_grad;
  EXPECT_NO_THROW(torch_elu::elu_(y, -0.5));
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

TEST(Functional, AnAlphaWhoseInverseOverflowsIsNamed) {
  for (const auto dtype : {torch::kFloat, torch::kHalf, torch::kBFloat16}) {
    auto x = torch::ones({2}, dtype);
    for (const auto& call : std::vector<std::function<void()>>{
             [&] { torch_elu::celu(x, 1e-300); }, [&] { torch_elu::celu_(x, 1e-300); }}) {
      try {
        call();
        FAIL() << "no error";
      } catch (const c10::Error& error) {
        const std::string message = error.what_without_backtrace();
        EXPECT_NE(message.find("celu(alpha=1e-300): 1 / alpha"), std::string::npos) << message;
        EXPECT_EQ(message.find("input_scale"), std::string::npos) << message;
      }
    }
  }
}

TEST(Functional, TensorsOfDifferentSizesAreNotOneRun) {
  const auto x = torch::empty({2, 3, 4}), transposed = torch::empty({4, 3, 2}).permute({2, 1, 0});
  EXPECT_TRUE(torch_elu::is_one_run(x, x.clone()));
  EXPECT_TRUE(torch_elu::is_one_run(transposed, torch::empty_like(transposed)));
  EXPECT_FALSE(torch_elu::is_one_run(x, transposed));
  EXPECT_FALSE(torch_elu::is_one_run(x, torch::empty({3, 3, 4})));
  EXPECT_FALSE(torch_elu::is_one_run(x, torch::empty({24})));
  EXPECT_FALSE(torch_elu::is_one_run(torch::empty({0}), torch::empty({4})));
}

TEST(Functional, VersionsAreTold) {
  EXPECT_FALSE(torch_elu::version().empty());
  const std::string capability = torch_elu::cpu_capability();
  EXPECT_TRUE(capability == "avx512" || capability == "avx2" || capability == "baseline")
      << capability;
}

}  // namespace

// The formula on plain numbers, without vectors, memory or tensors.
#include "math/formula.h"

#include <gtest/gtest.h>

#include <random>

#include "math/general.h"
#include "reference.h"

namespace torch_elu {
namespace {

template <typename number_t>
number_t value_of(double alpha, double scale, double input_scale, number_t x) {
  const Coefficients<number_t> coefficients(alpha, scale, input_scale);
  return coefficients.is_unit              ? unit_value(x, coefficients)
         : coefficients.takes_general_path ? general::value(x, coefficients)
                                           : value(x, coefficients);
}

template <typename number_t>
number_t slope_of(double alpha, double scale, double input_scale, number_t x) {
  const Coefficients<number_t> coefficients(alpha, scale, input_scale);
  return coefficients.is_unit              ? unit_slope(x, coefficients)
         : coefficients.takes_general_path ? general::slope(x, coefficients)
                                           : slope(x, coefficients);
}

// Wide enough for number_t, as the reference.
template <typename number_t>
using wide_t = std::conditional_t<std::is_same_v<number_t, float>, double, long double>;

template <typename number_t>
class Formula : public testing::Test {
 public:
  using limits = std::numeric_limits<number_t>;
};
using Numbers = testing::Types<float, double>;
TYPED_TEST_SUITE(Formula, Numbers, );

TYPED_TEST(Formula, has_a_shorter_way_to_the_same_bits_where_all_coefficients_are_one) {
  using limits = typename TestFixture::limits;
  using bits = bits_t<TypeParam>;
  const Coefficients<TypeParam> coefficients(1, 1, 1);
  ASSERT_TRUE(coefficients.is_unit);
  const auto expect_same = [&](TypeParam x) {
    EXPECT_EQ(bit_cast<bits>(unit_value(x, coefficients)), bit_cast<bits>(value(x, coefficients)))
        << x;
    EXPECT_EQ(bit_cast<bits>(unit_slope(x, coefficients)), bit_cast<bits>(slope(x, coefficients)))
        << x;
  };
  for (const TypeParam x :
       {TypeParam(0), limits::denorm_min(), limits::min(), limits::max(), limits::infinity()}) {
    expect_same(x);
    expect_same(-x);
  }
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> exponent(-40, 10);
  for (int i = 0; i < 1000000; ++i) {
    const auto x = static_cast<TypeParam>(std::exp2(exponent(random)));
    expect_same(i % 4 == 0 ? x : -x);
  }
}

TYPED_TEST(Formula, keeps_signed_zeros) {
  EXPECT_EQ(value_of<TypeParam>(1, 1, 1, 0), 0);
  EXPECT_FALSE(std::signbit(value_of<TypeParam>(1, 1, 1, 0)));
  EXPECT_TRUE(std::signbit(value_of<TypeParam>(1, 1, 1, TypeParam(-0.0))));
  EXPECT_TRUE(std::signbit(value_of<TypeParam>(-0.5, 1, -2, TypeParam(-0.0))));
}

TYPED_TEST(Formula, keeps_nan) {
  for (const double alpha : {1.0, -1.0, 0.0}) {
    for (const double input_scale : {1.0, -1.0, 0.0}) {
      for (const TypeParam nan :
           {TestFixture::limits::quiet_NaN(), -TestFixture::limits::quiet_NaN()}) {
        EXPECT_TRUE(std::isnan(value_of<TypeParam>(alpha, 1, input_scale, nan)));
        EXPECT_TRUE(std::isnan(slope_of<TypeParam>(alpha, 1, input_scale, nan)));
      }
    }
  }
}

TYPED_TEST(Formula, has_the_right_ends) {
  const TypeParam infinity = TestFixture::limits::infinity();
  EXPECT_EQ(value_of<TypeParam>(1, 1, 1, infinity), infinity);
  EXPECT_EQ(value_of<TypeParam>(1.5, 2, 1, -infinity), -3);
  EXPECT_EQ(slope_of<TypeParam>(1.5, 2, 1, -infinity), 0);
  EXPECT_EQ(slope_of<TypeParam>(1.5, 2, 1, infinity), 2);
  EXPECT_EQ(value_of<TypeParam>(1, 1, 1, TestFixture::limits::lowest()), -1);
  EXPECT_EQ(slope_of<TypeParam>(1, 1, 1, TestFixture::limits::lowest()), 0);
}

TYPED_TEST(Formula, slope_at_zero_is_that_of_the_exponential) {
  for (const TypeParam zero : {TypeParam(0.0), TypeParam(-0.0)}) {
    EXPECT_EQ(slope_of<TypeParam>(0.5, 3, 2, zero), 3);
    EXPECT_EQ(slope_of<TypeParam>(-0.5, 1, -4, zero), 2);
  }
}

TYPED_TEST(Formula, subnormal_inputs_come_out_unharmed) {
  using limits = typename TestFixture::limits;
  for (const TypeParam x : {limits::denorm_min(), limits::min() / 3, limits::min()}) {
    EXPECT_EQ(value_of<TypeParam>(1, 1, 1, -x), -x);
    EXPECT_EQ(value_of<TypeParam>(1, 1, 1, x), x);
    // alpha * input_scale is one: nothing may get lost in the product of x and input_scale alone.
    EXPECT_EQ(value_of<TypeParam>(10, 1, 0.1, -x), -x);
    EXPECT_EQ(value_of<TypeParam>(1e6, 1, 1e-6, -x), -x);
    EXPECT_EQ(value_of<TypeParam>(-1e6, 1, -1e-6, -x), -x);
  }
}

TYPED_TEST(Formula, slope_reaches_the_subnormals) {
  using limits = typename TestFixture::limits;
  const auto smallest = static_cast<TypeParam>(std::log(wide_t<TypeParam>(limits::denorm_min())));
  EXPECT_EQ(slope_of<TypeParam>(1, 1, 1, smallest), limits::denorm_min());
  EXPECT_EQ(slope_of<TypeParam>(1, 1, 1, smallest - 1), 0);
  // Thirty binades further down with a large slope at zero.
  EXPECT_EQ(slope_of<TypeParam>(0x1p30, 1, 1, smallest - 20),
            slope_of<TypeParam>(-0x1p30, 1, 1, smallest - 20) * -1);
  EXPECT_GT(slope_of<TypeParam>(0x1p30, 1, 1, smallest - 20), 0);
}

TYPED_TEST(Formula, is_within_two_ulp_for_all_sorts_of_coefficients) {
  std::mt19937_64 random(7);
  auto all = reference::parameters();
  for (const auto& p : reference::general_parameters()) all.push_back(p);
  for (const auto& p : all) {
    const reference::Exact<wide_t<TypeParam>> exact(p);
    std::uniform_real_distribution<double> exponent(-40, 8);
    for (int i = 0; i < 20000; ++i) {
      const auto x = static_cast<TypeParam>(-std::exp2(exponent(random)) / std::abs(p.input_scale));
      const TypeParam y = value_of<TypeParam>(p.alpha, p.scale, p.input_scale, x);
      const TypeParam slope = slope_of<TypeParam>(p.alpha, p.scale, p.input_scale, x);
      ASSERT_LE(reference::error_in_ulp(y, exact.value(x)), 2 * p.limit) << p.name << " at " << x;
      ASSERT_LE(reference::error_in_ulp(slope, exact.slope(x)), 2 * p.limit)
          << p.name << " at " << x;
    }
  }
}

TYPED_TEST(Formula, never_decreases_across_the_seam_of_two_steps) {
  const Coefficients<TypeParam> coefficients(1, 1, 1);
  for (int n = 0; n > -20; --n) {
    auto x = static_cast<TypeParam>((n - 0.5) * 0.6931471805599453);
    for (int i = 0; i < 50; ++i) x = std::nextafter(x, TypeParam(-100));
    for (int i = 0; i < 100; ++i) {
      const TypeParam next = std::nextafter(x, TypeParam(0));
      // Two results with an error below one ulp each may change places by one.
      EXPECT_GE(std::nextafter(value(next, coefficients), TypeParam(1)), value(x, coefficients));
      x = next;
    }
  }
}

TYPED_TEST(Formula, slope_from_result_agrees_with_the_slope) {
  const Coefficients<TypeParam> coefficients(1.5, 2, 0.5);
  for (const TypeParam x : {-30.0, -3.0, -1.0, -0.25, -1e-6, 0.0, 1e-6, 2.0}) {
    const TypeParam from_result = slope_from_result(value(x, coefficients), coefficients);
    EXPECT_NEAR(from_result, slope(x, coefficients), 2 * TestFixture::limits::epsilon());
  }
  EXPECT_TRUE(std::isnan(slope_from_result(TestFixture::limits::quiet_NaN(), coefficients)));
}

template <typename number_t>
number_t plus_one_of(number_t x) {
  return plus_one(x, Coefficients<number_t>(1, 1, 1));
}

TYPED_TEST(Formula, plus_one_is_the_exponential_up_to_zero_and_a_sum_beyond) {
  std::mt19937_64 random(13);
  const reference::Exact<wide_t<TypeParam>> exact(reference::plus_one);
  std::uniform_real_distribution<double> exponent(-40, 10);
  for (int i = 0; i < 100000; ++i) {
    const auto x = static_cast<TypeParam>(std::exp2(exponent(random)));
    ASSERT_EQ(plus_one_of(x), x + 1);
    ASSERT_LE(reference::error_in_ulp(plus_one_of(-x), exact.value(-x)), 1) << -x;
  }
  EXPECT_EQ(plus_one_of(TypeParam(0.0)), 1);
  EXPECT_EQ(plus_one_of(TypeParam(-0.0)), 1);
}

TYPED_TEST(Formula, plus_one_has_the_right_ends_and_keeps_nan) {
  using limits = typename TestFixture::limits;
  EXPECT_EQ(plus_one_of(limits::infinity()), limits::infinity());
  EXPECT_EQ(plus_one_of(limits::max()), limits::max());
  EXPECT_EQ(plus_one_of(-limits::infinity()), 0);
  EXPECT_FALSE(std::signbit(plus_one_of(-limits::infinity())));
  EXPECT_EQ(plus_one_of(limits::lowest()), 0);
  for (const TypeParam nan : {limits::quiet_NaN(), -limits::quiet_NaN()}) {
    EXPECT_TRUE(std::isnan(plus_one_of(nan)));
    EXPECT_TRUE(std::isnan(plus_one_slope(nan)));
  }
}

TYPED_TEST(Formula, plus_one_is_positive_down_to_the_smallest_number) {
  using limits = typename TestFixture::limits;
  const auto smallest = static_cast<TypeParam>(std::log(wide_t<TypeParam>(limits::denorm_min())));
  EXPECT_EQ(plus_one_of(smallest), limits::denorm_min());
  EXPECT_EQ(plus_one_of(smallest - 1), 0);
  // Where elu(x) + 1 is 0.
  const TypeParam x = sizeof(TypeParam) == 4 ? -18 : -38;
  EXPECT_EQ(value_of<TypeParam>(1, 1, 1, x) + 1, 0);
  EXPECT_GT(plus_one_of(x), 0);
}

TYPED_TEST(Formula, plus_one_slope_from_its_result_is_within_one_ulp) {
  std::mt19937_64 random(17);
  const reference::Exact<wide_t<TypeParam>> exact(reference::plus_one);
  std::uniform_real_distribution<double> exponent(-40, 11);
  for (int i = 0; i < 100000; ++i) {
    const auto x = static_cast<TypeParam>(std::exp2(exponent(random)) * (i % 4 == 0 ? 1 : -1));
    ASSERT_LE(reference::error_in_ulp(plus_one_slope(plus_one_of(x)), exact.slope(x)), 1) << x;
  }
}

TYPED_TEST(Formula, takes_coefficients_without_limits) {
  const TypeParam infinity = TestFixture::limits::infinity();
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(value_of<TypeParam>(inf, 1, 1, -1), -infinity);
  EXPECT_EQ(value_of<TypeParam>(inf, 1, 1, 1), 1);
  EXPECT_EQ(slope_of<TypeParam>(inf, 1, 1, -1), infinity);
  EXPECT_TRUE(std::isnan(value_of<TypeParam>(nan, 1, 1, -1)));
  EXPECT_TRUE(std::isnan(value_of<TypeParam>(1, 1, nan, -1)));
  EXPECT_EQ(value_of<TypeParam>(1, nan, 1, 0) == 0, false);
  EXPECT_EQ(value_of<TypeParam>(0, 1, 1, -1), 0);
  EXPECT_EQ(slope_of<TypeParam>(0, 1, 1, -1), 0);
  EXPECT_EQ(value_of<TypeParam>(1, 1, inf, -1), -1);
  EXPECT_EQ(value_of<TypeParam>(1, 1, -inf, -1), infinity);
  EXPECT_EQ(value_of<TypeParam>(1, 1, -1, -infinity), infinity);
  EXPECT_EQ(value_of<TypeParam>(1, 1, 0, -1), 0);
  EXPECT_EQ(slope_of<TypeParam>(2, 1, 0, -1), 0);
}

TEST(DoubleFormula, celu_with_tiny_and_huge_alpha) {
  EXPECT_DOUBLE_EQ(value_of<double>(1e-50, 1, 1e50, -1e-51), 1e-50 * std::expm1(-0.1));
  EXPECT_DOUBLE_EQ(value_of<double>(1e-50, 1, 1e50, -1.0), -1e-50);
  EXPECT_DOUBLE_EQ(value_of<double>(1e300, 1, 1e-300, -1e-10), -1e-10);
  EXPECT_DOUBLE_EQ(slope_of<double>(1e300, 1, 1e-300, -1e300), std::exp(-1.0));
}

TEST(FusedMultiplyAdd, is_the_library_one_with_or_without_the_instruction) {
  std::mt19937 random(3);
  const auto same = [](float a, float b, float c) {
    const float got = fma(a, b, c), wanted = std::fmaf(a, b, c);
    EXPECT_TRUE(bit_cast<std::uint32_t>(got) == bit_cast<std::uint32_t>(wanted) ||
                (std::isnan(got) && std::isnan(wanted)))
        << a << " * " << b << " + " << c;
  };
  for (int i = 0; i < 1000000; ++i) {
    const auto any = [&] { return bit_cast<float>(static_cast<std::uint32_t>(random())); };
    const float a = any(), b = any();
    same(a, b, any());
    // Sums that cancel, and halfway cases: the product and its neighbourhood.
    same(a, b, -a * b);
    same(a, b, std::nextafter(a * b, 0.0f) * 0x1p-24f);
    same(a, 1 + 0x1p-23f, a * 0x1p-24f);
    same(a * 0x1p-60f, b * 0x1p-60f, bit_cast<float>(bit_cast<std::uint32_t>(a) & 0x807fffff));
  }
}

}  // namespace
}  // namespace torch_elu

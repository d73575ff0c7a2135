// The formula on plain numbers, without vectors, memory or tensors.
#include "math/formula.h"

#include <gtest/gtest.h>

#include <random>

#include "math/parametric.h"
#include "reference.h"

namespace torch_elu {
namespace {

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
    EXPECT_EQ(bit_cast<bits>(unit_value(x, coefficients)),
              bit_cast<bits>(rounded_value(x, coefficients)))
        << x;
    EXPECT_EQ(bit_cast<bits>(unit_slope(x, coefficients)),
              bit_cast<bits>(rounded_slope(x, coefficients)))
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

TYPED_TEST(Formula, gives_the_same_bits_for_alphas_and_divisors_that_come_with_the_elements) {
  using bits = bits_t<TypeParam>;
  const auto alpha = TypeParam(0.7), divisor = TypeParam(0.3);
  const CoefficientsOfAlphas<TypeParam, TypeParam> of_alphas(Coefficients<TypeParam>(2, 1, 1),
                                                             alpha);
  const Coefficients<TypeParam> of_alpha(alpha, 1, 1), of_both(alpha, 1, 1 / double{divisor});
  const ColumnCoefficients<TypeParam, TypeParam> of_columns(of_both);
  const auto expect_same = [](TypeParam x, const auto& own, const auto& expected) {
    EXPECT_EQ(bit_cast<bits>(value(x, own)), bit_cast<bits>(value(x, expected))) << x;
    EXPECT_EQ(bit_cast<bits>(slope(x, own)), bit_cast<bits>(slope(x, expected))) << x;
    EXPECT_EQ(bit_cast<bits>(expm1(x, own)), bit_cast<bits>(expm1(x, expected))) << x;
  };
  EXPECT_EQ(bit_cast<bits>(unscaled_value(TypeParam(-0.0), of_alpha)),
            bit_cast<bits>(TypeParam(-0.0)));
  for (int i = -100000; i < 2000; ++i) {
    const auto x = static_cast<TypeParam>(1e-3 * i);
    expect_same(x, of_alphas, of_alpha);
    expect_same(x, of_columns, of_both);
    EXPECT_EQ(bit_cast<bits>(unscaled_value(x, of_alphas)), bit_cast<bits>(value(x, of_alpha)));
    EXPECT_EQ(bit_cast<bits>(scaled_value(x, of_columns)), bit_cast<bits>(value(x, of_both)));
  }
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

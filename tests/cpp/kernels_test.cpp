// The bare kernels: the same bits from each instruction set, whatever the layout in memory.
#include "kernels/cpu/kernels.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "kernels/cpu/simd/scalar.h"
#include "math/functions.h"
#include "operations.h"
#include "reference.h"
#if defined(__SSE2__) && !defined(__FMA__)
#include "kernels/cpu/simd/sse2.h"
#endif

namespace torch_elu::cpu {
namespace {

using tests::is_plus_one;
using tests::Operation;

template <typename T>
struct Type;
template <>
struct Type<float> {
  using bits = std::uint32_t;
};
template <>
struct Type<double> {
  using bits = std::uint64_t;
};
template <>
struct Type<Float16> {
  using bits = std::uint16_t;
};
template <>
struct Type<BFloat16> {
  using bits = std::uint16_t;
};

bool is_nan(float x) { return std::isnan(x); }
bool is_nan(double x) { return std::isnan(x); }
bool is_nan(Float16 x) { return (x.bits & 0x7fff) > 0x7c00; }
bool is_nan(BFloat16 x) { return (x.bits & 0x7fff) > 0x7f80; }

// Equal bits, or both NaN: their payloads differ between processors.
template <typename T>
bool same(T a, T b) {
  return (is_nan(a) && is_nan(b)) || std::memcmp(&a, &b, sizeof(T)) == 0;
}

// All halves; for the others the special numbers and a great many of every size.
template <typename T>
std::vector<T> inputs() {
  using bits = typename Type<T>::bits;
  std::vector<T> x(65536 + 7);
  std::mt19937_64 random(11);
  for (std::size_t i = 0; i < x.size(); ++i) {
    bits b = sizeof(T) == 2 ? static_cast<bits>(i) : static_cast<bits>(random());
    std::memcpy(&x[i], &b, sizeof(T));
    if constexpr (sizeof(T) > 2) {
      if (i % 2)
        x[i] = static_cast<T>(std::exp2(std::uniform_real_distribution<>(-30, 10)(random))) *
               (i % 8 == 1 ? 1 : -1);
    }
  }
  if constexpr (sizeof(T) > 2) {
    using limits = std::numeric_limits<T>;
    const T special[] = {0,
                         limits::denorm_min(),
                         limits::min(),
                         1,
                         limits::max(),
                         limits::infinity(),
                         limits::quiet_NaN()};
    std::size_t i = 0;
    for (const T each : special) {
      x[i++] = each;
      x[i++] = -each;
    }
  }
  return x;
}

template <typename T>
T one() {
  if constexpr (sizeof(T) == 2) {
    return T{static_cast<std::uint16_t>(std::is_same_v<T, Float16> ? 0x3c00 : 0x3f80)};
  } else {
    return 1;
  }
}

// Gradients that are numbers of every kind as well.
template <typename T>
std::vector<T> gradients(std::size_t n) {
  auto grad = inputs<T>();
  for (std::size_t i = 0; i < n; ++i) {
    if (i % 3 == 0) grad[i] = one<T>();
  }
  std::reverse(grad.begin(), grad.end());
  return grad;
}

struct Case {
  double alpha, scale, input_scale;
};
constexpr Case cases[] = {{1, 1, 1},         {1.6732632423543772, 1.0507009873554805, 1},
                          {0.3, 1, 1 / 0.3}, {-0.7, 1, 1},
                          {-2, 1, -0.5},     {1e-20, 1, 1},
                          {0, 1, 1}};

template <typename T>
void run(const KernelTable& table, Operation operation, const Case& c, T* out,
         std::ptrdiff_t out_stride, const T* grad, std::ptrdiff_t grad_stride, const T* x,
         std::ptrdiff_t x_stride, std::ptrdiff_t n, Store store = Store::cached) {
  tests::run_kernel(table, operation, Coefficients<T>(c.alpha, c.scale, c.input_scale), out,
                    out_stride, grad, grad_stride, x, x_stride, n, store);
}

template <typename T>
std::vector<T> one_by_one(const KernelTable& table, Operation operation, const Case& c,
                          const std::vector<T>& grad, const std::vector<T>& x) {
  std::vector<T> out(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    run<T>(table, operation, c, &out[i], 1, &grad[i], 1, &x[i], 1, 1);
  }
  return out;
}

template <typename T>
class KernelsOf : public testing::Test {
 protected:
  // Calls check(table, operation, case, inputs, gradients, what the baseline gives one by one).
  template <typename Check>
  void for_all(const Check& check) {
    const auto x = inputs<T>(), grad = gradients<T>(x.size());
    for (const Case& c : cases) {
      for (const Operation operation : tests::kOperations) {
        if (is_plus_one(operation) && &c != &cases[0]) continue;
        const auto wanted = one_by_one(kernels_baseline, operation, c, grad, x);
        for (const KernelTable* table : reference::kernel_tables()) {
          SCOPED_TRACE(testing::Message() << table->name << ", operation "
                                          << static_cast<int>(operation) << ", alpha " << c.alpha);
          check(*table, operation, c, x, grad, wanted);
        }
      }
    }
  }

  static void expect_same(T got, T wanted, T x, std::size_t i) {
    if (same(got, wanted)) return;
    typename Type<T>::bits bits[3];
    std::memcpy(&bits[0], &x, sizeof(T));
    std::memcpy(&bits[1], &got, sizeof(T));
    std::memcpy(&bits[2], &wanted, sizeof(T));
    FAIL() << std::hex << "input " << bits[0] << " at " << i << ": " << bits[1] << ", not "
           << bits[2];
  }
};
using Types = testing::Types<float, double, Float16, BFloat16>;
TYPED_TEST_SUITE(KernelsOf, Types, );

TYPED_TEST(KernelsOf, every_instruction_set_gives_the_same_bits) {
  this->for_all([&](const auto& table, auto operation, const Case& c, const auto& x,
                    const auto& grad, const auto& wanted) {
    auto out = x;
    const auto n = static_cast<std::ptrdiff_t>(x.size());
    run<TypeParam>(table, operation, c, out.data(), 1, grad.data(), 1, x.data(), 1, n);
    for (std::size_t i = 0; i < x.size(); ++i) this->expect_same(out[i], wanted[i], x[i], i);
  });
}

// In vectors general.h takes shorter ways than one number at a time, as on CUDA; and there is a way
// of its own where alpha * scale is 0.
TYPED_TEST(KernelsOf, coefficients_of_any_kind_give_the_bits_of_single_numbers) {
  using T = TypeParam;
  using Lanes = scalar::Lanes<T>;
  constexpr double inf = std::numeric_limits<double>::infinity();
  constexpr double kinds[] = {0.0,    -0.0,   1,     -0.5,  inf,   -inf, std::nan(""),
                              5e-324, -1e-45, 1e-30, -1e30, 1e300, 3e38};
  const auto all = inputs<T>();
  std::vector<T> x(all.begin(), all.begin() + 16);
  for (std::size_t i = 16; i < all.size(); i += 201) x.push_back(all[i]);
  const auto n = static_cast<std::ptrdiff_t>(x.size());
  const auto grad = gradients<T>(x.size());
  std::vector<T> out(x.size());
  const auto expect = [&](const KernelTable& table, Operation operation, const Case& c,
                          const std::vector<T>& wanted) {
    run(table, operation, c, out.data(), 1, grad.data(), 1, x.data(), 1, n);
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_TRUE(same(out[i], wanted[i]))
          << table.name << ", " << c.alpha << ", " << c.scale << ", " << c.input_scale << " at "
          << Lanes::load(&x[i]) << ": " << Lanes::load(&out[i]) << ", expected "
          << Lanes::load(&wanted[i]);
    }
  };
  std::vector<T> value(x.size()), gradient(x.size());
  for (const double alpha : kinds) {
    for (const double scale : kinds) {
      for (const double input_scale : kinds) {
        const Coefficients<T> coefficients(alpha, scale, input_scale);
        if (!coefficients.takes_general_path) continue;
        const GeneralValue<T> single_value{coefficients};
        const GeneralBackward<T> single_backward{coefficients};
        for (std::size_t i = 0; i < x.size(); ++i) {
          const auto input = Lanes::load(&x[i]);
          Lanes::store(&value[i], single_value(input));
          Lanes::store(&gradient[i], single_backward(Lanes::load(&grad[i]), input));
        }
        for (const auto* table : reference::kernel_tables()) {
          const Case c{alpha, scale, input_scale};
          expect(*table, Operation::forward, c, value);
          expect(*table, Operation::backward_from_input, c, gradient);
        }
      }
    }
  }
}

TYPED_TEST(KernelsOf, in_place_gives_the_same_bits) {
  this->for_all([&](const auto& table, auto operation, const Case& c, const auto& x,
                    const auto& grad, const auto& wanted) {
    const auto n = static_cast<std::ptrdiff_t>(x.size());
    for (const std::ptrdiff_t stride : {1, 3}) {
      auto data = x, more = grad;
      const std::ptrdiff_t count = (n + stride - 1) / stride;
      run<TypeParam>(table, operation, c, data.data(), stride, grad.data(), stride, data.data(),
                     stride, count);
      if (takes_gradient(operation)) {
        run<TypeParam>(table, operation, c, more.data(), stride, more.data(), stride, x.data(),
                       stride, count);
      }
      for (std::size_t i = 0; i < x.size(); ++i) {
        const bool touched = i % static_cast<std::size_t>(stride) == 0;
        this->expect_same(data[i], touched ? wanted[i] : x[i], x[i], i);
        if (!takes_gradient(operation)) continue;
        this->expect_same(more[i], touched ? wanted[i] : grad[i], x[i], i);
      }
    }
  });
}

TYPED_TEST(KernelsOf, strides_give_the_same_bits_and_touch_nothing_between) {
  this->for_all([&](const auto& table, auto operation, const Case& c, const auto& x,
                    const auto& grad, const auto& wanted) {
    for (const std::ptrdiff_t out_stride : {1, 2, -3}) {
      for (const std::ptrdiff_t stride : {1, 5, -1}) {
        const std::ptrdiff_t n = 1003;  // more than one buffer, and an odd rest
        const std::ptrdiff_t start = stride < 0 ? (n - 1) * -stride : 0;
        const std::ptrdiff_t out_start = out_stride < 0 ? (n - 1) * -out_stride : 0;
        std::vector<TypeParam> out(static_cast<std::size_t>(n * std::abs(out_stride)),
                                   one<TypeParam>());
        run<TypeParam>(table, operation, c, out.data() + out_start, out_stride, grad.data() + start,
                       stride, x.data() + start, stride, n);
        for (std::ptrdiff_t i = 0; i < n; ++i) {
          const auto from = static_cast<std::size_t>(start + i * stride);
          this->expect_same(out[static_cast<std::size_t>(out_start + i * out_stride)], wanted[from],
                            x[from], from);
        }
        for (std::size_t i = 0; i < out.size(); ++i) {
          if (i % static_cast<std::size_t>(std::abs(out_stride)) != 0) {
            ASSERT_TRUE(same(out[i], one<TypeParam>()));
          }
        }
      }
    }
  });
}

TYPED_TEST(KernelsOf, an_expanded_gradient_gives_the_same_bits) {
  this->for_all([&](const auto& table, auto operation, const Case& c, const auto& x,
                    const auto& grad, const auto&) {
    const std::vector<TypeParam> repeated(500, grad[1]);
    std::vector<TypeParam> wanted(500), out(500);
    run<TypeParam>(table, operation, c, wanted.data(), 1, repeated.data(), 1, x.data(), 1, 500);
    run<TypeParam>(table, operation, c, out.data(), 1, &grad[1], 0, x.data(), 1, 500);
    for (std::size_t i = 0; i < out.size(); ++i) this->expect_same(out[i], wanted[i], x[i], i);
  });
}

TYPED_TEST(KernelsOf, an_expanded_input_gives_the_same_bits) {
  this->for_all([&](const auto& table, auto operation, const Case& c, const auto& x,
                    const auto& grad, const auto& wanted) {
    for (const std::ptrdiff_t stride : {1, 3}) {
      std::vector<TypeParam> out(static_cast<std::size_t>(300 * stride), one<TypeParam>());
      run<TypeParam>(table, operation, c, out.data(), stride, &grad[21], 0, &x[21], 0, 300);
      for (std::size_t i = 0; i < out.size(); ++i) {
        const bool touched = i % static_cast<std::size_t>(stride) == 0;
        this->expect_same(out[i], touched ? wanted[21] : one<TypeParam>(), x[21], i);
      }
    }
  });
}

// Every length up to several vectors, every offset of the bytes, both ways to store: and not a byte
// outside.
TYPED_TEST(KernelsOf, lengths_and_alignments_give_the_same_bits) {
  this->for_all([&](const auto& table, auto operation, const Case& c, const auto& x,
                    const auto& grad, const auto& wanted) {
    constexpr std::size_t size = sizeof(TypeParam), most = 300, margin = 64;
    std::vector<unsigned char> out(most * size + 3 * margin), in(out.size()), more(out.size());
    for (std::size_t n = 0; n <= most; n += n < 70 ? 1 : 23) {
      for (const std::size_t offset : {std::size_t{0}, std::size_t{1}, size, std::size_t{24}}) {
        for (const Store store : {Store::cached, Store::streaming}) {
          std::fill(out.begin(), out.end(), static_cast<unsigned char>(0xa5));
          const auto aligned = reinterpret_cast<std::uintptr_t>(out.data()) % margin;
          unsigned char* const to = out.data() + (margin - aligned) + offset;
          unsigned char* const from = in.data() + offset;
          unsigned char* const from_grad = more.data() + (offset + 2) % 32;
          std::memcpy(from, x.data(), n * size);
          std::memcpy(from_grad, grad.data(), n * size);
          run<TypeParam>(table, operation, c, reinterpret_cast<TypeParam*>(to), 1,
                         reinterpret_cast<const TypeParam*>(from_grad), 1,
                         reinterpret_cast<const TypeParam*>(from), 1,
                         static_cast<std::ptrdiff_t>(n), store);
          for (std::size_t i = 0; i < n; ++i) {
            TypeParam got;
            std::memcpy(&got, to + i * size, size);
            this->expect_same(got, wanted[i], x[i], i);
          }
          for (unsigned char* byte = out.data(); byte < to; ++byte) ASSERT_EQ(*byte, 0xa5);
          for (auto* byte = to + n * size; byte < out.data() + out.size(); ++byte) {
            ASSERT_EQ(*byte, 0xa5);
          }
        }
      }
    }
  });
}

template <typename T>
class HalfKernelsOf : public testing::Test {};
using Halves = testing::Types<Float16, BFloat16>;
TYPED_TEST_SUITE(HalfKernelsOf, Halves, );

// With scale alone every half goes to float and back, and times a power of two it rounds and
// overflows.
TYPED_TEST(HalfKernelsOf, conversion_is_correctly_rounded) {
  const auto x = inputs<TypeParam>();
  for (const double scale : {1.0, 0x1p-9, 0x1p9, 1.1, 1e-3}) {
    for (const KernelTable* table : reference::kernel_tables()) {
      auto y = x;
      run<TypeParam>(*table, Operation::forward, {0, scale, 1}, y.data(), 1, nullptr, 1, x.data(),
                     1, static_cast<std::ptrdiff_t>(x.size()));
      for (std::size_t i = 0; i < x.size(); ++i) {
        const float at = reference::widened(x[i]);
        if (!(at > 0)) continue;
        const float product = static_cast<float>(scale) * at;
        EXPECT_EQ(y[i].bits, reference::rounded_to_half<TypeParam>(product)) << at << " " << scale;
      }
    }
  }
}

#if defined(__SSE2__) && !defined(__FMA__)
// Products a hair from a power of two, added where that power is half of a last place, among normal
// and among subnormal numbers; every triple of special numbers; and any bits.
template <typename V>
void expect_correctly_rounded_fma() {
  using T = number_t<V>;
  using limits = std::numeric_limits<T>;
  const auto check = [](T a, T b, T c) {
    T got[V::count];
    simd::Lanes<T>::store(got, fma(V(a), V(b), V(c)));
    const T wanted = std::fma(a, b, c);
    for (const T each : got) {
      ASSERT_TRUE(same(each, wanted))
          << a << " * " << b << " + " << c << ": " << each << ", not " << wanted;
    }
  };
  std::mt19937_64 random(27);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const auto sign = [&] { return static_cast<T>(below(2) ? 1 : -1); };
  for (int i = 0; i < 300000; ++i) {
    const T hair = static_cast<T>(below(8)) * limits::epsilon();
    const int exponent = i % 2 ? below(40) - 20 : limits::min_exponent - below(limits::digits + 2);
    const T c = std::ldexp(1 + static_cast<T>(below(64)) * limits::epsilon(), exponent);
    const int last = std::max(exponent, limits::min_exponent - 1) - limits::digits;
    const T power = std::ldexp(T(1), last / 2), rest = std::ldexp(T(1), last - last / 2);
    check(sign() * (1 + hair) * power, sign() * (1 - hair) * rest, sign() * c);
  }
  const T special[] = {0,      limits::denorm_min(), limits::min(),      limits::epsilon(),  1,
                       T(1.5), limits::max(),        limits::infinity(), limits::quiet_NaN()};
  for (const T a : special) {
    for (const T b : special) {
      for (const T c : special) {
        for (const T s : {T(1), T(-1)}) {
          check(s * a, b, c);
          check(s * a, b, -c);
        }
      }
    }
  }
  const auto x = inputs<T>();
  for (std::size_t i = 0; i + 2 < x.size(); ++i) check(x[i], x[i + 1], x[i + 2]);
}

TEST(FusedMultiplyAddOfSse2, is_correctly_rounded) {
  expect_correctly_rounded_fma<simd::Floats>();
  expect_correctly_rounded_fma<simd::Doubles>();
}
#endif

}  // namespace
}  // namespace torch_elu::cpu

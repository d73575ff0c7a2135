// As cuda_kernels_test.cpp, for an alpha that is a tensor: the CPU's bits of the value and of the
// gradient of self, right sums, and no access outside of the operands.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "emulated_cuda.h"
#include "emulated_operands.h"
#include "kernels/cuda/parametric.h"
#include "operations.h"
#include "reference.h"

namespace torch_elu::cuda {
namespace {

using tests::cpu_t;
using tests::expect_same;
using tests::inputs;
using tests::Operation;
using tests::Placed;
using tests::widened;

struct Shape {
  std::int64_t outer, channels, inner;
  std::int64_t numel() const { return outer * channels * inner; }
};

// Runs: one, several, of several pieces, ending within one. Rows: whole blocks of columns, several,
// short ones side by side of which the last is not full, of one column, of one row.
constexpr Shape kShapes[] = {{1, 1, 1},    {1, 1, 9001}, {2, 3, 256}, {3, 2, 5000},
                             {70, 128, 1}, {33, 300, 1}, {101, 7, 1}, {40, 5, 20},
                             {1, 4000, 1}, {3, 200, 1},  {5, 3, 255}, {2, 1, 300}};
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
// For formula.h, for its unit path, and for general.h; one channel after the other.
constexpr double kAlphas[] = {0.3, -1.7, 1, 0.7, 0, 1e-30, 1e20, 2, kNaN};
constexpr double kDivisors[] = {0.5, 1, 1, 3, 1, 1e-6, -2};

template <typename T>
struct Call {
  using C = cpu_t<T>;
  using number_t = opmath_t<C>;

  Shape shape;
  bool has_divisor;
  std::vector<number_t> alpha, divisor;

  Call(Shape shape, bool has_divisor) : shape(shape), has_divisor(has_divisor) {
    for (std::int64_t i = 0; i < shape.channels; ++i) {
      const auto at = static_cast<std::size_t>(i);
      alpha.push_back(static_cast<number_t>(kAlphas[at % std::size(kAlphas)]));
      divisor.push_back(static_cast<number_t>(kDivisors[at % std::size(kDivisors)]));
    }
  }

  Parametric<T> on_device() const {
    return {shape.outer, shape.channels, shape.inner, alpha.data(),
            has_divisor ? divisor.data() : nullptr};
  }
  std::size_t channel(std::int64_t i) const {
    return static_cast<std::size_t>(i / shape.inner % shape.channels);
  }
  double divisor_of(std::size_t channel) const { return has_divisor ? divisor[channel] : 1; }

  std::vector<C> on_cpu(Operation operation, const std::vector<C>& grad,
                        const std::vector<C>& x) const {
    std::vector<C> out(x.size());
    for (std::int64_t start = 0; start < shape.numel(); start += shape.inner) {
      const std::size_t c = channel(start);
      tests::run_kernel(cpu::kernels_baseline, operation,
                        Coefficients<C>(alpha[c], 1, 1 / divisor_of(c)), &out[start], 1,
                        &grad[start], 1, &x[start], 1, shape.inner);
    }
    return out;
  }
};

template <typename T, typename F>
void for_each_call(const F& check) {
  for (const Shape& shape : kShapes) {
    for (const bool has_divisor : {false, true}) {
      SCOPED_TRACE(testing::Message() << shape.outer << " x " << shape.channels << " x "
                                      << shape.inner << (has_divisor ? ", divisor" : ""));
      check(Call<T>(shape, has_divisor));
    }
  }
}

template <typename T>
const T* device(const cpu_t<T>* pointer) {
  return reinterpret_cast<const T*>(pointer);
}
template <typename T>
T* device(cpu_t<T>* pointer) {
  return reinterpret_cast<T*>(pointer);
}

// What the device gives for alpha and the divisor; what is not written shows.
template <typename T>
struct OfParameters {
  std::vector<typename Call<T>::number_t> alpha, divisor;

  OfParameters(const Call<T>& call, cpu_t<T>* grad_input, const cpu_t<T>* grad_output,
               const cpu_t<T>* x)
      : alpha(call.alpha.size(), 1e30F), divisor(alpha) {
    const auto on_device = call.on_device();
    std::vector<double> partial(static_cast<std::size_t>(on_device.partial_sums()));
    EXPECT_EQ(on_device.gradients(device<T>(grad_input), device<T>(grad_output), device<T>(x),
                                  alpha.data(), call.has_divisor ? divisor.data() : nullptr,
                                  partial.data(), nullptr),
              cudaSuccess);
  }
};

template <typename T>
struct CudaParametric : testing::Test {};
TYPED_TEST_SUITE(CudaParametric, tests::CudaTypes);

TYPED_TEST(CudaParametric, GivesTheBitsOfTheCpu) {
  using T = TypeParam;
  using C = cpu_t<T>;
  for_each_call<T>([](const Call<T>& call) {
    const auto n = static_cast<std::size_t>(call.shape.numel());
    const auto x = inputs<C>(n, 4), grad = inputs<C>(n, 6);
    Placed<C> placed_x(x, 1), placed_grad(grad, 1), out(n, 1), grad_input(n, 1);
    ASSERT_EQ(call.on_device().value(device<T>(out.data()), device<T>(placed_x.data()), nullptr),
              cudaSuccess);
    expect_same(out.data(), call.on_cpu(Operation::forward, grad, x).data(), call.shape.numel(),
                "value");
    OfParameters<T>(call, grad_input.data(), placed_grad.data(), placed_x.data());
    expect_same(grad_input.data(), call.on_cpu(Operation::backward_from_input, grad, x).data(),
                call.shape.numel(), "gradient of self");
  });
}

TYPED_TEST(CudaParametric, SumsTheGradientsOfChannels) {
  using T = TypeParam;
  using C = cpu_t<T>;
  for_each_call<T>([](const Call<T>& call) {
    using number_t = typename Call<T>::number_t;
    const auto n = static_cast<std::size_t>(call.shape.numel());
    std::vector<C> x(n), grad(n);
    std::mt19937_64 random(7);
    for (std::size_t i = 0; i < n; ++i) {
      for (auto* to : {&x[i], &grad[i]}) {
        const double number = std::normal_distribution<>()(random);
        if constexpr (sizeof(C) == 2) {
          to->bits = reference::rounded_to_half<C>(number);
        } else {
          *to = static_cast<C>(number);
        }
      }
    }
    std::vector<C> grad_input(n);
    const auto [of_alpha, of_divisor] =
        OfParameters<T>(call, grad_input.data(), grad.data(), x.data());
    struct Sum {
      double of_alpha = 0, of_divisor = 0, size_of_alpha = 0, size_of_divisor = 0;
    };
    std::vector<Sum> sums(call.alpha.size());
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t c = call.channel(static_cast<std::int64_t>(i));
      const double at = widened(x[i]), d = call.divisor_of(c), z = at / d;
      if (at > 0) continue;
      const double by_alpha = widened(grad[i]) * std::expm1(z);
      const double by_divisor = widened(grad[i]) * -call.alpha[c] / d * z * std::exp(z);
      sums[c].of_alpha += by_alpha;
      sums[c].of_divisor += by_divisor;
      sums[c].size_of_alpha += std::abs(by_alpha);
      sums[c].size_of_divisor += std::abs(by_divisor);
    }
    // The halves' polynomials err by 2^-13 and 2^-10.
    const double eps = sizeof(C) == 2 ? 0x1p-9 : 16 * std::numeric_limits<number_t>::epsilon();
    for (std::size_t c = 0; c < sums.size(); ++c) {
      const Sum& sum = sums[c];
      if (std::isnan(call.alpha[c])) {
        // Of the derivative by alpha, which has no alpha in it.
        EXPECT_NEAR(of_alpha[c], sum.of_alpha, eps * sum.size_of_alpha) << c;
        continue;
      }
      if (!std::isfinite(sum.size_of_alpha) || sum.size_of_alpha > 1e30) continue;
      EXPECT_NEAR(of_alpha[c], sum.of_alpha, eps * sum.size_of_alpha) << c;
      if (call.has_divisor && std::isfinite(sum.size_of_divisor)) {
        EXPECT_NEAR(of_divisor[c], sum.of_divisor, eps * sum.size_of_divisor) << c;
      }
    }
  });
}

TYPED_TEST(CudaParametric, HasNoGradientOfADivisorOfZero) {
  using T = TypeParam;
  using C = cpu_t<T>;
  using number_t = typename Call<T>::number_t;
  const std::vector<C> x(3);
  std::vector<C> grad_input(3);
  const number_t zero = 0;
  number_t of_alpha = 7, of_divisor = 7;
  const Parametric<T> celu{1, 1, 3, &zero, &zero};
  std::vector<double> partial(static_cast<std::size_t>(celu.partial_sums()));
  ASSERT_EQ(celu.gradients(device<T>(grad_input.data()), device<T>(x.data()), device<T>(x.data()),
                           &of_alpha, &of_divisor, partial.data(), nullptr),
            cudaSuccess);
  EXPECT_EQ(of_divisor, 0);
}

TYPED_TEST(CudaParametric, ReturnsTheErrorOfALaunch) {
  using T = TypeParam;
  typename Call<T>::number_t alpha = 1, of_alpha = 0;
  T x[1]{};
  double partial[1]{};
  const Parametric<T> call{1, 1, 1, &alpha, nullptr};
  error_of_launches = cudaErrorNoKernelImageForDevice;
  EXPECT_EQ(call.value(x, x, nullptr), cudaErrorNoKernelImageForDevice);
  EXPECT_EQ(call.gradients(x, x, x, &of_alpha, nullptr, partial, nullptr),
            cudaErrorNoKernelImageForDevice);
  error_of_launches = cudaSuccess;
}

}  // namespace
}  // namespace torch_elu::cuda

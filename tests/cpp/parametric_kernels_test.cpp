// The bare kernels for an alpha that is a tensor: from each instruction set the bits of the kernels
// for a number, and the same sums.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "operations.h"
#include "reference.h"

namespace torch_elu::cpu {
namespace {

using tests::kernels_of;

template <typename T>
std::vector<T> normal(std::size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<> distribution(0, 3);
  std::vector<T> x(n);
  for (T& each : x) {
    if constexpr (sizeof(T) == 2) {
      each.bits = reference::rounded_to_half<T>(distribution(random));
    } else {
      each = static_cast<T>(distribution(random));
    }
  }
  return x;
}

template <typename T>
void expect_same_bytes(const std::vector<T>& got, const std::vector<T>& wanted) {
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    ASSERT_EQ(std::memcmp(&got[i], &wanted[i], sizeof(T)), 0) << "at " << i;
  }
}

// Own coefficients as a table lays them out.
template <typename T>
class Own {
 public:
  Own(const Kernels<T>& kernels, const std::vector<Coefficients<T>>& columns)
      : size_((columns.size() / static_cast<std::size_t>(kernels.columns_of_group) + 1) *
              static_cast<std::size_t>(kernels.bytes_of_group)),
        memory_(new (std::align_val_t(64)) char[size_]()) {
    std::ptrdiff_t i = 0;
    for (const auto& each : columns) kernels.write_own(each, i++, memory_);
  }
  Own(const Own&) = delete;
  Own& operator=(const Own&) = delete;
  ~Own() { operator delete[](memory_, std::align_val_t(64)); }
  const void* data() const { return memory_; }

 private:
  std::size_t size_;
  char* memory_;
};

template <typename T>
struct ParametricKernels : testing::Test {};
using Types = testing::Types<float, double, Float16, BFloat16>;
TYPED_TEST_SUITE(ParametricKernels, Types, );

// One row, an even and an odd number of them; rows that are whole vectors at aligned addresses, and
// others.
TYPED_TEST(ParametricKernels, columns_give_the_bits_of_numbers) {
  using T = TypeParam;
  using number_t = opmath_t<T>;
  for (const std::ptrdiff_t stride : {512, 501, 5}) {
    for (const std::ptrdiff_t rows : {1, 4, 7}) {
      const std::ptrdiff_t n = stride == 512 ? 256 : stride;
      const auto size = static_cast<std::size_t>(stride * rows);
      const auto x = normal<T>(size, 1), grad = normal<T>(size, 2);
      for (const bool has_divisor : {false, true}) {
        std::vector<number_t> alpha;
        std::vector<Coefficients<T>> columns;
        for (std::ptrdiff_t i = 0; i < n; ++i) {
          alpha.push_back(static_cast<number_t>(std::exp2(i % 40 - 20) * (i % 3 ? 1.37 : 0.7)));
          columns.emplace_back(alpha.back(), 1, has_divisor ? 1 / (0.3 + 0.01 * (i % 97)) : 1);
        }
        std::vector<T> value(x), gradient(grad);
        for (std::ptrdiff_t i = 0; i < n; ++i) {
          const auto& of_baseline = kernels_of<T>(kernels_baseline);
          of_baseline.forward(&value[i], stride, &x[i], stride, rows, columns[i], Store::cached);
          of_baseline.backward_from_input(&gradient[i], stride, &grad[i], stride, &x[i], stride,
                                          rows, columns[i], Store::cached);
        }
        std::vector<double> sums;
        for (const KernelTable* table : reference::kernel_tables()) {
          for (const Store store : {Store::cached, Store::streaming}) {
            SCOPED_TRACE(testing::Message() << table->name << ", " << rows << " rows of " << n
                                            << ", divisor " << has_divisor);
            const auto& kernels = kernels_of<T>(*table);
            const Own<T> own(kernels, columns);
            const auto coefficients = has_divisor
                                          ? OfColumns<T>{nullptr, nullptr, own.data()}
                                          : OfColumns<T>{&columns[0], alpha.data(), nullptr};
            // Aligned, for streams, and followed by nothing.
            std::unique_ptr<T[], void (*)(T*)> out(new (std::align_val_t(64)) T[size], [](T* p) {
              operator delete[](p, std::align_val_t(64));
            });
            const auto got = [&] { return std::vector<T>(out.get(), out.get() + size); };
            std::copy(x.begin(), x.end(), out.get());
            kernels.value_of_columns(out.get(), x.data(), stride, rows, n, coefficients, store);
            expect_same_bytes(got(), value);
            std::copy(grad.begin(), grad.end(), out.get());
            std::vector<double> added(2 * n, 1);
            kernels.gradients_of_columns(out.get(), grad.data(), x.data(), stride, rows, n,
                                         coefficients, store, added.data(),
                                         has_divisor ? &added[n] : nullptr);
            expect_same_bytes(got(), gradient);
            if (sums.empty()) sums = added;
            expect_same_bytes(added, sums);
          }
        }
      }
    }
  }
}

// The unit path, the fast and the general one.
TYPED_TEST(ParametricKernels, runs_have_the_same_sums_from_each_instruction_set_at_any_address) {
  using T = TypeParam;
  const auto x = normal<T>(3000, 1), grad = normal<T>(3000, 2);
  for (const double alpha : {1.0, 0.7, 1e-20}) {
    for (const bool has_divisor : {false, true}) {
      const Coefficients<T> coefficients(alpha, 1, has_divisor ? 1 / 0.3 : 1);
      for (const std::ptrdiff_t n : {1, 15, 255, 256, 2900}) {
        std::vector<T> gradient(x.size());
        kernels_of<T>(kernels_baseline)
            .backward_from_input(gradient.data(), 1, grad.data(), 1, x.data(), 1, n, coefficients,
                                 Store::cached);
        gradient.resize(static_cast<std::size_t>(n));
        std::vector<double> wanted;
        for (const KernelTable* table : reference::kernel_tables()) {
          for (const std::ptrdiff_t offset : {0, 3}) {
            for (const Store store : {Store::cached, Store::streaming}) {
              std::vector<T> out(x.size());
              const auto sums = kernels_of<T>(*table).gradients_of_run(
                  out.data() + offset, grad.data(), x.data(), n, coefficients, has_divisor, store);
              expect_same_bytes(std::vector<T>(out.begin() + offset, out.begin() + offset + n),
                                gradient);
              const std::vector<double> got{sums.by_alpha, sums.slope_times_x};
              if (wanted.empty()) wanted = got;
              SCOPED_TRACE(testing::Message() << table->name << ", " << n << ", alpha " << alpha
                                              << ", divisor " << has_divisor);
              expect_same_bytes(got, wanted);
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace torch_elu::cpu

// What the tests of the emulated CUDA kernels give them, and compare.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "kernels/cuda/kernels.h"
#include "math/number.h"
#include "reference.h"

namespace torch_elu::tests {

using CudaTypes = testing::Types<float, double, __half, __nv_bfloat16>;

template <typename T>
using cpu_t = cuda::element_t<T>;

inline double widened(double x) { return x; }
inline double widened(Float16 x) { return reference::widened(x); }
inline double widened(BFloat16 x) { return reference::widened(x); }

// The payload of a NaN is the processor's.
template <typename T>
void expect_same(const T* got, const T* expected, std::ptrdiff_t n, const std::string& what) {
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    if (std::isnan(widened(got[i])) && std::isnan(widened(expected[i]))) continue;
    ASSERT_EQ(std::memcmp(got + i, expected + i, sizeof(T)), 0)
        << what << ", element " << i << ": " << widened(got[i]) << ", not " << widened(expected[i]);
  }
}

// All halves; else numbers of every exponent, and as many near zero.
template <typename T>
std::vector<T> inputs(std::size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<T> x(n);
  for (std::size_t i = 0; i < n; ++i) {
    std::uint64_t bits = sizeof(T) == 2 ? i * (seed + 1) : random();
    std::memcpy(&x[i], &bits, sizeof(T));
    if constexpr (sizeof(T) > 2) {
      if (i % 2) x[i] = static_cast<T>(std::uniform_real_distribution<>(-30, 3)(random));
    }
  }
  return x;
}

// `n` elements that start `offset` elements behind an aligned address and end where the memory
// does.
template <typename T>
class Placed {
 public:
  Placed(std::size_t n, std::size_t offset)
      : memory_(new (std::align_val_t(64)) T[n + offset]), offset_(offset) {}
  Placed(const std::vector<T>& x, std::size_t offset) : Placed(x.size(), offset) {
    std::copy(x.begin(), x.end(), data());
  }
  Placed(const Placed&) = delete;
  Placed& operator=(const Placed&) = delete;
  ~Placed() { operator delete[](memory_, std::align_val_t(64)); }
  T* data() { return memory_ + offset_; }

 private:
  T* memory_;
  std::size_t offset_;
};

}  // namespace torch_elu::tests

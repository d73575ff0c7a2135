// The CUDA kernels' source, compiled for the CPU (emulated_cuda.h) and run thread after thread: the
// bits of the CPU kernels, and no access outside of the operands (the address sanitizer watches).
// How a GPU rounds and runs is not tested here.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "emulated_cuda.h"
#include "emulated_operands.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/schedule.h"
#include "operations.h"
#include "reference.h"

namespace torch_elu::cuda {
namespace {

using tests::cpu_t;
using tests::expect_same;
using tests::inputs;
using tests::is_plus_one;
using tests::kOperations;
using tests::Operation;
using tests::Placed;
using tests::takes_gradient;

template <typename T>
using CoefficientsOf = Coefficients<element_t<T>>;

template <typename T>
const CoefficientsOf<T> kUnit(1, 1, 1);

template <typename T>
std::vector<cpu_t<T>> expected(Operation operation, const CoefficientsOf<T>& coefficients,
                               const std::vector<cpu_t<T>>& grad, const std::vector<cpu_t<T>>& x) {
  std::vector<cpu_t<T>> out(x.size());
  tests::run_kernel(cpu::kernels_baseline, operation,
                    is_plus_one(operation) ? kUnit<T> : coefficients, out.data(), 1, grad.data(), 1,
                    x.data(), 1, static_cast<std::ptrdiff_t>(x.size()));
  return out;
}

template <typename T, template <typename, int> typename Layout>
cudaError_t run(Operation operation, const Layout<T, 1>& operands,
                const CoefficientsOf<T>& coefficients) {
  return is_plus_one(operation) ? Kernels<T, Layout>::plus_one(operands, kUnit<T>, nullptr)
                                : Kernels<T, Layout>::forward(operands, coefficients, nullptr);
}

template <typename T, template <typename, int> typename Layout>
cudaError_t run(Operation operation, const Layout<T, 2>& operands,
                const CoefficientsOf<T>& coefficients) {
  return is_plus_one(operation) ? Kernels<T, Layout>::plus_one_backward(operands, nullptr)
         : operation == Operation::backward_from_input
             ? Kernels<T, Layout>::backward_from_input(operands, coefficients, nullptr)
             : Kernels<T, Layout>::backward_from_result(operands, coefficients, nullptr);
}

// What a launch may look like: with the accesses of older and of newer devices, or with its inputs
// staged in shared memory.
enum class Form { by_16_bytes, by_32_bytes, staged };
constexpr Form kForms[] = {Form::by_16_bytes, Form::by_32_bytes, Form::staged};

template <typename T>
void run_dense(Operation operation, const CoefficientsOf<T>& coefficients, cpu_t<T>* out,
               const cpu_t<T>* grad, const cpu_t<T>* x, std::int64_t numel, Form form) {
  const auto pointer = [](const auto* p) { return reinterpret_cast<const T*>(p); };
  const int widest_access = form == Form::by_32_bytes ? 32 : 16;
  const auto run_on = [&]<int inputs>(Dense<T, inputs> operands) {
    // All blocks are one wave.
    const DenseSchedule all(numel, 0, StagedPattern<sizeof(T), inputs>::chunk);
    operands.wave = form == Form::staged ? all.blocks : 0;
    ASSERT_EQ((run<T, Dense>(operation, operands, coefficients)), cudaSuccess);
  };
  auto* const to = reinterpret_cast<T*>(out);
  if (takes_gradient(operation)) {
    run_on(Dense<T, 2>{to, {pointer(grad), pointer(x)}, numel, widest_access, 0});
  } else {
    run_on(Dense<T, 1>{to, {pointer(x)}, numel, widest_access, 0});
  }
}

template <typename T>
struct CudaKernels : testing::Test {};
TYPED_TEST_SUITE(CudaKernels, tests::CudaTypes);

TYPED_TEST(CudaKernels, GiveTheBitsOfTheCpuForAllCoefficients) {
  using T = TypeParam;
  using C = cpu_t<T>;
  auto all = reference::parameters();
  for (const auto& p : reference::general_parameters()) all.push_back(p);
  const auto x = inputs<C>(65536, 0), grad = inputs<C>(65536, 2);
  std::vector<C> out(x.size());
  for (const auto& p : all) {
    const CoefficientsOf<T> coefficients(p.alpha, p.scale, p.input_scale);
    for (const auto operation : kOperations) {
      const auto want = expected<T>(operation, coefficients, grad, x);
      for (const auto form : kForms) {
        run_dense<T>(operation, coefficients, out.data(), grad.data(), x.data(), 65536, form);
        expect_same(out.data(), want.data(), 65536, p.name);
        if (form == Form::staged && !coefficients.takes_general_path) {
          const unsigned inputs = takes_gradient(operation) ? 2 : 1;
          EXPECT_EQ(blocks_of_last_launch, 65536 * sizeof(T) * inputs / kStagedBytes) << p.name;
        }
      }
    }
  }
}

TYPED_TEST(CudaKernels, GiveTheBitsOfTheCpuForAllSizesAndOffsets) {
  using T = TypeParam;
  using C = cpu_t<T>;
  const CoefficientsOf<T> coefficients(0.5, 1, 1);
  constexpr std::size_t offsets = 32 / sizeof(T);
  for (std::size_t n :
       {1, 2, 3, 7, 15, 16, 17, 31, 33, 63, 65, 100, 1000, 1023, 1025, 2047, 2049, 4096, 9000}) {
    const auto x = inputs<C>(n, 4), grad = inputs<C>(n, 6);
    for (const auto operation : kOperations) {
      const auto want = expected<T>(operation, coefficients, grad, x);
      for (std::size_t of_out = 0; of_out < offsets; ++of_out) {
        for (std::size_t of_x : {std::size_t{0}, std::size_t{1}, of_out, of_out + 16 / sizeof(T)}) {
          Placed<C> placed_x(x, of_x), placed_grad(grad, of_x);
          for (const auto form : kForms) {
            Placed<C> out(n, of_out);
            run_dense<T>(operation, coefficients, out.data(), placed_grad.data(), placed_x.data(),
                         static_cast<std::int64_t>(n), form);
            expect_same(out.data(), want.data(), static_cast<std::ptrdiff_t>(n),
                        "size " + std::to_string(n) + ", offsets " + std::to_string(of_out) + ", " +
                            std::to_string(of_x));
          }
        }
      }
    }
  }
}

TYPED_TEST(CudaKernels, WriteInPlace) {
  using T = TypeParam;
  using C = cpu_t<T>;
  const CoefficientsOf<T> coefficients(1, 1, 1);
  const auto x = inputs<C>(9001, 4);
  const auto want = expected<T>(Operation::forward, coefficients, {}, x);
  for (std::size_t offset = 0; offset < 16; ++offset) {
    for (const auto form : kForms) {
      Placed<C> placed(x, offset);
      run_dense<T>(Operation::forward, coefficients, placed.data(), nullptr, placed.data(), 9001,
                   form);
      expect_same(placed.data(), want.data(), 9001, "in place");
    }
  }
}

// How many elements a block does tells which kernel ran.
TYPED_TEST(CudaKernels, TakeTheWidestAccessesThatTheOperandsAllow) {
  using T = TypeParam;
  using C = cpu_t<T>;
  constexpr int size = sizeof(T), in_16_bytes = 16 / size, in_32_bytes = 32 / size;
  constexpr unsigned by_32_bytes = kThreads * in_32_bytes;
  constexpr unsigned by_16_bytes = kThreads * in_16_bytes * (size == 2 ? 2 : 1);
  constexpr unsigned one_by_one = kThreads * (size == 8 ? 4 : 8);
  constexpr std::size_t n = std::size_t{64} * 1024;
  const std::vector<C> zeros(n);
  const auto blocks = [&](int of_out, int of_x, Form form) {
    Placed<C> out(n, static_cast<std::size_t>(of_out)), x(zeros, static_cast<std::size_t>(of_x));
    run_dense<T>(Operation::forward, kUnit<T>, out.data(), nullptr, x.data(), n, form);
    return blocks_of_last_launch;
  };
  for (const int offset : {0, 1, in_16_bytes - 1, in_16_bytes, in_32_bytes - 1}) {
    // Elements before the first aligned one, and behind the last, are one more block.
    const auto of = [&](unsigned tile, int head) {
      return static_cast<unsigned>(n - static_cast<std::size_t>(head) + tile - 1) / tile +
             (head > 0 ? 1 : 0);
    };
    const int to_16 = (2 * in_16_bytes - offset) % in_16_bytes,
              to_32 = (in_32_bytes - offset) % in_32_bytes;
    EXPECT_EQ(blocks(offset, offset, Form::by_16_bytes), of(by_16_bytes, to_16)) << offset;
    EXPECT_EQ(blocks(offset, offset, Form::by_32_bytes), of(by_32_bytes, to_32)) << offset;
    EXPECT_EQ(blocks(offset + in_16_bytes, offset, Form::by_32_bytes), of(by_16_bytes, to_16))
        << offset;
  }
  EXPECT_EQ(blocks(1, 0, Form::by_32_bytes), n / one_by_one);
}

TYPED_TEST(CudaKernels, ReturnTheErrorOfALaunch) {
  using T = TypeParam;
  T x[1]{};
  error_of_launches = cudaErrorNoKernelImageForDevice;
  EXPECT_EQ((run<T, Dense>(Operation::forward, Dense<T, 1>{x, {x}, 1, 16, 0}, kUnit<T>)),
            cudaErrorNoKernelImageForDevice);
  Strided<T, 1> strided{x, {x}, 1, false, {}};
  strided.offsets.dims = 0;
  EXPECT_EQ((run<T, Strided>(Operation::forward, strided, kUnit<T>)),
            cudaErrorNoKernelImageForDevice);
  error_of_launches = cudaSuccess;
}

// Sizes, and strides in elements, innermost dimension first.
struct Shape {
  std::vector<std::uint32_t> sizes, out, grad, x;
};

// `in_place`: the output is x, whose strides it then has to have.
template <typename T>
void test_strided(const Shape& shape, bool by_16_bytes, bool in_place = false) {
  using C = cpu_t<T>;
  constexpr std::uint32_t size = sizeof(T);
  const std::uint32_t width = by_16_bytes ? 16 / size : 1;
  const auto dims = static_cast<int>(shape.sizes.size());
  Strided<T, 2> both;
  Strided<T, 1> one;
  std::uint32_t numel = 1, extent = 1;
  for (int dim = 0; dim < dims; ++dim) {
    const auto d = static_cast<std::size_t>(dim);
    const std::uint32_t unit = dim == 0 ? width : 1;
    numel *= shape.sizes[d];
    for (const auto* strides : {&shape.out, &shape.grad, &shape.x}) {
      extent = std::max(extent, (*strides)[d] * shape.sizes[d]);
    }
    both.offsets.size[dim] = one.offsets.size[dim] = Divisor(shape.sizes[d] / unit);
    both.offsets.stride[dim][0] = one.offsets.stride[dim][0] = shape.out[d] * unit * size;
    both.offsets.stride[dim][1] = shape.grad[d] * unit * size;
    both.offsets.stride[dim][2] = one.offsets.stride[dim][1] = shape.x[d] * unit * size;
  }
  both.offsets.dims = one.offsets.dims = dims;
  both.count = one.count = numel / width;
  both.by_16_bytes = one.by_16_bytes = by_16_bytes;

  const auto x = inputs<C>(extent, 4), grad = inputs<C>(extent, 6);
  const auto untouched = inputs<C>(extent, 8);
  for (const auto& p : {reference::Parameters{"plain", 0.5, 1, 1}, reference::celu(-0.5)}) {
    const CoefficientsOf<T> coefficients(p.alpha, p.scale, p.input_scale);
    for (const auto operation : kOperations) {
      Placed<C> placed_x(x, 0), placed_grad(grad, 0), out(untouched, 0);
      auto want = in_place ? x : untouched;
      C* const to = in_place ? placed_x.data() : out.data();
      for (std::uint32_t i = 0; i < numel; ++i) {
        std::uint32_t rest = i, of_out = 0, of_grad = 0, of_x = 0;
        for (std::size_t dim = 0; dim < shape.sizes.size(); ++dim) {
          const std::uint32_t index = rest % shape.sizes[dim];
          rest /= shape.sizes[dim];
          of_out += index * shape.out[dim];
          of_grad += index * shape.grad[dim];
          of_x += index * shape.x[dim];
        }
        want[of_out] = expected<T>(operation, coefficients, {grad[of_grad]}, {x[of_x]})[0];
      }
      both.out = one.out = reinterpret_cast<T*>(to);
      both.in[0] = reinterpret_cast<const T*>(placed_grad.data());
      both.in[1] = one.in[0] = reinterpret_cast<const T*>(placed_x.data());
      const auto error = takes_gradient(operation) ? run<T, Strided>(operation, both, coefficients)
                                                   : run<T, Strided>(operation, one, coefficients);
      ASSERT_EQ(error, cudaSuccess);
      expect_same(to, want.data(), extent, p.name);
    }
  }
}

TYPED_TEST(CudaKernels, TakeAnyStrides) {
  test_strided<TypeParam>({{}, {}, {}, {}}, false);
  test_strided<TypeParam>({{7}, {2}, {3}, {5}}, false);
  test_strided<TypeParam>({{9, 5}, {5, 1}, {1, 9}, {2, 40}}, false);
  test_strided<TypeParam>({{9, 70}, {1, 9}, {0, 0}, {0, 1}}, false);
  test_strided<TypeParam>({{3, 4, 5, 6}, {1, 3, 12, 60}, {120, 30, 6, 1}, {0, 7, 1, 0}}, false);
}

TYPED_TEST(CudaKernels, TakeStridedRowsBy16Bytes) {
  test_strided<TypeParam>({{16, 37}, {1, 24}, {1, 16}, {1, 48}}, true);
  test_strided<TypeParam>({{32, 3, 20}, {1, 640, 32}, {1, 0, 0}, {1, 2560, 128}}, true);
}

// An access done twice would take the value of its own result.
TYPED_TEST(CudaKernels, WriteInPlaceWhateverTheStrides) {
  test_strided<TypeParam>({{7}, {2}, {3}, {2}}, false, true);
  test_strided<TypeParam>({{9, 70}, {2, 40}, {1, 9}, {2, 40}}, false, true);
  test_strided<TypeParam>({{16, 37}, {1, 24}, {1, 16}, {1, 24}}, true, true);
}

}  // namespace
}  // namespace torch_elu::cuda

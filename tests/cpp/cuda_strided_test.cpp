// What a strided CUDA kernel is told of its operands, for tensors on the CPU: no GPU is needed to
// see where each access would go.
#include "dispatch/cuda_strided.h"

#include <ATen/TensorIterator.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdint>
#include <iterator>
#include <numeric>
#include <set>
#include <string>
#include <vector>

namespace torch_elu::cuda {
namespace {

at::TensorIterator iterator(const at::Tensor& out, const at::Tensor& grad, const at::Tensor& x) {
  return at::TensorIteratorConfig()
      .resize_outputs(false)
      .add_output(out)
      .add_const_input(grad)
      .add_const_input(x)
      .build();
}

// Of one element: where it lies in the output and in the inputs, in bytes.
using Places = std::vector<std::uint32_t>;

std::set<Places> places_by_strides(const std::vector<at::Tensor>& operands) {
  const auto& like = operands[0];
  std::set<Places> places;
  for (std::int64_t i = 0; i < like.numel(); ++i) {
    Places of_element;
    for (const auto& operand : operands) {
      std::int64_t rest = i, place = 0;
      for (std::int64_t dim = like.dim() - 1; dim >= 0; --dim) {
        place += rest % like.size(dim) * operand.stride(dim);
        rest /= like.size(dim);
      }
      of_element.push_back(static_cast<std::uint32_t>(place * operand.element_size()));
    }
    places.insert(of_element);
  }
  return places;
}

template <typename T, int inputs>
std::set<Places> places_of(const Strided<T, inputs>& operands) {
  const std::uint32_t elements = operands.by_16_bytes ? 16 / sizeof(T) : 1;
  std::set<Places> places;
  for (std::uint32_t access = 0; access < operands.count; ++access) {
    std::uint32_t number[] = {access}, offset[1][inputs + 1];
    operands.offsets.get(number, offset);
    for (std::uint32_t i = 0; i < elements; ++i) {
      Places of_element(std::begin(offset[0]), std::end(offset[0]));
      for (auto& place : of_element) place += i * static_cast<std::uint32_t>(sizeof(T));
      places.insert(of_element);
    }
  }
  EXPECT_EQ(places.size(), operands.count * elements);
  return places;
}

template <typename T>
void expect_places(const at::Tensor& out, const at::Tensor& grad, const at::Tensor& x,
                   bool by_16_bytes, const std::string& what) {
  const auto two = strided_operands<T, 2>(iterator(out, grad, x));
  EXPECT_EQ(two.out, out.data_ptr()) << what;
  EXPECT_EQ(two.in[0], grad.const_data_ptr()) << what;
  EXPECT_EQ(two.in[1], x.const_data_ptr()) << what;
  EXPECT_EQ(two.by_16_bytes, by_16_bytes) << what;
  EXPECT_EQ(places_of(two), places_by_strides({out, grad, x})) << what;

  at::Tensor to = out;
  const auto one = strided_operands<T, 1>(at::TensorIterator::unary_op(to, grad));
  EXPECT_EQ(one.out, out.data_ptr()) << what;
  EXPECT_EQ(one.in[0], grad.const_data_ptr()) << what;
  EXPECT_EQ(places_of(one), places_by_strides({out, grad})) << what;
}

template <typename T>
struct StridedOperands : testing::Test {
  static constexpr std::int64_t in_16_bytes = 16 / sizeof(T);
  static at::Tensor zeros(at::IntArrayRef sizes) {
    return torch::zeros(sizes, c10::CppTypeToScalarType<T>::value);
  }
};
using Types = testing::Types<float, double, at::Half>;
TYPED_TEST_SUITE(StridedOperands, Types);

TYPED_TEST(StridedOperands, AreWhereTheStridesSay) {
  constexpr auto w = TestFixture::in_16_bytes;
  const auto wide = [] { return TestFixture::zeros({6, 10, 6 * w}); };
  const auto x = wide();
  const auto all = [&](const auto& view, bool by_16_bytes, const char* what) {
    expect_places<TypeParam>(view(wide()), view(wide()), view(x), by_16_bytes, what);
    const auto dense = TestFixture::zeros(view(x).sizes());
    expect_places<TypeParam>(dense, dense.clone(), view(x), by_16_bytes, what);
  };
  using torch::indexing::Slice;
  const auto columns = [](std::int64_t from, std::int64_t to, std::int64_t step = 1) {
    return [=](const at::Tensor& t) { return t.index({Slice(), Slice(), Slice(from, to, step)}); };
  };
  all(columns(0, 4 * w), true, "rows");
  all(columns(w, 3 * w), true, "rows that start an access later");
  all([](const at::Tensor& t) { return t.index({Slice(), Slice(0, 10, 3)}); }, true, "every third");
  all(columns(0, 4 * w + w / 2), false, "rows that end within an access");
  all(columns(1, 4 * w + 1), false, "rows that start within one");
  all(columns(0, 6 * w, 2), false, "every second column");
  all([](const at::Tensor& t) { return t.index({Slice(), Slice(), 5}); }, false, "one column");
}

TYPED_TEST(StridedOperands, ThatDifferAreTakenAsTheyAre) {
  using T = TypeParam;
  constexpr auto w = TestFixture::in_16_bytes, n = 5 * w;
  const auto zeros = TestFixture::zeros;
  const auto x = zeros({12, n}), grad = zeros({12, n}), out = zeros({12, 2 * n});
  using torch::indexing::Slice;
  expect_places<T>(x, zeros({n, 12}).t(), grad, false, "a transposed gradient");
  expect_places<T>(out.index({Slice(), Slice(0, n)}), grad, x, true, "rows of a wider output");
  expect_places<T>(out.index({Slice(), Slice(1, n + 1)}), grad, x, false, "such from 1 on");
  expect_places<T>(x, zeros({n}).expand({12, n}), grad, true, "one row for all");
  expect_places<T>(x, zeros({1}).expand({12, n}), grad, false, "one element for all");
  const auto apart = zeros({12, n + w / 2}).index({Slice(), Slice(0, n)});
  expect_places<T>(x, apart, grad, false, "rows that start within an access, but for the first");
}

TEST(StridedOperandsOf26Dimensions, AreAnError) {
  const std::vector<std::int64_t> shape(26, 2);
  std::vector<std::int64_t> backwards(26);
  std::iota(backwards.rbegin(), backwards.rend(), 0);
  const auto x = torch::zeros(shape, torch::kBool);
  const auto iter = iterator(torch::empty(shape, torch::kBool).permute(backwards), x, x);
  try {
    strided_operands<std::uint8_t, 2>(iter);
    FAIL() << "no error";
  } catch (const c10::Error& error) {
    EXPECT_NE(error.msg().find("at most 25 dimensions"), std::string::npos) << error.msg();
  }
}

}  // namespace
}  // namespace torch_elu::cuda

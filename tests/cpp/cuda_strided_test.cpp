// What a strided CUDA kernel is told of its operands, for tensors on the CPU: no GPU is needed to
// see where each access would go.
#include <ATen/TensorIterator.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdint>
#include <numeric>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "../../csrc/cuda/strided.h"

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

// Of one element: where it lies in each operand, in bytes.
using Places = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;

std::set<Places> places_by_strides(const at::Tensor& out, const at::Tensor& grad,
                                   const at::Tensor& x) {
  std::set<Places> places;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    std::int64_t rest = i, of[3]{};
    for (std::int64_t dim = x.dim() - 1; dim >= 0; --dim) {
      const std::int64_t index = rest % x.size(dim);
      rest /= x.size(dim);
      of[0] += index * out.stride(dim);
      of[1] += index * grad.stride(dim);
      of[2] += index * x.stride(dim);
    }
    const auto in_bytes = [&](std::int64_t place) {
      return static_cast<std::uint32_t>(place * x.element_size());
    };
    places.emplace(in_bytes(of[0]), in_bytes(of[1]), in_bytes(of[2]));
  }
  return places;
}

void expect_places(const at::Tensor& out, const at::Tensor& grad, const at::Tensor& x,
                   bool by_16_bytes, const std::string& what) {
  const auto operands = strided_operands<float, 2>(iterator(out, grad, x));
  EXPECT_EQ(operands.out, out.data_ptr<float>()) << what;
  EXPECT_EQ(operands.in[0], grad.const_data_ptr<float>()) << what;
  EXPECT_EQ(operands.in[1], x.const_data_ptr<float>()) << what;
  EXPECT_EQ(operands.by_16_bytes, by_16_bytes) << what;
  const std::uint32_t elements = by_16_bytes ? 4 : 1;
  EXPECT_EQ(operands.count * elements, x.numel()) << what;
  std::set<Places> places;
  for (std::uint32_t access = 0; access < operands.count; ++access) {
    std::uint32_t number[] = {access}, offset[1][3];
    operands.offsets.get(number, offset);
    for (std::uint32_t i = 0; i < elements; ++i) {
      const std::uint32_t in_access = i * static_cast<std::uint32_t>(sizeof(float));
      places.emplace(offset[0][0] + in_access, offset[0][1] + in_access, offset[0][2] + in_access);
    }
  }
  EXPECT_EQ(places, places_by_strides(out, grad, x)) << what;
}

TEST(StridedOperands, AreWhereTheStridesSay) {
  const auto wide = [] { return torch::zeros({6, 10, 24}); };
  const auto x = wide();
  const auto all = [&](const auto& view, bool by_16_bytes, const char* what) {
    expect_places(view(wide()), view(wide()), view(x), by_16_bytes, what);
    const auto dense = torch::zeros(view(x).sizes());
    expect_places(dense, dense, view(x), by_16_bytes, what);
  };
  using torch::indexing::Slice;
  all([](auto t) { return t.index({Slice(), Slice(), Slice(0, 16)}); }, true, "rows");
  all([](auto t) { return t.index({Slice(), Slice(), Slice(4, 12)}); }, true, "rows from 4 on");
  all([](auto t) { return t.index({Slice(), Slice(0, 10, 3)}); }, true, "every third row");
  all([](auto t) { return t.index({Slice(), Slice(), Slice(0, 18)}); }, false, "rows of 18");
  all([](auto t) { return t.index({Slice(), Slice(), Slice(1, 17)}); }, false, "rows from 1 on");
  all([](auto t) { return t.index({Slice(), Slice(), Slice(0, 24, 2)}); }, false, "columns");
  all([](auto t) { return t.index({Slice(), Slice(), 5}); }, false, "one column");
}

TEST(StridedOperands, ThatDifferAreTakenAsTheyAre) {
  const auto x = torch::zeros({12, 20}), grad = torch::zeros({20, 12}),
             out = torch::zeros({12, 40});
  using torch::indexing::Slice;
  expect_places(x, grad.t(), x, false, "a transposed gradient");
  expect_places(out.index({Slice(), Slice(0, 20)}), x, x, true, "rows of a wider output");
  expect_places(out.index({Slice(), Slice(2, 22)}), x, x, false, "such from 2 on");
  expect_places(x, torch::zeros({20}).expand({12, 20}), x, true, "one row for all");
  expect_places(x, torch::zeros({1}).expand({12, 20}), x, false, "one element for all");
  // Rows start at whole accesses in x, but not in the gradient.
  expect_places(x, torch::zeros({12, 22}).index({Slice(), Slice(0, 20)}), x, false, "rows apart");
}

TEST(StridedOperands, OfMoreDimensionsThanOffsetsHoldAreAnError) {
  const std::vector<std::int64_t> shape(26, 2);
  std::vector<std::int64_t> backwards(26);
  std::iota(backwards.rbegin(), backwards.rend(), 0);
  const auto x = torch::zeros(shape, torch::kBool);
  const auto out = torch::empty(shape, torch::kBool).permute(backwards);
  EXPECT_THROW((strided_operands<std::uint8_t, 2>(iterator(out, x, x))), c10::Error);
}

}  // namespace
}  // namespace torch_elu::cuda

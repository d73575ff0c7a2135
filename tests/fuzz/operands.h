// Tensors made of a fuzzer's choices, described so that the same ones can be made again: one for
// this library's operator, one for PyTorch's.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "choices.h"

namespace torch_elu::fuzz {

inline constexpr at::ScalarType kFloats[] = {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16};

// A view of a one-dimensional tensor: any sizes and strides that stay inside.
struct View {
  std::vector<int64_t> sizes, strides;
  int64_t offset = 0;

  at::Tensor of(const at::Tensor& base) const { return base.as_strided(sizes, strides, offset); }

  // How many elements the base must have.
  int64_t extent() const {
    int64_t last = offset;
    for (std::size_t dim = 0; dim < sizes.size(); ++dim) {
      if (sizes[dim] == 0) return offset;
      last += (sizes[dim] - 1) * strides[dim];
    }
    return last + 1;
  }
};

inline std::vector<int64_t> contiguous_strides(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides(sizes.size());
  int64_t next = 1;
  for (std::size_t dim = sizes.size(); dim-- > 0;) {
    strides[dim] = next;
    next *= std::max<int64_t>(sizes[dim], 1);
  }
  return strides;
}

inline View choose_view(Choices& choices, const std::vector<int64_t>& sizes) {
  View view{sizes, contiguous_strides(sizes), choices.below(8)};
  switch (choices.below(5)) {
    case 0:
      break;
    case 1:  // with gaps
      for (auto& stride : view.strides) stride *= 2;
      break;
    case 2:  // expanded
      for (auto& stride : view.strides) stride = choices.one_in(2) ? 0 : stride;
      break;
    case 3: {  // transposed
      std::vector<int64_t> reversed(sizes.rbegin(), sizes.rend());
      reversed = contiguous_strides(reversed);
      view.strides.assign(reversed.rbegin(), reversed.rend());
      break;
    }
    default:  // whatever comes: overlapping, most often
      for (auto& stride : view.strides) stride = choices.below(40);
  }
  return view;
}

inline std::vector<int64_t> choose_sizes(Choices& choices) {
  static constexpr int64_t kSizes[] = {3, 1, 2, 0, 4, 7, 8, 16, 17, 31, 33, 65};
  // More than one thread takes at a time.
  if (choices.one_in(200)) return {2, 70'001};
  std::vector<int64_t> sizes(static_cast<std::size_t>(choices.below(5)));
  int64_t numel = 1;
  for (auto& size : sizes) {
    size = choices.one_of(kSizes);
    if (numel * size > 5000) size = 1;
    numel *= std::max<int64_t>(size, 1);
  }
  return sizes;
}

// How many elements two sizes broadcast to, if they do.
inline int64_t broadcast_numel(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  const std::size_t dims = std::max(a.size(), b.size());
  const auto size = [&](const std::vector<int64_t>& sizes, std::size_t dim) {
    return dim < sizes.size() ? sizes[sizes.size() - 1 - dim] : 1;
  };
  int64_t numel = 1;
  for (std::size_t dim = 0; dim < dims; ++dim) numel *= std::max(size(a, dim), size(b, dim));
  return numel;
}

// Numbers of every kind, all the same for the same seed.
inline at::Tensor make_base(std::uint32_t seed, int64_t numel, at::ScalarType dtype) {
  auto bits = std::uint64_t{seed} * 0x9e3779b97f4a7c15U + 1;
  const auto next = [&] {
    bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
    return bits;
  };
  auto base = at::empty({numel}, at::kDouble);
  auto* const numbers = base.mutable_data_ptr<double>();
  static constexpr double kSpecial[] = {0.0,
                                        -0.0,
                                        1.0,
                                        -1.0,
                                        5e-324,
                                        -5e-324,
                                        1e-40,
                                        -1e-40,
                                        1e300,
                                        -1e300,
                                        -88.0,
                                        -104.0,
                                        std::numeric_limits<double>::infinity(),
                                        -std::numeric_limits<double>::infinity(),
                                        std::numeric_limits<double>::quiet_NaN()};
  for (int64_t i = 0; i < numel; ++i) {
    const auto word = next();
    const auto unit = static_cast<double>(word >> 11) * 0x1p-53;
    switch (word % 8) {
      case 0:
        numbers[i] = kSpecial[next() % std::size(kSpecial)];
        break;
      case 1:
        numbers[i] = std::bit_cast<double>(next());
        break;
      case 2:
        numbers[i] = (word & 8 ? 1 : -1) * std::exp2(-60 * unit);
        break;
      case 3:
        numbers[i] = -800 * unit;
        break;
      default:
        numbers[i] = 20 * unit - 12;
    }
  }
  // What a conversion of these numbers to integers gives is nobody's to say.
  if (at::isIntegralType(dtype, /*includeBool=*/true)) base = at::nan_to_num(base).clamp(-9, 9);
  return base.to(dtype);
}

}  // namespace torch_elu::fuzz

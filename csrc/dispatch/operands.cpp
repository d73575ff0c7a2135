#include "dispatch/operands.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <c10/core/SymIntArrayRef.h>

#include <cstdint>
#include <utility>

namespace torch_elu {
namespace {

// For a tensor with gaps or overlaps at::TensorIterator lays the result out densely, with the
// dimensions in the order of their strides; a dimension of stride 0 (expanded) has no say in that
// order. This is its insertion sort (reorder_dimensions), written for symbolic sizes too.
c10::SymDimVector dense_strides(c10::SymIntArrayRef sizes, c10::SymIntArrayRef strides) {
  const auto ndim = static_cast<int64_t>(sizes.size());
  c10::SmallVector<int64_t, 8> order;  // innermost first
  for (int64_t dim = ndim - 1; dim >= 0; --dim) {
    order.push_back(dim);
  }
  // 1: a belongs outside of b, -1: inside, 0: no say. What a symbolic size leaves open counts as
  // false, as in ATen.
  const auto compare = [&](int64_t a, int64_t b) {
    if (TORCH_GUARD_OR_FALSE(strides[a].sym_eq(0)) || TORCH_GUARD_OR_FALSE(strides[b].sym_eq(0))) {
      return 0;
    }
    if (TORCH_GUARD_OR_FALSE(strides[a].sym_lt(strides[b]))) {
      return -1;
    }
    if (TORCH_GUARD_OR_FALSE(strides[a].sym_gt(strides[b]))) {
      return 1;
    }
    return TORCH_GUARD_OR_FALSE(sizes[a].sym_gt(sizes[b])) ? 1 : 0;
  };
  for (int64_t i = 1; i < ndim; ++i) {
    int64_t inserted = i;
    for (int64_t j = i - 1; j >= 0; --j) {
      const int comparison = compare(order[j], order[inserted]);
      if (comparison > 0) {
        std::swap(order[j], order[inserted]);
        inserted = j;
      } else if (comparison < 0) {
        break;
      }
    }
  }
  c10::SymDimVector result(ndim);
  c10::SymInt next = 1;
  for (const int64_t dim : order) {
    result[dim] = next;
    next = next * sizes[dim].max(1);
  }
  return result;
}

}  // namespace

at::Tensor empty_output(const at::Tensor& self) {
  if (self.is_contiguous_or_false()) {
    return at::empty_symint(self.sym_sizes(), self.options());
  }
  if (self.is_contiguous_or_false(at::MemoryFormat::ChannelsLast)) {
    return at::empty_symint(self.sym_sizes(),
                            self.options().memory_format(at::MemoryFormat::ChannelsLast));
  }
  if (self.unsafeGetTensorImpl()->is_non_overlapping_and_dense_or_false()) {
    return at::empty_strided_symint(self.sym_sizes(), self.sym_strides(), self.options());
  }
  return at::empty_strided_symint(
      self.sym_sizes(), dense_strides(self.sym_sizes(), self.sym_strides()), self.options());
}

void throw_overflow(const char* name, double alpha, double scale, double input_scale) {
  const char* const reason =
      " cannot be converted to type float, in which this tensor is computed, without overflow. Use "
      "a float64 tensor or ";
  // CELU's caller gave an alpha and knows of no other coefficient.
  if (scale == 1 && input_scale == 1 / alpha) {
    const bool is_large = !fits<float>(alpha);
    TORCH_CHECK(false, "torch_elu::celu(alpha=", alpha, "): ", is_large ? "alpha" : "1 / alpha",
                reason, is_large ? "a smaller value." : "an alpha farther from 0.");
  }
  const auto [argument, value] = !fits<float>(alpha)   ? std::pair("alpha", alpha)
                                 : !fits<float>(scale) ? std::pair("scale", scale)
                                                       : std::pair("input_scale", input_scale);
  TORCH_CHECK(false, "torch_elu::", name, ": ", argument, "=", value, reason, "a smaller value.");
}

}  // namespace torch_elu

#pragma once

// What parametric_elu does first with its operands, on every device.

#include <ATen/core/Tensor.h>
#include <c10/core/SymIntArrayRef.h>
#include <c10/util/SmallVector.h>

#include <array>
#include <cstdint>
#include <tuple>

namespace torch_elu {

/// Of alpha and of the divisor, which may be undefined.
void check_parameters(const at::Tensor& self, const at::Tensor& alpha, const at::Tensor& divisor,
                      const char* name);

/// The shape to which all of them broadcast.
c10::SymDimVector parametric_shape(const at::Tensor& self, const at::Tensor& alpha,
                                   const at::Tensor& divisor, const char* name);

/// The operands as dense arrays of outer * channels * inner elements, with one alpha, and one
/// divisor, for each channel.
class ParametricLayout {
 public:
  /// `result` is allocated: what at::elu would give for `self` in the shape of them all.
  ParametricLayout(const at::Tensor& self, const at::Tensor& alpha, const at::Tensor& divisor,
                   const char* name);

  at::Tensor result, self;
  at::Tensor alpha, divisor;  // in the dtype of the computation
  int64_t outer = 1, channels = 1, inner = 1;

  /// Another operand, in the order of `self`.
  at::Tensor in_order(const at::Tensor& tensor) const;

  /// Those of the operands that `mask` asks for, in their shapes: that of self is in `result`.
  std::tuple<at::Tensor, at::Tensor, at::Tensor> gradients(
      const at::Tensor& self, const at::Tensor& alpha, const at::Tensor& divisor,
      const at::Tensor& of_alpha, const at::Tensor& of_divisor, std::array<bool, 3> mask) const;

 private:
  at::Tensor of_channels(const at::Tensor& parameter) const;

  c10::SmallVector<int64_t, 6> order_;          // of dimensions, outermost in memory first
  c10::SmallVector<int64_t, 6> channel_shape_;  // in that order, 1 where nothing varies
};

}  // namespace torch_elu

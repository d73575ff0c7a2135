#pragma once

// parametric_elu in operators of ATen, which are differentiable: the derivatives that no kernel
// computes, and the devices that have none.

#include <ATen/ExpandUtils.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/expm1.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/where.h>
#include <c10/core/ScalarType.h>

#include <array>

namespace torch_elu {

/// By self (0), alpha (1) and the divisor (2), in the shape of the result and the dtype of the
/// computation. With z = x / divisor:
///
///     by self      alpha exp(z) / divisor           1 where x > 0
///     by alpha     exp(z) - 1                       0 where x > 0
///     by divisor   -alpha z exp(z) / divisor        0 where x > 0
class ParametricDerivatives {
 public:
  ParametricDerivatives(const at::Tensor& self, const at::Tensor& alpha, const at::Tensor& divisor)
      : is_linear_(at::gt(self, 0)),
        x_(wide(self)),
        alpha_(wide(alpha)),
        inverse_(divisor.defined() ? wide(divisor).reciprocal() : at::Tensor()),
        z_(at::where(is_linear_, at::Scalar(0), over_divisor(x_))) {}

  static at::Tensor wide(const at::Tensor& tensor) {
    return tensor.to(c10::promoteTypes(tensor.scalar_type(), at::kFloat));
  }

  at::Tensor value() const { return at::where(is_linear_, x_, alpha_ * at::expm1(z_)); }

  at::Tensor first(size_t by) const {
    switch (by) {
      case 0:
        return at::where(is_linear_, at::Scalar(1), over_divisor(alpha_ * at::exp(z_)));
      case 1:
        return at::where(is_linear_, at::Scalar(0), at::expm1(z_));
      default:
        return -(over_divisor(alpha_ * z_) * exp());
    }
  }

  /// Undefined: 0.
  at::Tensor second(size_t by, size_t then_by) const {
    constexpr auto pair = [](size_t a, size_t b) { return 3 * a + b; };
    switch (by < then_by ? pair(by, then_by) : pair(then_by, by)) {
      case pair(0, 0):
        return over_divisor(over_divisor(alpha_ * exp()));
      case pair(0, 1):
        return over_divisor(exp());
      case pair(0, 2):
        return -over_divisor(over_divisor(alpha_ * exp() * (z_ + 1)));
      case pair(1, 2):
        return -over_divisor(z_ * exp());
      case pair(2, 2):
        return over_divisor(over_divisor(alpha_ * exp() * z_ * (z_ + 2)));
      default:
        return {};
    }
  }

 private:
  at::Tensor over_divisor(const at::Tensor& tensor) const {
    return inverse_.defined() ? tensor * inverse_ : tensor;
  }
  at::Tensor exp() const { return at::where(is_linear_, at::Scalar(0), at::exp(z_)); }

  at::Tensor is_linear_, x_, alpha_, inverse_, z_;
};

/// a + b, where an undefined one is 0.
inline at::Tensor add_defined(const at::Tensor& a, const at::Tensor& b) {
  return !a.defined() ? b : !b.defined() ? a : a + b;
}
inline at::Tensor mul_defined(const at::Tensor& a, const at::Tensor& b) {
  return a.defined() && b.defined() ? a * b : at::Tensor();
}

/// What was computed in the shape of the result, as a gradient of `tensor`, which was broadcast.
inline at::Tensor as_gradient_of(const at::Tensor& tensor, const at::Tensor& gradient) {
  return gradient.defined() ? at::sum_to(gradient, tensor.sym_sizes()).to(tensor.scalar_type())
                            : at::Tensor();
}

}  // namespace torch_elu

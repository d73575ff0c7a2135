// Differentiation: the first derivative is the operator elu_backward, and its own derivative is
// built from the same operator, so that any order exists. Nothing here touches data; kernels are
// reached through the dispatcher.

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/where.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>
#include <torch_elu/functional.h>

#include <array>
#include <tuple>

#include "dispatch/autograd_node.h"
#include "dispatch/operands.h"

namespace torch_elu {
namespace {

using torch::autograd::compute_requires_grad;
using torch::autograd::variable_list;

struct EluAttributes {
  at::Scalar alpha, scale, input_scale;
  bool is_result;
  static constexpr auto members =
      std::tuple(&EluAttributes::alpha, &EluAttributes::scale, &EluAttributes::input_scale,
                 &EluAttributes::is_result);
};

struct NoAttributes {
  static constexpr auto members = std::tuple();
};

void check_may_save_output(const at::Scalar& alpha, const at::Scalar& scale,
                           const at::Scalar& input_scale, const char* name) {
  TORCH_CHECK(is_result_enough(alpha, scale, input_scale), "torch_elu::", name,
              " keeps its output for backward, from which the gradient can be found only if "
              "alpha, scale and input_scale are >= 0, but got alpha=",
              alpha.toDouble(), ", scale=", scale.toDouble(),
              ", input_scale=", input_scale.toDouble(),
              ". Call it out of place with save=\"input\" (save_output=False) instead.");
}

struct EluDerivative {
  static constexpr const char* name = "EluBackward";
  static constexpr size_t inputs = 1, saved = 1;
  using Attributes = EluAttributes;

  static variable_list of(const at::Tensor& grad_output, const std::array<at::Tensor, 1>& saved,
                          const Attributes& attributes, const std::array<bool, 1>& /*needed*/) {
    const auto& [alpha, scale, input_scale, is_result] = attributes;
    return {torch_elu::elu_backward(grad_output, alpha, scale, input_scale, is_result, saved[0])};
  }
};

// Of elu_backward, by grad_output and by self_or_result.
struct EluBackwardDerivative {
  static constexpr const char* name = "EluBackwardBackward";
  static constexpr size_t inputs = 2, saved = 2;
  using Attributes = EluAttributes;

  static variable_list of(const at::Tensor& grad, const std::array<at::Tensor, 2>& saved,
                          const Attributes& attributes, const std::array<bool, 2>& needed) {
    const auto& [grad_output, self_or_result] = saved;
    const auto& [alpha, scale, input_scale, is_result] = attributes;
    at::Tensor grad_of_grad_output;
    if (needed[0]) {
      grad_of_grad_output =
          torch_elu::elu_backward(grad, alpha, scale, input_scale, is_result, self_or_result);
    }
    at::Tensor grad_of_self_or_result;
    if (needed[1]) {
      // On the exponential side the curvature is input_scale times the slope, and the slope found
      // from the result, input_scale * (result + alpha * scale), has the derivative input_scale. On
      // the linear side both are 0.
      const auto product = at::mul(at::mul(grad, grad_output), input_scale);
      grad_of_self_or_result =
          at::where(at::gt(self_or_result, 0), at::Scalar(0),
                    is_result ? product
                              : torch_elu::elu_backward(product, alpha, scale, input_scale,
                                                        is_result, self_or_result));
    }
    return {grad_of_grad_output, grad_of_self_or_result};
  }
};

// The result is the slope where it is below 1, exact to its rounding: nothing is gained by saving
// the input.
struct EluPlusOneDerivative {
  static constexpr const char* name = "EluPlusOneBackward";
  static constexpr size_t inputs = 1, saved = 1;
  using Attributes = NoAttributes;

  static variable_list of(const at::Tensor& grad_output, const std::array<at::Tensor, 1>& saved,
                          const Attributes& /*attributes*/, const std::array<bool, 1>& /*needed*/) {
    return {torch_elu::elu_plus_one_backward(grad_output, saved[0])};
  }
};

// Of elu_plus_one_backward, by grad_output and by result.
struct EluPlusOneBackwardDerivative {
  static constexpr const char* name = "EluPlusOneBackwardBackward";
  static constexpr size_t inputs = 2, saved = 2;
  using Attributes = NoAttributes;

  static variable_list of(const at::Tensor& grad, const std::array<at::Tensor, 2>& saved,
                          const Attributes& /*attributes*/, const std::array<bool, 2>& needed) {
    const auto& [grad_output, result] = saved;
    at::Tensor grad_of_grad_output;
    if (needed[0]) {
      grad_of_grad_output = torch_elu::elu_plus_one_backward(grad, result);
    }
    at::Tensor grad_of_result;
    if (needed[1]) {
      // The slope is the result up to 1, which is that of x = 0, and constant above.
      grad_of_result = at::where(at::gt(result, 1), at::Scalar(0), at::mul(grad, grad_output));
    }
    return {grad_of_grad_output, grad_of_result};
  }
};

// From what the input was, whatever the node saves: exact, and for coefficients of any sign.
at::Tensor elu_tangent(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                       const at::Scalar& input_scale) {
  return push_forward<EluDerivative>({alpha, scale, input_scale, /*is_result=*/false},
                                     {self._fw_primal(/*level=*/0)}, self);
}

at::Tensor elu_autograd(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                        const at::Scalar& input_scale, bool save_output) {
  const auto call = [&] {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    return save_output ? torch_elu::elu(self, ELUFuncOptions()
                                                  .alpha(alpha)
                                                  .scale(scale)
                                                  .input_scale(input_scale)
                                                  .save_output(true))
                       : torch_elu::elu(self, alpha, scale, input_scale);
  };
  if (!is_differentiated(self)) {
    return call();
  }
  if (!save_output || !compute_requires_grad(self)) {
    return record_and_save_inputs<EluDerivative>({alpha, scale, input_scale, /*is_result=*/false},
                                                 call, self);
  }
  check_may_save_output(alpha, scale, input_scale, "elu");
  const auto tangent = [&](const at::Tensor& /*result*/) {
    return elu_tangent(self, alpha, scale, input_scale);
  };
  return record_and_save_result<EluDerivative>({alpha, scale, input_scale, /*is_result=*/true},
                                               call, tangent, self);
}

at::Tensor& elu_inplace_autograd(at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                                 const at::Scalar& input_scale) {
  const auto call = [&]() -> at::Tensor& {
    at::AutoDispatchBelowAutograd below_autograd;
    return torch_elu::elu_(self, alpha, scale, input_scale);
  };
  if (!is_differentiated(self)) {
    return call();
  }
  if (compute_requires_grad(self)) {
    torch::autograd::check_inplace(self, /*requires_grad=*/true);
    check_may_save_output(alpha, scale, input_scale, "elu_");
  }
  const auto tangent = [&](const at::Tensor& original) {
    return elu_tangent(original, alpha, scale, input_scale);
  };
  record_in_place<EluDerivative>({alpha, scale, input_scale, /*is_result=*/true}, call, tangent,
                                 self);
  return self;
}

at::Tensor& elu_out_autograd(const at::Tensor& self, const at::Scalar& alpha,
                             const at::Scalar& scale, const at::Scalar& input_scale,
                             at::Tensor& out) {
  // Nothing is written into a given tensor in forward mode: ATen's error says so.
  if (has_tangent(self, out)) {
    return at::elu_out(out, self, alpha, scale, input_scale);
  }
  if (compute_requires_grad(self, out)) {
    torch::autograd::throw_error_out_requires_grad("elu");
  }
  at::AutoDispatchBelowAutograd below_autograd;
  return torch_elu::elu_out(out, self, alpha, scale, input_scale);
}

at::Tensor elu_backward_autograd(const at::Tensor& grad_output, const at::Scalar& alpha,
                                 const at::Scalar& scale, const at::Scalar& input_scale,
                                 bool is_result, const at::Tensor& self_or_result) {
  const auto call = [&] {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    return torch_elu::elu_backward(grad_output, alpha, scale, input_scale, is_result,
                                   self_or_result);
  };
  if (!is_differentiated(grad_output, self_or_result)) {
    return call();
  }
  return record_and_save_inputs<EluBackwardDerivative>({alpha, scale, input_scale, is_result}, call,
                                                       grad_output, self_or_result);
}

at::Tensor elu_plus_one_autograd(const at::Tensor& self) {
  const auto call = [&] {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    return torch_elu::elu_plus_one(self);
  };
  if (!is_differentiated(self)) {
    return call();
  }
  const auto tangent = [&](const at::Tensor& result) {
    return push_forward<EluPlusOneDerivative>({}, {result}, self);
  };
  return record_and_save_result<EluPlusOneDerivative>({}, call, tangent, self);
}

at::Tensor elu_plus_one_backward_autograd(const at::Tensor& grad_output, const at::Tensor& result) {
  const auto call = [&] {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    return torch_elu::elu_plus_one_backward(grad_output, result);
  };
  if (!is_differentiated(grad_output, result)) {
    return call();
  }
  return record_and_save_inputs<EluPlusOneBackwardDerivative>({}, call, grad_output, result);
}

// A tensor that was written to must not serve a backward that saved it earlier: its version counter
// tells.
at::Tensor& elu_inplace_bumps_version(at::Tensor& self, const at::Scalar& alpha,
                                      const at::Scalar& scale, const at::Scalar& input_scale) {
  {
    at::AutoDispatchBelowADInplaceOrView below;
    torch_elu::elu_(self, alpha, scale, input_scale);
  }
  torch::autograd::increment_version(self);
  return self;
}

at::Tensor& elu_out_bumps_version(const at::Tensor& self, const at::Scalar& alpha,
                                  const at::Scalar& scale, const at::Scalar& input_scale,
                                  at::Tensor& out) {
  {
    at::AutoDispatchBelowADInplaceOrView below;
    torch_elu::elu_out(out, self, alpha, scale, input_scale);
  }
  torch::autograd::increment_version(out);
  return out;
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, Autograd, m) {
  m.impl("elu", &torch_elu::elu_autograd);
  m.impl("elu_", &torch_elu::elu_inplace_autograd);
  m.impl("elu.out", &torch_elu::elu_out_autograd);
  m.impl("elu_backward", &torch_elu::elu_backward_autograd);
  m.impl("elu_plus_one", &torch_elu::elu_plus_one_autograd);
  m.impl("elu_plus_one_backward", &torch_elu::elu_plus_one_backward_autograd);
}

TORCH_LIBRARY_IMPL(torch_elu, ADInplaceOrView, m) {
  m.impl("elu_", &torch_elu::elu_inplace_bumps_version);
  m.impl("elu.out", &torch_elu::elu_out_bumps_version);
}

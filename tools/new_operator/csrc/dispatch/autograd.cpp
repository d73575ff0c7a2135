// Differentiation: the first derivative is the operator elu_backward, and its own derivative is
// built from the same operator, so that any order exists. Nothing here touches data; kernels are
// reached through the dispatcher.

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/add.h>
#include <ATen/ops/clamp_max.h>
#include <ATen/ops/div.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/rsub.h>
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

//= EluAttributes

void check_may_save_output(const at::Scalar& alpha, const char* name) {
  TORCH_CHECK(alpha.toDouble() > 0, "torch_elu::", name,
              " keeps its output for backward, from which the gradient can be found only if alpha "
              "> 0, but got alpha=",
              alpha.toDouble(), ". Call it out of place instead.");
}

//= EluDerivative

// Of elu_backward, by grad_output and by self_or_result.
struct EluBackwardDerivative {
  static constexpr const char* name = "EluBackwardBackward";
  static constexpr size_t inputs = 2, saved = 2;
  using Attributes = EluAttributes;

  static variable_list of(const at::Tensor& grad, const std::array<at::Tensor, 2>& saved,
                          const Attributes& attributes, const std::array<bool, 2>& needed) {
    const auto& [grad_output, self_or_result] = saved;
    const auto& [alpha, is_result] = attributes;
    at::Tensor grad_of_grad_output;
    if (needed[0]) {
      grad_of_grad_output = torch_elu::elu_backward(grad, alpha, is_result, self_or_result);
    }
    at::Tensor grad_of_self_or_result;
    if (needed[1]) {
      // The slope is alpha / (1 - x)^2 = (alpha + y)^2 / alpha: by x its derivative is
      // 2 slope / (1 - x), by y it is 2 (1 + y / alpha). Above zero both are 0.
      const auto product = at::mul(at::mul(grad, grad_output), 2);
      const auto negative = at::clamp_max(self_or_result, 0);
      grad_of_self_or_result = at::where(
          at::gt(self_or_result, 0), at::Scalar(0),
          is_result ? at::mul(product, at::add(at::div(negative, alpha), 1))
                    : at::div(torch_elu::elu_backward(product, alpha, is_result, self_or_result),
                              at::rsub(negative, 1)));
    }
    return {grad_of_grad_output, grad_of_self_or_result};
  }
};

//= elu_tangent

at::Tensor elu_autograd(const at::Tensor& self, const at::Scalar& alpha) {
  const auto call = [&] {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    return torch_elu::elu(self, alpha);
  };
  if (!is_differentiated(self)) {
    return call();
  }
  return record_and_save_inputs<EluDerivative>({alpha, /*is_result=*/false}, call, self);
}

//= elu_inplace_autograd

at::Tensor& elu_out_autograd(const at::Tensor& self, const at::Scalar& alpha, at::Tensor& out) {
  TORCH_CHECK(!has_tangent(self, out),
              "torch_elu::elu.out does not support forward mode: call it without `out`.");
  if (compute_requires_grad(self, out)) {
    torch::autograd::throw_error_out_requires_grad("elu");
  }
  at::AutoDispatchBelowAutograd below_autograd;
  return torch_elu::elu_out(out, self, alpha);
}

//= elu_backward_autograd
//= elu_inplace_bumps_version
//= elu_out_bumps_version

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, Autograd, m) {
  m.impl("elu", &torch_elu::elu_autograd);
  m.impl("elu_", &torch_elu::elu_inplace_autograd);
  m.impl("elu.out", &torch_elu::elu_out_autograd);
  m.impl("elu_backward", &torch_elu::elu_backward_autograd);
}

TORCH_LIBRARY_IMPL(torch_elu, ADInplaceOrView, m) {
  m.impl("elu_", &torch_elu::elu_inplace_bumps_version);
  m.impl("elu.out", &torch_elu::elu_out_bumps_version);
}

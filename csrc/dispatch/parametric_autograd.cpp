// Differentiation of parametric_elu: the first derivative is the operator parametric_elu_backward,
// a kernel; its own one, and tangents, are made of ATen's operators, so that any order exists.

#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>
#include <torch_elu/functional.h>

#include <array>
#include <optional>
#include <tuple>

#include "dispatch/autograd_node.h"
#include "dispatch/operands.h"
#include "dispatch/parametric_derivatives.h"

namespace torch_elu {
namespace {

using torch::autograd::variable_list;

// self, alpha and the divisor, which may be undefined.
using Operands = std::array<at::Tensor, 3>;

std::optional<at::Tensor> optional(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

struct ParametricEluDerivative {
  static constexpr const char* name = "ParametricEluBackward";
  static constexpr size_t inputs = 3, saved = 3;
  struct Attributes {
    static constexpr auto members = std::tuple();
  };

  static variable_list of(const at::Tensor& grad_output, const Operands& saved,
                          const Attributes& /*attributes*/, const std::array<bool, 3>& needed) {
    const auto [self, alpha, divisor] = torch_elu::parametric_elu_backward(
        grad_output, saved[0], saved[1], optional(saved[2]), needed);
    return {self, alpha, divisor};
  }
};

// Of parametric_elu_backward, by grad_output and the operands. Its outputs are the sums of
// grad_output * first(i).
struct ParametricEluBackwardDerivative {
  static constexpr const char* name = "ParametricEluBackwardBackward";
  static constexpr size_t inputs = 4, saved = 4;
  struct Attributes {
    static constexpr auto members = std::tuple();
  };

  static variable_list of(const variable_list& grads, const std::array<at::Tensor, 4>& saved,
                          const Attributes& /*attributes*/, const std::array<bool, 4>& needed) {
    const auto& [grad_output, self, alpha, divisor] = saved;
    const ParametricDerivatives derivatives(self, alpha, divisor);
    const auto weighted = [&](const auto& derivative) {
      at::Tensor sum;
      for (size_t i = 0; i < 3; ++i) {
        if (grads[i].defined()) {
          sum = add_defined(sum, mul_defined(ParametricDerivatives::wide(grads[i]), derivative(i)));
        }
      }
      return sum;
    };
    variable_list result(inputs);
    if (needed[0]) {
      result[0] =
          as_gradient_of(grad_output, weighted([&](size_t i) { return derivatives.first(i); }));
    }
    for (size_t by = 0; by < 3; ++by) {
      if (needed[by + 1] && saved[by + 1].defined()) {
        const auto sum = weighted([&](size_t i) { return derivatives.second(i, by); });
        result[by + 1] = as_gradient_of(saved[by + 1],
                                        mul_defined(ParametricDerivatives::wide(grad_output), sum));
      }
    }
    return result;
  }
};

// Without tangents, and the tangents alone, undefined where there are none.
Operands primals(const Operands& operands) {
  Operands result;
  for (size_t i = 0; i < 3; ++i) {
    result[i] = operands[i].defined() ? operands[i]._fw_primal(/*level=*/0) : at::Tensor();
  }
  return result;
}
at::Tensor wide_tangent(const at::Tensor& tensor) {
  return has_tangent(tensor) ? ParametricDerivatives::wide(tensor._fw_grad(/*level=*/0))
                             : at::Tensor();
}

void set_tangent(const at::Tensor& result, const at::Tensor& tangent) {
  if (tangent.defined()) {
    result._set_fw_grad(tangent.to(result.scalar_type()), /*level=*/0, /*is_inplace_op=*/false);
  }
}

at::Tensor parametric_elu_autograd(const at::Tensor& self, const at::Tensor& alpha,
                                   const std::optional<at::Tensor>& input_divisor) {
  const auto call = [&] {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    return torch_elu::parametric_elu(self, alpha, input_divisor);
  };
  const at::Tensor divisor = input_divisor.value_or(at::Tensor());
  if (!is_differentiated(self, alpha, divisor)) {
    return call();
  }
  const auto node = make_node<ParametricEluDerivative>({}, self, alpha, divisor);
  if (node) {
    node->save_inputs(self, alpha, divisor);
  }
  at::Tensor result = call();
  if (node) {
    torch::autograd::set_history(result, node);
  }
  if (has_tangent(self, alpha, divisor)) {
    const auto [x, a, d] = primals({self, alpha, divisor});
    const ParametricDerivatives derivatives(x, a, d);
    at::Tensor tangent;
    size_t by = 0;
    for (const auto& operand : {self, alpha, divisor}) {
      const auto own = wide_tangent(operand);
      if (own.defined()) {
        tangent = add_defined(tangent, own * derivatives.first(by));
      }
      ++by;
    }
    set_tangent(result, tangent);
  }
  compat::fire_creation_hooks(node);
  return result;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> parametric_elu_backward_autograd(
    const at::Tensor& grad_output, const at::Tensor& self, const at::Tensor& alpha,
    const std::optional<at::Tensor>& input_divisor, std::array<bool, 3> output_mask) {
  const auto call = [&] {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    return torch_elu::parametric_elu_backward(grad_output, self, alpha, input_divisor, output_mask);
  };
  const at::Tensor divisor = input_divisor.value_or(at::Tensor());
  if (!is_differentiated(grad_output, self, alpha, divisor)) {
    return call();
  }
  const auto node =
      make_node<ParametricEluBackwardDerivative>({}, grad_output, self, alpha, divisor);
  if (node) {
    node->save_inputs(grad_output, self, alpha, divisor);
  }
  auto result = call();
  const Operands outputs{std::get<0>(result), std::get<1>(result), std::get<2>(result)};
  if (node) {
    torch::autograd::set_history(variable_list(outputs.begin(), outputs.end()), node);
  }
  if (has_tangent(grad_output, self, alpha, divisor)) {
    const Operands operands{self, alpha, divisor};
    const auto [x, a, d] = primals(operands);
    const ParametricDerivatives derivatives(x, a, d);
    const auto grad = ParametricDerivatives::wide(grad_output._fw_primal(/*level=*/0));
    for (size_t i = 0; i < 3; ++i) {
      if (!outputs[i].defined()) {
        continue;
      }
      at::Tensor tangent;
      if (const auto own = wide_tangent(grad_output); own.defined()) {
        tangent = own * derivatives.first(i);
      }
      for (size_t by = 0; by < 3; ++by) {
        if (const auto own = wide_tangent(operands[by]); own.defined()) {
          const auto curvature = derivatives.second(i, by);
          tangent = add_defined(tangent, mul_defined(grad * own, curvature));
        }
      }
      set_tangent(outputs[i], as_gradient_of(operands[i], tangent));
    }
  }
  compat::fire_creation_hooks(node);
  return result;
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, Autograd, m) {
  m.impl("parametric_elu", &torch_elu::parametric_elu_autograd);
  m.impl("parametric_elu_backward", &torch_elu::parametric_elu_backward_autograd);
}

// Differentiation: the first derivative is the operator elu_backward, and its own derivative is
// built from the same operator, so that any order exists. Nothing here touches data; kernels are
// reached through the dispatcher.

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/elu_backward.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/where.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>
#include <torch_elu/functional.h>

#include <utility>

#include "fallback.h"
#include "operands.h"

namespace torch_elu {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Arguments {
  at::Scalar alpha, scale, input_scale;
};

void check_may_save_output(const Arguments& arguments, const char* name) {
  const auto& [alpha, scale, input_scale] = arguments;
  TORCH_CHECK(is_result_enough(alpha, scale, input_scale), "torch_elu::", name,
              " keeps its output for backward, from which the gradient can be found only if "
              "alpha, scale and input_scale are >= 0, but got alpha=",
              alpha.toDouble(), ", scale=", scale.toDouble(),
              ", input_scale=", input_scale.toDouble(),
              ". Call it out of place with save=\"input\" (save_output=False) instead.");
}

// Only what differs from the schema's defaults is written down: for a plain ELU nothing, which
// spares a small layer the hash map.
void save(AutogradContext* ctx, variable_list tensors, const Arguments& arguments, bool is_result) {
  ctx->save_for_backward(std::move(tensors));
  const auto save_coefficient = [&](const char* name, const at::Scalar& value) {
    if (value.isSymbolic() || value.toDouble() != 1) {
      ctx->saved_data[name] = value;
    }
  };
  save_coefficient("alpha", arguments.alpha);
  save_coefficient("scale", arguments.scale);
  save_coefficient("input_scale", arguments.input_scale);
  if (is_result) {
    ctx->saved_data["is_result"] = true;
  }
}

struct Saved {
  variable_list tensors;
  Arguments arguments;
  bool is_result;
};

Saved load(AutogradContext* ctx) {
  if (ctx->saved_data.empty()) {
    return {ctx->get_saved_variables(), {1, 1, 1}, /*is_result=*/false};
  }
  const auto coefficient = [&](const char* name) {
    const auto found = ctx->saved_data.find(name);
    return found == ctx->saved_data.end() ? at::Scalar(1) : found->second.toScalar();
  };
  return {ctx->get_saved_variables(),
          {coefficient("alpha"), coefficient("scale"), coefficient("input_scale")},
          ctx->saved_data.count("is_result") > 0};
}

variable_list backward_of_elu(AutogradContext* ctx, const variable_list& grad_outputs) {
  const auto [saved, c, is_result] = load(ctx);
  return {torch_elu::elu_backward(grad_outputs[0], c.alpha, c.scale, c.input_scale, is_result,
                                  saved[0]),
          at::Tensor(), at::Tensor()};
}

// Function::apply switches gradients off for its forward. But functionalization asks whether they
// are on when an input is written to, and so may a mode or a subclass of the user's: as with
// PyTorch's own operators they are.
struct BelowAutograd {
  at::AutoDispatchBelowADInplaceOrView keys;
  at::AutoGradMode gradients{true};
};

// `is_traceable` lets compiled autograd trace the backward, which is made of operators only.
struct Elu : torch::autograd::Function<Elu> {
  static constexpr bool is_traceable = true;

  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& self, const Arguments& c,
                            bool save_output) {
    const BelowAutograd below_autograd;
    auto result = torch_elu::elu(self, c.alpha, c.scale, c.input_scale, save_output);
    save(ctx, {save_output ? result : self}, c, save_output);
    return result;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    return backward_of_elu(ctx, grad_outputs);
  }
};

struct EluInplace : torch::autograd::Function<EluInplace> {
  static constexpr bool is_traceable = true;

  static at::Tensor forward(AutogradContext* ctx, at::Tensor& self, const Arguments& c,
                            AutogradContext** context) {
    const BelowAutograd below_autograd;
    torch_elu::elu_(self, c.alpha, c.scale, c.input_scale);
    ctx->mark_dirty({self});
    save(ctx, {self}, c, /*is_result=*/true);
    *context = ctx;
    return self;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    return backward_of_elu(ctx, grad_outputs);
  }
};

struct EluBackward : torch::autograd::Function<EluBackward> {
  static constexpr bool is_traceable = true;

  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& grad_output, const Arguments& c,
                            bool is_result, const at::Tensor& self_or_result) {
    const BelowAutograd below_autograd;
    save(ctx, {self_or_result, grad_output}, c, is_result);
    return torch_elu::elu_backward(grad_output, c.alpha, c.scale, c.input_scale, is_result,
                                   self_or_result);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const auto& grad = grad_outputs[0];
    const auto [saved, c, is_result] = load(ctx);
    const auto& self_or_result = saved[0];
    const auto& grad_output = saved[1];

    at::Tensor grad_of_grad_output;
    if (ctx->needs_input_grad(0)) {
      grad_of_grad_output =
          torch_elu::elu_backward(grad, c.alpha, c.scale, c.input_scale, is_result, self_or_result);
    }
    at::Tensor grad_of_self_or_result;
    if (ctx->needs_input_grad(1)) {
      // On the exponential side the curvature is input_scale times the slope, and the slope found
      // from the result, input_scale * (result + alpha * scale), has the derivative input_scale. On
      // the linear side both are 0.
      const auto product = at::mul(at::mul(grad, grad_output), c.input_scale);
      grad_of_self_or_result =
          at::where(at::gt(self_or_result, 0), at::Scalar(0),
                    is_result ? product
                              : torch_elu::elu_backward(product, c.alpha, c.scale, c.input_scale,
                                                        is_result, self_or_result));
    }
    return {grad_of_grad_output, at::Tensor(), at::Tensor(), grad_of_self_or_result};
  }
};

// The result is the slope where it is below 1, exact to its rounding: nothing is gained by saving
// the input.
struct EluPlusOne : torch::autograd::Function<EluPlusOne> {
  static constexpr bool is_traceable = true;

  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& self) {
    const BelowAutograd below_autograd;
    auto result = torch_elu::elu_plus_one(self);
    ctx->save_for_backward({result});
    return result;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    return {torch_elu::elu_plus_one_backward(grad_outputs[0], ctx->get_saved_variables()[0])};
  }
};

struct EluPlusOneBackward : torch::autograd::Function<EluPlusOneBackward> {
  static constexpr bool is_traceable = true;

  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& grad_output,
                            const at::Tensor& result) {
    const BelowAutograd below_autograd;
    ctx->save_for_backward({result, grad_output});
    return torch_elu::elu_plus_one_backward(grad_output, result);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const auto& grad = grad_outputs[0];
    const auto saved = ctx->get_saved_variables();
    const auto& result = saved[0];
    const auto& grad_output = saved[1];
    at::Tensor grad_of_grad_output;
    if (ctx->needs_input_grad(0)) {
      grad_of_grad_output = torch_elu::elu_plus_one_backward(grad, result);
    }
    at::Tensor grad_of_result;
    if (ctx->needs_input_grad(1)) {
      // The slope is the result up to 1, which is that of x = 0, and constant above.
      grad_of_result = at::where(at::gt(result, 1), at::Scalar(0), at::mul(grad, grad_output));
    }
    return {grad_of_grad_output, grad_of_result};
  }
};

// torch::autograd::Function refuses functorch's grad and drops forward-mode tangents; ATen's
// operators do both. functorch includes this key for as long as one of its transforms is active.
bool functorch_is_active() {
  return c10::impl::tls_is_dispatch_key_included(c10::DispatchKey::FuncTorchDynamicLayerBackMode);
}

// Nested tensors of the strided layout have no sizes to record, and ATen's error.
bool needs_aten(const at::Tensor& tensor) {
  return functorch_is_active() || torch::autograd::isFwGradDefined(tensor) ||
         (tensor.is_nested() && tensor.layout() == at::kStrided);
}

bool records_gradient(const at::Tensor& tensor) {
  return at::GradMode::is_enabled() && tensor.requires_grad();
}

at::Tensor elu_autograd(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                        const at::Scalar& input_scale, bool save_output) {
  if (needs_aten(self)) {
    return at::elu(self, alpha, scale, input_scale);
  }
  if (!records_gradient(self)) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    return torch_elu::elu(self, alpha, scale, input_scale, save_output);
  }
  const Arguments arguments{alpha, scale, input_scale};
  if (save_output) {
    check_may_save_output(arguments, "elu");
  }
  return Elu::apply(self, arguments, save_output);
}

at::Tensor& elu_inplace_autograd(at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                                 const at::Scalar& input_scale) {
  if (needs_aten(self)) {
    return at::elu_(self, alpha, scale, input_scale);
  }
  if (!records_gradient(self)) {
    at::AutoDispatchBelowAutograd below_autograd;
    return torch_elu::elu_(self, alpha, scale, input_scale);
  }
  const Arguments arguments{alpha, scale, input_scale};
  torch::autograd::check_inplace(self, /*requires_grad=*/true);
  check_may_save_output(arguments, "elu_");
  if (self.is_view()) {
    // The history of a view goes through that of its base. A node that saved it would hold itself
    // alive: AutogradContext has no word for "in place on a view".
    return self.copy_(Elu::apply(self, arguments, /*save_output=*/true));
  }
  AutogradContext* context = nullptr;  // owned by the node, as self's history owns that
  EluInplace::apply(self, arguments, &context);
  // The mark has done its work, and compiled autograd refuses a node that still carries it.
  context->mark_dirty({});
  return self;
}

at::Tensor& elu_out_autograd(const at::Tensor& self, const at::Scalar& alpha,
                             const at::Scalar& scale, const at::Scalar& input_scale,
                             at::Tensor& out) {
  if (needs_aten(self) || needs_aten(out)) {
    return at::elu_out(out, self, alpha, scale, input_scale);
  }
  if (records_gradient(self) || records_gradient(out)) {
    torch::autograd::throw_error_out_requires_grad("elu");
  }
  at::AutoDispatchBelowAutograd below_autograd;
  return torch_elu::elu_out(out, self, alpha, scale, input_scale);
}

at::Tensor elu_backward_autograd(const at::Tensor& grad_output, const at::Scalar& alpha,
                                 const at::Scalar& scale, const at::Scalar& input_scale,
                                 bool is_result, const at::Tensor& self_or_result) {
  if (needs_aten(grad_output) || needs_aten(self_or_result)) {
    return at::elu_backward(grad_output, alpha, scale, input_scale, is_result, self_or_result);
  }
  if (!records_gradient(grad_output) && !records_gradient(self_or_result)) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    return torch_elu::elu_backward(grad_output, alpha, scale, input_scale, is_result,
                                   self_or_result);
  }
  return EluBackward::apply(grad_output, Arguments{alpha, scale, input_scale}, is_result,
                            self_or_result);
}

at::Tensor elu_plus_one_autograd(const at::Tensor& self) {
  if (needs_aten(self)) {
    return elu_plus_one_of_aten(self);
  }
  if (!records_gradient(self)) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    return torch_elu::elu_plus_one(self);
  }
  return EluPlusOne::apply(self);
}

at::Tensor elu_plus_one_backward_autograd(const at::Tensor& grad_output, const at::Tensor& result) {
  if (needs_aten(grad_output) || needs_aten(result)) {
    return elu_plus_one_backward_of_aten(grad_output, result);
  }
  if (!records_gradient(grad_output) && !records_gradient(result)) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    return torch_elu::elu_plus_one_backward(grad_output, result);
  }
  return EluPlusOneBackward::apply(grad_output, result);
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

// Autograd's nodes of the operators, and the calls that put them into a graph and push tangents
// forward: as PyTorch's generator writes them for ATen's (EluBackward0 in
// torch/csrc/autograd/generated/Functions.h), so that transforms of torch.func take them, too. The
// other way, torch::autograd::Function, serves any function, and for a small layer its lists, maps
// and records of shapes take longer than the formula.
#pragma once

#include <ATen/ops/add.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <string>
#include <utility>

#include "compat/torch_versions.h"
#include "dispatch/compiled_autograd.h"

namespace torch_elu {

/// The backward of an operator. Derivative has
///   name        of the node, which is then torch_elu::name
///   inputs      how many tensors the operator takes: so many gradients are returned
///   saved       how many tensors the node keeps
///   Attributes  a struct of what else it keeps, and `members`, a tuple of pointers to its members
///   of          from (grad_output, the saved tensors, the attributes, which gradients are needed)
///               to the gradients; one that is not needed may be undefined. It is not called where
///               grad_output is undefined. Of an operator with several outputs: from the list of
///               their gradients, of which one is defined
template <typename Derivative>
class DerivativeNode final : public torch::autograd::TraceableFunction {
 public:
  using variable_list = torch::autograd::variable_list;
  using Attributes = typename Derivative::Attributes;
  using Tensors = std::array<at::Tensor, Derivative::saved>;
  using Needed = std::array<bool, Derivative::inputs>;
  static constexpr const char* short_name = Derivative::name;

  explicit DerivativeNode(Attributes attributes) : attributes_(std::move(attributes)) {}

  /// Before the operator runs: a hook of the user's on what is saved may end the call there.
  template <typename... Inputs>
  void save_inputs(const Inputs&... inputs) {
    saved_ = {torch::autograd::SavedVariable(inputs, /*is_output=*/false)...};
  }

  /// After the operator has run and the history is set. As an output it is kept without its
  /// grad_fn (of a view in place, with a weak reference to it): else result and node would own each
  /// other.
  void save_own_output(const at::Tensor& output, bool is_inplace_on_view) {
    static_assert(Derivative::saved == 1);
    saves_own_output_ = true;
    saved_[0] = torch::autograd::SavedVariable(output, /*is_output=*/true, is_inplace_on_view);
  }

  std::string name() const override { return std::string("torch_elu::") + short_name; }

  variable_list apply(variable_list&& grads) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return differentiate(grads, unpack(), attributes_, needed());
  }

  static variable_list differentiate(const variable_list& grads, const Tensors& saved,
                                     const Attributes& attributes, const Needed& needed) {
    const auto is_defined = [](const at::Tensor& grad) { return grad.defined(); };
    if (std::none_of(grads.begin(), grads.end(), is_defined)) {
      return variable_list(Derivative::inputs);
    }
    if constexpr (requires { Derivative::of(grads, saved, attributes, needed); }) {
      return Derivative::of(grads, saved, attributes, needed);
    } else {
      return Derivative::of(grads[0], saved, attributes, needed);
    }
  }

  void release_variables() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto& saved : saved_) {
      saved.reset_data();
    }
  }

  void compiled_args(torch::dynamo::autograd::CompiledNodeArgs& args) const override {
    compiled_autograd::collect(args, attributes_, saved_, saves_own_output_);
  }

  variable_list apply_with_saved(const variable_list& grads,
                                 torch::dynamo::autograd::SwapSavedVariables& swap) override {
    for (auto& saved : saved_) {
      swap.before(saved);
    }
    auto result = compiled_autograd::trace(swap, *this, grads, unpack(), attributes_, needed());
    for (auto& saved : saved_) {
      swap.after(saved);
    }
    return result;
  }

 private:
  Tensors unpack() {
    Tensors tensors;
    for (size_t i = 0; i < Derivative::saved; ++i) {
      tensors[i] = saves_own_output_ ? saved_[i].unpack(getptr()) : saved_[i].unpack();
    }
    return tensors;
  }

  Needed needed() const {
    Needed needed;
    for (size_t i = 0; i < Derivative::inputs; ++i) {
      needed[i] = task_should_compute_output(i);
    }
    return needed;
  }

  Attributes attributes_;
  std::array<torch::autograd::SavedVariable, Derivative::saved> saved_;
  bool saves_own_output_ = false;
};

template <typename... Inputs>
bool has_tangent(const Inputs&... inputs) {
  return (torch::autograd::isFwGradDefined(inputs) || ...);
}

/// Whether one of the calls below is needed: a gradient is recorded, or forward mode pushes a
/// tangent through.
template <typename... Inputs>
bool is_differentiated(const Inputs&... inputs) {
  return torch::autograd::compute_requires_grad(inputs...) || has_tangent(inputs...);
}

/// The tangent of an operator's result. Each element depends on the elements at its own place
/// alone, so a tangent is multiplied by the derivative as a gradient would be. `saved` is what
/// Derivative takes, without tangents.
template <typename Derivative, typename... Inputs>
at::Tensor push_forward(const typename Derivative::Attributes& attributes,
                        std::array<at::Tensor, Derivative::saved> saved, const Inputs&... inputs) {
  std::array<at::Tensor, Derivative::inputs> tangents{inputs._fw_grad(/*level=*/0)...};
  // They may have another dtype: PyTorch's norms of bfloat16 tensors with float32 weights give
  // such.
  auto dtype = saved[0].scalar_type();
  for (const auto& tangent : tangents) {
    dtype = tangent.defined() ? c10::promoteTypes(dtype, tangent.scalar_type()) : dtype;
  }
  for (auto& tensor : saved) {
    tensor = tensor.to(dtype);
  }
  at::Tensor sum;
  for (size_t i = 0; i < Derivative::inputs; ++i) {
    if (tangents[i].defined()) {
      std::array<bool, Derivative::inputs> needed{};
      needed[i] = true;
      const auto part = Derivative::of(tangents[i].to(dtype), saved, attributes, needed)[i];
      sum = sum.defined() ? at::add(sum, part) : part;
    }
  }
  return sum;
}

// With edges that lead to the nodes of the inputs; null where no gradient is recorded.
template <typename Derivative, typename... Inputs>
auto make_node(const typename Derivative::Attributes& attributes, const Inputs&... inputs) {
  decltype(compat::new_node<DerivativeNode<Derivative>>(attributes)) node;
  if (torch::autograd::compute_requires_grad(inputs...)) {
    node = compat::new_node<DerivativeNode<Derivative>>(attributes);
    node->set_next_edges(torch::autograd::collect_next_edges(inputs...));
  }
  return node;
}

/// The result of `call`, an operator of the inputs, with a node that saves these.
template <typename Derivative, typename Call, typename... Inputs>
at::Tensor record_and_save_inputs(const typename Derivative::Attributes& attributes,
                                  const Call& call, const Inputs&... inputs) {
  const auto node = make_node<Derivative>(attributes, inputs...);
  if (node) {
    node->save_inputs(inputs...);
  }
  at::Tensor result = call();
  if (node) {
    torch::autograd::set_history(result, node);
  }
  if (has_tangent(inputs...)) {
    result._set_fw_grad(
        push_forward<Derivative>(attributes, {inputs._fw_primal(/*level=*/0)...}, inputs...),
        /*level=*/0, /*is_inplace_op=*/false);
  }
  compat::fire_creation_hooks(node);
  return result;
}

/// The result of `call`, an operator of the input, with a node that saves the result. `tangent`
/// finds the result's from the result; it is called where the input has one.
template <typename Derivative, typename Call, typename Tangent>
at::Tensor record_and_save_result(const typename Derivative::Attributes& attributes,
                                  const Call& call, const Tangent& tangent,
                                  const at::Tensor& input) {
  const auto node = make_node<Derivative>(attributes, input);
  at::Tensor result = call();
  if (node) {
    torch::autograd::set_history(result, node);
  }
  if (has_tangent(input)) {
    result._set_fw_grad(tangent(result), /*level=*/0, /*is_inplace_op=*/false);
  }
  if (node) {
    // With its tangent, for forward over reverse.
    node->save_own_output(result, /*is_inplace_on_view=*/false);
  }
  compat::fire_creation_hooks(node);
  return result;
}

/// `call` overwrites `self`, which is what the node saves. `tangent` finds the new tangent from a
/// copy of what `self` was; it is called where `self` has one, which is overwritten, too.
template <typename Derivative, typename Call, typename Tangent>
void record_in_place(const typename Derivative::Attributes& attributes, const Call& call,
                     const Tangent& tangent, at::Tensor& self) {
  const auto node = make_node<Derivative>(attributes, self);
  const auto new_tangent = has_tangent(self) ? tangent(self.clone()) : at::Tensor();
  call();
  const auto attached = compat::rebase_history(self, node);
  if (new_tangent.defined()) {
    self._fw_grad(/*level=*/0).copy_(new_tangent);
  }
  if (node) {
    node->save_own_output(self, self.is_view());
  }
  compat::fire_creation_hooks(attached);
}

}  // namespace torch_elu

// Autograd's nodes of the operators, and the calls that put them into a graph and push tangents
// forward: as PyTorch's generator writes them for ATen's (EluBackward0 in
// torch/csrc/autograd/generated/Functions.h), so that transforms of torch.func take them, too. The
// other way, torch::autograd::Function, serves any function, and for a small layer its lists, maps
// and records of shapes take longer than the formula.
//
// All that the project knows of torch::autograd::Node and of compiled autograd stands here.
#pragma once

#include <ATen/ops/add.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/headeronly/version.h>

#include <array>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// A node that does not override compiled_args and apply_with_saved is refused by PyTorch's compiled
// autograd; nothing else needs this header.
#if __has_include(<torch/csrc/dynamo/compiled_autograd.h>)
#include <torch/csrc/dynamo/compiled_autograd.h>
#define TORCH_ELU_COMPILED_AUTOGRAD 1
#endif

// What changed between the versions of PyTorch that setup.py takes: since 2.13 nodes count
// themselves, before std::shared_ptr did; 2.14 brought torch.autograd.graph.node_creation_hook.
#define TORCH_ELU_TORCH_IS_AT_LEAST(minor) (TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= minor)

namespace torch_elu {

/// The backward of an operator. Derivative has
///   name       of the node, which is then torch_elu::name
///   inputs     how many tensors the operator takes: so many gradients are returned
///   saved      how many tensors the node keeps
///   Constants  a std::tuple of what else it keeps
///   of         from (grad_output, the saved tensors, the constants, which gradients are needed) to
///              the gradients; one that is not needed may be undefined. It is not called where
///              grad_output is undefined
template <typename Derivative>
class DerivativeNode final : public torch::autograd::TraceableFunction {
 public:
  using variable_list = torch::autograd::variable_list;
  using Constants = typename Derivative::Constants;
  using Tensors = std::array<at::Tensor, Derivative::saved>;
  using Needed = std::array<bool, Derivative::inputs>;

  explicit DerivativeNode(Constants constants) : constants_(std::move(constants)) {}

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

  std::string name() const override { return std::string("torch_elu::") + Derivative::name; }

  variable_list apply(variable_list&& grads) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return differentiate(grads, unpack(), constants_, needed());
  }

  void release_variables() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto& saved : saved_) {
      saved.reset_data();
    }
  }

#if defined(TORCH_ELU_COMPILED_AUTOGRAD)
  void compiled_args(torch::dynamo::autograd::CompiledNodeArgs& args) const override {
    std::apply([&](const auto&... constant) { (args.collect(constant), ...); }, constants_);
    for (const auto& saved : saved_) {
      args.collect(saved, saves_own_output_);
    }
  }

  // Puts a call of differentiate() into the graph that is being traced.
  variable_list apply_with_saved(const variable_list& grads,
                                 torch::dynamo::autograd::SwapSavedVariables& swap) override {
    namespace dynamo = torch::dynamo::autograd;
    using Metadata = std::vector<std::optional<torch::autograd::InputMetadata>>;
    for (auto& saved : saved_) {
      swap.before(saved);
    }
    dynamo::PackedArgs packed;
    std::vector<at::TypePtr> schema;
    const auto pack = [&]<typename T>(const T& value) {
      packed.pack(value);
      schema.push_back(dynamo::IValuePacker<T>::packed_type());
    };
    pack(needed());
    std::apply([&](const auto&... constant) { (pack(constant), ...); }, constants_);
    for (const auto& tensor : unpack()) {
      pack(tensor);
    }
    const auto& interface = dynamo::getPyCompilerInterface();
    // Once in a process: PyTorch asserts that a name is not bound twice.
    static const std::string bound_name = interface->bind_function(
        swap.get_py_compiler(), std::string("torch_elu_") + Derivative::name, differentiate_packed,
        schema);
    auto result = interface->call_function(
        swap.get_py_compiler(), "apply_functional", bound_name, grads, packed.vec(),
        dynamo::IValuePacker<Metadata>::pack(dynamo::get_input_metadata(next_edges())));
    for (auto& saved : saved_) {
      swap.after(saved);
    }
    return result;
  }
#endif

 private:
  static variable_list differentiate(const variable_list& grads, const Tensors& saved,
                                     const Constants& constants, const Needed& needed) {
    if (!grads[0].defined()) {
      return variable_list(Derivative::inputs);
    }
    return Derivative::of(grads[0], saved, constants, needed);
  }

#if defined(TORCH_ELU_COMPILED_AUTOGRAD)
  // Unpacks in the order of apply_with_saved.
  static variable_list differentiate_packed(const variable_list& grads,
                                            const std::vector<at::IValue>& arguments) {
    torch::dynamo::autograd::PackedArgs packed(arguments);
    const auto needed = packed.unpack<Needed>();
    const auto constants = [&]<typename... T>(const std::tuple<T...>*) {
      return std::tuple<T...>{packed.unpack<T>()...};  // braces evaluate from left to right
    }(static_cast<const Constants*>(nullptr));
    Tensors saved;
    for (auto& tensor : saved) {
      tensor = packed.unpack<at::Tensor>();
    }
    return differentiate(grads, saved, constants, needed);
  }
#endif

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

  Constants constants_;
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
at::Tensor push_forward(const typename Derivative::Constants& constants,
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
      const auto part = Derivative::of(tangents[i].to(dtype), saved, constants, needed)[i];
      sum = sum.defined() ? at::add(sum, part) : part;
    }
  }
  return sum;
}

template <typename Derivative>
auto new_node(const typename Derivative::Constants& constants) {
  using Node = DerivativeNode<Derivative>;
#if TORCH_ELU_TORCH_IS_AT_LEAST(13)
  return c10::make_intrusive<Node>(constants);
#else
  return std::shared_ptr<Node>(new Node(constants), torch::autograd::deleteNode);
#endif
}

// With edges that lead to the nodes of the inputs; null where no gradient is recorded.
template <typename Derivative, typename... Inputs>
auto make_node(const typename Derivative::Constants& constants, const Inputs&... inputs) {
  decltype(new_node<Derivative>(constants)) node;
  if (torch::autograd::compute_requires_grad(inputs...)) {
    node = new_node<Derivative>(constants);
    node->set_next_edges(torch::autograd::collect_next_edges(inputs...));
  }
  return node;
}

// Returns what creation hooks are to see: of a view that is the CopySlices of its base, not the
// node. Takes null, too.
template <typename NodePointer>
auto rebase_history(const at::Tensor& self, const NodePointer& node) {
#if TORCH_ELU_TORCH_IS_AT_LEAST(14)
  return torch::autograd::rebase_history(self, node);
#else
  torch::autograd::rebase_history(self, node);
  return node;
#endif
}

template <typename NodePointer>
void fire_creation_hooks([[maybe_unused]] const NodePointer& node) {
#if TORCH_ELU_TORCH_IS_AT_LEAST(14)
  if (node) {
    torch::autograd::fire_node_creation_hooks(node);
  }
#endif
}

/// The result of `run`, an operator of the inputs, with a node that saves these.
template <typename Derivative, typename Run, typename... Inputs>
at::Tensor record_and_save_inputs(const typename Derivative::Constants& constants, const Run& run,
                                  const Inputs&... inputs) {
  const auto node = make_node<Derivative>(constants, inputs...);
  if (node) {
    node->save_inputs(inputs...);
  }
  at::Tensor result = run();
  if (node) {
    torch::autograd::set_history(result, node);
  }
  if (has_tangent(inputs...)) {
    result._set_fw_grad(
        push_forward<Derivative>(constants, {inputs._fw_primal(/*level=*/0)...}, inputs...),
        /*level=*/0, /*is_inplace_op=*/false);
  }
  fire_creation_hooks(node);
  return result;
}

/// The result of `run`, an operator of the input, with a node that saves the result. `tangent`
/// finds the result's from the result; it is called where the input has one.
template <typename Derivative, typename Run, typename Tangent>
at::Tensor record_and_save_result(const typename Derivative::Constants& constants, const Run& run,
                                  const Tangent& tangent, const at::Tensor& input) {
  const auto node = make_node<Derivative>(constants, input);
  at::Tensor result = run();
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
  fire_creation_hooks(node);
  return result;
}

/// `run` overwrites `self`, which is what the node saves. `tangent` finds the new tangent from a
/// copy of what `self` was; it is called where `self` has one, which is overwritten, too.
template <typename Derivative, typename Run, typename Tangent>
void record_in_place(const typename Derivative::Constants& constants, const Run& run,
                     const Tangent& tangent, at::Tensor& self) {
  const auto node = make_node<Derivative>(constants, self);
  const auto new_tangent = has_tangent(self) ? tangent(self.clone()) : at::Tensor();
  run();
  const auto attached = rebase_history(self, node);
  if (new_tangent.defined()) {
    self._fw_grad(/*level=*/0).copy_(new_tangent);
  }
  if (node) {
    node->save_own_output(self, self.is_view());
  }
  fire_creation_hooks(attached);
}

}  // namespace torch_elu

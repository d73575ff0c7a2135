// A node of autograd's graph, made as PyTorch's generator makes those of ATen's operators. The
// other way, torch::autograd::Function, serves any function, and for a small layer its lists, maps
// and records of shapes take longer than the formula.
//
// All that the project knows of torch::autograd::Node and of compiled autograd stands here.
#pragma once

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
#include <typeinfo>
#include <utility>
#include <vector>

// Without it PyTorch's compiled autograd refuses the node.
#if __has_include(<torch/csrc/dynamo/compiled_autograd.h>)
#include <torch/csrc/dynamo/compiled_autograd.h>
#define TORCH_ELU_COMPILED_AUTOGRAD 1
#endif

namespace torch_elu {

/// The backward of an operator. Derivative has
///   name       of the node
///   inputs     how many tensors the operator takes, so many gradients come
///   saved      how many tensors the node keeps
///   Constants  a std::tuple of what else it keeps
///   of         from (grad_output, the saved tensors, the constants, which gradients are needed) to
///              the gradients, undefined where not needed
template <typename Derivative>
class DerivativeNode final : public torch::autograd::TraceableFunction {
 public:
  using variable_list = torch::autograd::variable_list;
  using Constants = typename Derivative::Constants;
  using Tensors = std::array<at::Tensor, Derivative::saved>;
  using Needed = std::array<bool, Derivative::inputs>;

  explicit DerivativeNode(Constants constants) : constants_(std::move(constants)) {}

  /// Keeps what the backward needs. A result must have its history by then: so it is known as this
  /// node's own, and the two do not hold each other.
  template <typename... Saved>
  void save(bool first_is_result, const Saved&... tensors) {
    static_assert(sizeof...(Saved) == Derivative::saved);
    first_is_result_ = first_is_result;
    size_t i = 0;
    ((saved_[i] =
          torch::autograd::SavedVariable(tensors, is_result(i), is_result(i) && tensors.is_view()),
      ++i),
     ...);
  }

  std::string name() const override { return Derivative::name; }

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
    for (size_t i = 0; i < Derivative::saved; ++i) {
      args.collect(saved_[i], is_result(i));
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
    const auto bound_name = interface->bind_function(
        swap.get_py_compiler(), typeid(Derivative).name(), differentiate_packed, schema,
        /*is_custom_function=*/true, /*is_traceable=*/true);
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
  static variable_list differentiate_packed(const variable_list& grads,
                                            const std::vector<at::IValue>& arguments) {
    torch::dynamo::autograd::PackedArgs packed(arguments);
    // In the order of apply_with_saved: the elements of a braced list are evaluated in theirs.
    const auto needed = packed.unpack<Needed>();
    const auto constants = [&]<typename... T>(const std::tuple<T...>*) {
      return std::tuple<T...>{packed.unpack<T>()...};
    }(static_cast<const Constants*>(nullptr));
    Tensors saved;
    for (auto& tensor : saved) {
      tensor = packed.unpack<at::Tensor>();
    }
    return differentiate(grads, saved, constants, needed);
  }
#endif

  bool is_result(size_t i) const { return first_is_result_ && i == 0; }

  Tensors unpack() {
    Tensors tensors;
    for (size_t i = 0; i < Derivative::saved; ++i) {
      tensors[i] = is_result(i) ? saved_[i].unpack(getptr()) : saved_[i].unpack();
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
  bool first_is_result_ = false;
};

/// A node in front of which stand those of the inputs, of which one or more require grad.
template <typename Derivative, typename... Inputs>
auto make_node(typename Derivative::Constants constants, const Inputs&... inputs) {
  using Node = DerivativeNode<Derivative>;
#if TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 13
  // There std::shared_ptr counts nodes, later they do it themselves.
  std::shared_ptr<Node> node(new Node(std::move(constants)), torch::autograd::deleteNode);
#else
  auto node = c10::make_intrusive<Node>(std::move(constants));
#endif
  node->set_next_edges(torch::autograd::collect_next_edges(inputs...));
  return node;
}

}  // namespace torch_elu

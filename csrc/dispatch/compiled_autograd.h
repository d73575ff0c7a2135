// What PyTorch's compiled autograd asks of a node: which of its data a graph is compiled for, and a
// call of its derivative that can be traced. A node without these is refused.
#pragma once

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/dynamo/compiled_autograd.h>

#include <array>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

namespace torch_elu::compiled_autograd {

namespace dynamo = torch::dynamo::autograd;
using torch::autograd::variable_list;

/// For Node::compiled_args.
template <typename Attributes, size_t count>
void collect(dynamo::CompiledNodeArgs& args, const Attributes& attributes,
             const std::array<torch::autograd::SavedVariable, count>& saved, bool is_own_output) {
  std::apply([&](auto... member) { (args.collect(attributes.*member), ...); }, Attributes::members);
  for (const auto& tensor : saved) {
    args.collect(tensor, is_own_output);
  }
}

// What the traced graph calls; unpacks in the order of trace().
template <typename Node>
variable_list differentiate_packed(const variable_list& grads,
                                   const std::vector<at::IValue>& arguments) {
  dynamo::PackedArgs packed(arguments);
  const auto unpack_into = [&](auto& value) {
    value = packed.unpack<std::decay_t<decltype(value)>>();
  };
  typename Node::Needed needed{};
  typename Node::Attributes attributes{};
  typename Node::Tensors saved;
  unpack_into(needed);
  std::apply([&](auto... member) { (unpack_into(attributes.*member), ...); },
             Node::Attributes::members);
  for (auto& tensor : saved) {
    unpack_into(tensor);
  }
  return Node::differentiate(grads, saved, attributes, needed);
}

/// For Node::apply_with_saved: puts a call of Node::differentiate into the graph being traced.
template <typename Node>
variable_list trace(dynamo::SwapSavedVariables& swap, const Node& node, const variable_list& grads,
                    const typename Node::Tensors& saved,
                    const typename Node::Attributes& attributes,
                    const typename Node::Needed& needed) {
  dynamo::PackedArgs packed;
  std::vector<at::TypePtr> schema;
  const auto pack = [&](const auto& value) {
    using T = std::decay_t<decltype(value)>;
    packed.pack(value);
    schema.push_back(dynamo::IValuePacker<T>::packed_type());
  };
  pack(needed);
  std::apply([&](auto... member) { (pack(attributes.*member), ...); }, Node::Attributes::members);
  for (const auto& tensor : saved) {
    pack(tensor);
  }
  const auto& interface = dynamo::getPyCompilerInterface();
  // Once in a process: PyTorch asserts that a name is not bound twice.
  static const std::string bound_name =
      interface->bind_function(swap.get_py_compiler(), std::string("torch_elu_") + Node::short_name,
                               differentiate_packed<Node>, schema);
  using Metadata = std::vector<std::optional<torch::autograd::InputMetadata>>;
  return interface->call_function(
      swap.get_py_compiler(), "apply_functional", bound_name, grads, packed.vec(),
      dynamo::IValuePacker<Metadata>::pack(dynamo::get_input_metadata(node.next_edges())));
}

}  // namespace torch_elu::compiled_autograd

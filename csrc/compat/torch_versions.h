// What differs between the versions of PyTorch that this library is built for, 2.11 to 2.15.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/enum_tag.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/function.h>
#include <torch/headeronly/version.h>

#include <memory>
#include <utility>
#include <vector>

#define TORCH_ELU_TORCH_IS_AT_LEAST(minor) (TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= minor)

namespace torch_elu::compat {

/// A node of autograd's graph. Since 2.13 nodes count themselves, before std::shared_ptr did.
template <typename Node, typename... Arguments>
auto new_node(Arguments&&... arguments) {
#if TORCH_ELU_TORCH_IS_AT_LEAST(13)
  return c10::make_intrusive<Node>(std::forward<Arguments>(arguments)...);
#else
  return std::shared_ptr<Node>(new Node(std::forward<Arguments>(arguments)...),
                               torch::autograd::deleteNode);
#endif
}

/// Makes `node`, which may be null, the history of `self`, which was written to. Returns what
/// creation hooks are to see: of a view that is the CopySlices of its base, not the node.
template <typename NodePointer>
auto rebase_history(const at::Tensor& self, const NodePointer& node) {
#if TORCH_ELU_TORCH_IS_AT_LEAST(14)
  return torch::autograd::rebase_history(self, node);
#else
  torch::autograd::rebase_history(self, node);
  return node;
#endif
}

/// For torch.autograd.graph.node_creation_hook, which came with 2.14.
template <typename NodePointer>
void fire_creation_hooks([[maybe_unused]] const NodePointer& node) {
#if TORCH_ELU_TORCH_IS_AT_LEAST(14)
  if (node) {
    torch::autograd::fire_node_creation_hooks(node);
  }
#endif
}

/// The tags for an overload that writes into an argument: 2.15 has them, 2.11 does not.
template <typename Tag = at::Tag>
std::vector<Tag> inplace_tags() {
  if constexpr (requires { Tag::inplace; }) {
    return {Tag::inplace};
  } else {
    return {};
  }
}

template <typename Tag = at::Tag>
std::vector<Tag> out_tags() {
  if constexpr (requires { Tag::out; }) {
    return {Tag::out};
  } else {
    return {};
  }
}

}  // namespace torch_elu::compat

#pragma once

#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include <map>
#include <memory>
#include <string>

namespace torch_elu {

/// What stands in place of a library's operators in TorchScript: functions in TorchScript's own
/// language, which take the operators' arguments. That for `elu` is named `elu`, that for `elu.out`
/// `elu_out`.
class Replacements {
 public:
  Replacements(const std::string& name_space, const char* source);

  /// null: not one of these operators.
  torch::jit::GraphFunction* find(const torch::jit::Node& node) const;

 private:
  c10::Symbol name_space_;
  std::shared_ptr<torch::jit::CompilationUnit> functions_;
};

/// By the names of the functions that replaced them.
using ReplacedCounts = std::map<std::string, int64_t>;

/// Replaces the operators in everything that the module runs. It becomes a copy of itself for that,
/// with the same attributes, unless there is nothing to replace. Each function gets
/// `more_arguments` after the operator's own.
ReplacedCounts rewrite_module(torch::jit::Module& module, const Replacements& replacements,
                              at::ArrayRef<c10::IValue> more_arguments = {});

}  // namespace torch_elu

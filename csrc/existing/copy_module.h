#pragma once

#include <torch/csrc/jit/api/module.h>

#include <vector>

namespace torch_elu {

/// A TorchScript module with classes and functions of its own, which may be rewritten without
/// changing any other instance of the original's classes, and with the original's attributes.
struct ModuleCopy {
  torch::jit::ObjectPtr object;

  struct Class {
    std::vector<torch::jit::Function*> functions;  // methods, hooks, getters and setters
    int64_t instances;
  };
  std::vector<Class> classes;
};

/// As torch::jit::Module::clone(/*inplace=*/true), but that leaves out hooks and properties, and
/// makes two modules of one that is used in two places.
ModuleCopy copy_module(const torch::jit::Module& module);

}  // namespace torch_elu

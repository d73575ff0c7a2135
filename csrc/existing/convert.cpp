// TorchScript models: PyTorch's activations become operators of this library.

#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch_elu/convert.h>

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "existing/copy_module.h"
#include "math/selu.h"

namespace torch_elu {
namespace {

namespace jit = torch::jit;

// What stands in place of each of PyTorch's operators, whose arguments it takes, and whether ELU
// and CELU are to save their output. As in ops.cpp and functional.py.
constexpr const char* kReplacements = R"(
def elu(self: Tensor, alpha: number, scale: number, input_scale: number, save_output: bool):
    is_enough = save_output and alpha >= 0 and scale >= 0 and input_scale >= 0
    return torch_elu.elu(self, alpha, scale, input_scale, save_output=is_enough)

def elu_(self: Tensor, alpha: number, scale: number, input_scale: number, save_output: bool):
    return torch_elu.elu_(self, alpha, scale, input_scale)

def selu(self: Tensor, save_output: bool):
    return torch_elu.elu(self, selu_alpha, selu_scale)

def selu_(self: Tensor, save_output: bool):
    return torch_elu.elu_(self, selu_alpha, selu_scale)

def celu(self: Tensor, alpha: number, save_output: bool):
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return torch_elu.elu(self, alpha, 1.0, 1.0 / alpha, save_output=save_output and alpha >= 0)

def celu_(self: Tensor, alpha: number, save_output: bool):
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return torch_elu.elu_(self, alpha, 1.0, 1.0 / alpha)
)";

// The names in there that TorchScript does not know of itself.
struct Names : jit::Resolver {
  std::shared_ptr<jit::SugaredValue> resolveValue(const std::string& name,
                                                  jit::GraphFunction& function,
                                                  const jit::SourceRange& /*range*/) override {
    if (name == "torch_elu") {
      return std::make_shared<jit::BuiltinModule>("torch_elu");
    }
    if (name == "selu_alpha" || name == "selu_scale") {
      const double value = name == "selu_alpha" ? kSeluAlpha : kSeluScale;
      return std::make_shared<jit::SimpleValue>(function.graph()->insertConstant(value));
    }
    return name == "RuntimeError" ? std::make_shared<jit::ExceptionValue>("RuntimeError") : nullptr;
  }
};

// null: not one of PyTorch's activations.
jit::GraphFunction* find_replacement(const jit::Node& node) {
  static const auto replacements = [] {
    auto unit = std::make_shared<jit::CompilationUnit>();
    unit->define(std::nullopt, kReplacements, std::make_shared<Names>(), nullptr);
    return unit;
  }();
  if (!node.kind().is_aten()) {
    return nullptr;
  }
  auto* function = replacements->find_function(c10::QualifiedName(node.kind().toUnqualString()));
  const bool is_out = function != nullptr && !node.schema().overload_name().empty();
  return function == nullptr || is_out ? nullptr : &jit::toGraphFunction(*function);
}

class Converter {
 public:
  /// `converted`: the functions that will be converted themselves, and so are not inlined.
  Converter(std::unordered_set<jit::Function*> converted, bool save_output)
      : converted_(std::move(converted)), save_output_(save_output) {}

  bool holds_activation(jit::Function& function) {
    if (const auto known = holds_.find(&function); known != holds_.end()) {
      return known->second;
    }
    function.ensure_defined();
    auto* const graph_function = jit::tryToGraphFunction(function);
    return holds_[&function] =
               graph_function != nullptr && holds_activation(*graph_function->graph()->block());
  }

  // Returns how many activations were replaced.
  int64_t convert(std::shared_ptr<jit::Graph> graph) {
    if (!holds_activation(*graph->block())) {
      return 0;
    }
    while (auto* const call = find_call(*graph->block())) {
      inline_call(*call);
    }
    // nn.functional's `if inplace:` is decided here, so that only what can run is counted.
    jit::ConstantPropagationImmutableTypes(graph);
    const int64_t count = replace(*graph->block());
    jit::ConstantPropagationImmutableTypes(graph);  // CELU's 1 / alpha
    return count;
  }

 private:
  bool holds_activation(jit::Block& block) {
    for (auto* const node : block.nodes()) {
      if (find_replacement(*node) != nullptr || find_callee(*node) != nullptr) {
        return true;
      }
      for (auto* const inner : node->blocks()) {
        if (holds_activation(*inner)) {
          return true;
        }
      }
      if (node->hasAttribute(c10::attr::Subgraph) &&
          holds_activation(*node->g(c10::attr::Subgraph)->block())) {
        return true;
      }
    }
    return false;
  }

  // The function that `node` calls, if it holds an activation and is to be inlined for it.
  jit::GraphFunction* find_callee(const jit::Node& node) {
    jit::Function* function = nullptr;
    if (node.kind() == c10::prim::CallFunction) {
      function = node.input(0)->type()->expectRef<c10::FunctionType>().function();
    } else if (node.kind() == c10::prim::CallMethod) {
      if (const auto type = node.input(0)->type()->cast<c10::ClassType>()) {
        function = type->findMethod(node.s(c10::attr::name));
      }
    }
    const bool is_inlined =
        function != nullptr && converted_.count(function) == 0 && holds_activation(*function);
    return is_inlined ? &jit::toGraphFunction(*function) : nullptr;
  }

  jit::Node* find_call(jit::Block& block) {
    for (auto* const node : block.nodes()) {
      if (find_callee(*node) != nullptr) {
        return node;
      }
      for (auto* const inner : node->blocks()) {
        if (auto* const call = find_call(*inner)) {
          return call;
        }
      }
    }
    return nullptr;
  }

  void inline_call(jit::Node& call) {
    auto* const callee = find_callee(call);
    if (call.kind() == c10::prim::CallFunction) {
      auto* const constant = call.input(0);
      call.removeInput(0);
      if (!constant->hasUses()) {
        constant->node()->destroy();
      }
    }
    // As it was written: by default its graph comes as optimised for what autocast is set to now.
    jit::inlineCallTo(&call, callee, callee->graph().get());
  }

  int64_t replace(jit::Block& block) {
    int64_t count = 0;
    for (auto next = block.nodes().begin(); next != block.nodes().end();) {
      auto* const node = *next++;
      for (auto* const inner : node->blocks()) {
        count += replace(*inner);
      }
      if (node->hasAttribute(c10::attr::Subgraph)) {  // of a fork, for example
        count += convert(node->g(c10::attr::Subgraph));
      }
      if (auto* const replacement = find_replacement(*node)) {
        {
          const jit::WithInsertPoint before(node);
          node->addInput(node->owningGraph()->insertConstant(save_output_));
        }
        jit::inlineCallTo(node, replacement, replacement->graph().get());
        ++count;
      }
    }
    return count;
  }

  std::unordered_set<jit::Function*> converted_;
  std::unordered_map<jit::Function*, bool> holds_;
  bool save_output_;
};

// The methods of the module and of its submodules, and what else their classes hold.
bool holds_activation(const jit::Module& module) {
  Converter converter({}, false);
  for (const auto& submodule : module.modules()) {
    const auto type = submodule.type();
    for (const auto& functions :
         {type->methods(), type->getForwardHooks(), type->getForwardPreHooks()}) {
      for (auto* const function : functions) {
        if (converter.holds_activation(*function)) {
          return true;
        }
      }
    }
  }
  return false;
}

}  // namespace

int64_t convert(jit::Module& module, bool save_output) {
  if (!holds_activation(module)) {
    return 0;
  }
  const ModuleCopy copy = copy_module(module);
  std::unordered_set<jit::Function*> functions;
  for (const auto& type : copy.classes) {
    functions.insert(type.functions.begin(), type.functions.end());
  }
  Converter converter(std::move(functions), save_output);
  int64_t count = 0;
  for (const auto& type : copy.classes) {
    for (auto* const function : type.functions) {
      count += type.instances * converter.convert(jit::toGraphFunction(*function).graph());
    }
  }
  if (count > 0) {
    // Only the object is exchanged: what else the handle holds (a loaded file's memory, the inputs
    // of a trace) belongs to the new one too.
    static_cast<jit::Object&>(module) = jit::Object(copy.object);
  }
  return count;
}

}  // namespace torch_elu

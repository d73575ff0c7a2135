// TorchScript models: PyTorch's activations become operators of this library.

#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch_elu/convert.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "existing/copy_module.h"

namespace torch_elu {
namespace {

namespace jit = torch::jit;

// What stands in place of each of PyTorch's operators, whose arguments it takes, and whether ELU
// and CELU are to save their output.
constexpr const char* kReplacements = R"(
def elu(self: Tensor, alpha: number, scale: number, input_scale: number, save_output: bool):
    is_enough = save_output and alpha >= 0 and scale >= 0 and input_scale >= 0
    return torch_elu.elu(self, alpha, scale, input_scale, save_output=is_enough)

def elu_(self: Tensor, alpha: number, scale: number, input_scale: number, save_output: bool):
    return torch_elu.elu_(self, alpha, scale, input_scale)

def selu(self: Tensor, save_output: bool):
    alpha, scale = torch_elu.selu_coefficients()
    return torch_elu.elu(self, alpha, scale)

def selu_(self: Tensor, save_output: bool):
    alpha, scale = torch_elu.selu_coefficients()
    return torch_elu.elu_(self, alpha, scale)

def celu(self: Tensor, alpha: number, save_output: bool):
    return torch_elu.elu(self, alpha, 1.0, torch_elu.celu_input_scale(alpha),
                         save_output=save_output and alpha >= 0)

def celu_(self: Tensor, alpha: number, save_output: bool):
    return torch_elu.elu_(self, alpha, 1.0, torch_elu.celu_input_scale(alpha))
)";

// The one name in there that TorchScript does not know of itself.
struct Names : jit::Resolver {
  std::shared_ptr<jit::SugaredValue> resolveValue(const std::string& name,
                                                  jit::GraphFunction& /*function*/,
                                                  const jit::SourceRange& /*range*/) override {
    return name == "torch_elu" ? std::make_shared<jit::BuiltinModule>("torch_elu") : nullptr;
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
    inline_calls(*graph->block());
    // nn.functional's `if inplace:` is decided here, so that only what can run is counted.
    jit::ConstantPropagationImmutableTypes(graph);
    const int64_t count = replace(*graph->block());
    jit::ConstantPropagationImmutableTypes(graph);  // SELU's coefficients and CELU's 1 / alpha
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

  // In one pass: what a call becomes is looked through next, for calls of its own.
  void inline_calls(jit::Block& block) {
    for (auto node = block.nodes().begin(); node != block.nodes().end();) {
      if (auto* const callee = find_callee(**node)) {
        drop_function_constant(**node);
        auto before = node;
        --before;
        // As it was written: by default its graph comes as optimised for what autocast is set to
        // now.
        jit::inlineCallTo(*node, callee, callee->graph().get());
        node = ++before;
        continue;
      }
      for (auto* const inner : node->blocks()) {
        inline_calls(*inner);
      }
      ++node;
    }
  }

  static void drop_function_constant(jit::Node& call) {
    if (call.kind() == c10::prim::CallFunction) {
      auto* const constant = call.input(0);
      call.removeInput(0);
      if (!constant->hasUses()) {
        constant->node()->destroy();
      }
    }
  }

  int64_t replace(jit::Block& block) {
    int64_t count = 0;
    for (auto next = block.nodes().begin(); next != block.nodes().end();) {
      auto* const node = *next++;
      for (auto* const inner : node->blocks()) {
        count += replace(*inner);
      }
      if (node->hasAttribute(c10::attr::Subgraph)) {  // of a fork, for example
        // The copy of a graph shares it with the original.
        const auto subgraph = node->g(c10::attr::Subgraph)->copy();
        if (const int64_t replaced = convert(subgraph); replaced > 0) {
          node->g_(c10::attr::Subgraph, subgraph);
          count += replaced;
        }
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

// Whether `convert` will replace anything. What holds an activation is tried out on a copy of its
// code, since in dead code there is none to replace, and a class once made could not be taken back.
bool holds_live_activation(const jit::Module& module) {
  std::unordered_set<jit::Function*> functions;
  for (const auto& submodule : module.modules()) {
    const auto type = submodule.type();
    for (const auto& some :
         {type->methods(), type->getForwardHooks(), type->getForwardPreHooks()}) {
      functions.insert(some.begin(), some.end());
    }
  }
  Converter converter(functions, /*save_output=*/false);
  return std::any_of(functions.begin(), functions.end(), [&](jit::Function* function) {
    return converter.holds_activation(*function) &&
           converter.convert(jit::toGraphFunction(*function).graph()->copy()) > 0;
  });
}

}  // namespace

inline namespace v1 {

int64_t convert(jit::Module& module, const ConvertOptions& options) {
  if (!holds_live_activation(module)) {
    return 0;
  }
  const ModuleCopy copy = copy_module(module);
  std::unordered_set<jit::Function*> functions;
  for (const auto& type : copy.classes) {
    functions.insert(type.functions.begin(), type.functions.end());
  }
  Converter converter(std::move(functions), options.save_output());
  int64_t count = 0;
  for (const auto& type : copy.classes) {
    for (auto* const function : type.functions) {
      count += type.instances * converter.convert(jit::toGraphFunction(*function).graph());
    }
  }
  // Only the object is exchanged: what else the handle holds (a loaded file's memory, the inputs of
  // a trace) belongs to the new one too.
  static_cast<jit::Object&>(module) = jit::Object(copy.object);
  return count;
}

}  // namespace v1
}  // namespace torch_elu

#include "existing/rewrite_module.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/passes/constant_propagation.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "existing/copy_module.h"

namespace torch_elu {
namespace {

namespace jit = torch::jit;

// The names in the sources that TorchScript does not know of itself.
struct Names : jit::Resolver {
  std::shared_ptr<jit::SugaredValue> resolveValue(const std::string& name,
                                                  jit::GraphFunction& /*function*/,
                                                  const jit::SourceRange& /*range*/) override {
    const bool is_library = name == "aten" || name == "torch_elu";
    return is_library ? std::make_shared<jit::BuiltinModule>(name) : nullptr;
  }
};

class Rewriter {
 public:
  /// `rewritten`: the functions that will be rewritten themselves, and so are not inlined.
  Rewriter(const Replacements& replacements, at::ArrayRef<c10::IValue> more_arguments,
           std::unordered_set<jit::Function*> rewritten)
      : replacements_(replacements),
        more_arguments_(more_arguments),
        rewritten_(std::move(rewritten)) {}

  bool holds_operator(jit::Function& function) {
    if (const auto known = holds_.find(&function); known != holds_.end()) {
      return known->second;
    }
    function.ensure_defined();
    auto* const graph_function = jit::tryToGraphFunction(function);
    return holds_[&function] =
               graph_function != nullptr && holds_operator(*graph_function->graph()->block());
  }

  const ReplacedCounts& counts() const { return counts_; }

  // `instances`: how many modules run this graph. Returns whether anything was replaced.
  bool rewrite(std::shared_ptr<jit::Graph> graph, int64_t instances) {
    if (!holds_operator(*graph->block())) {
      return false;
    }
    inline_calls(*graph->block());
    // nn.functional's `if inplace:` is decided here, so that only what can run is counted.
    jit::ConstantPropagationImmutableTypes(graph);
    const bool is_replaced = replace(*graph->block(), instances);
    jit::ConstantPropagationImmutableTypes(graph);  // SELU's coefficients and CELU's 1 / alpha
    return is_replaced;
  }

 private:
  bool holds_operator(jit::Block& block) {
    for (auto* const node : block.nodes()) {
      if (replacements_.find(*node) != nullptr || find_callee(*node) != nullptr) {
        return true;
      }
      for (auto* const inner : node->blocks()) {
        if (holds_operator(*inner)) {
          return true;
        }
      }
      if (node->hasAttribute(c10::attr::Subgraph) &&
          holds_operator(*node->g(c10::attr::Subgraph)->block())) {
        return true;
      }
    }
    return false;
  }

  // The function that `node` calls, if it holds an operator and is to be inlined for it.
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
        function != nullptr && rewritten_.count(function) == 0 && holds_operator(*function);
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

  bool replace(jit::Block& block, int64_t instances) {
    bool is_replaced = false;
    for (auto next = block.nodes().begin(); next != block.nodes().end();) {
      auto* const node = *next++;
      for (auto* const inner : node->blocks()) {
        is_replaced |= replace(*inner, instances);
      }
      if (node->hasAttribute(c10::attr::Subgraph)) {  // of a fork, for example
        // The copy of a graph shares it with the original.
        const auto subgraph = node->g(c10::attr::Subgraph)->copy();
        if (rewrite(subgraph, instances)) {
          node->g_(c10::attr::Subgraph, subgraph);
          is_replaced = true;
        }
      }
      if (auto* const replacement = replacements_.find(*node)) {
        {
          const jit::WithInsertPoint before(node);
          for (const auto& argument : more_arguments_) {
            node->addInput(node->owningGraph()->insertConstant(argument));
          }
        }
        jit::inlineCallTo(node, replacement, replacement->graph().get());
        counts_[replacement->name()] += instances;
        is_replaced = true;
      }
    }
    return is_replaced;
  }

  const Replacements& replacements_;
  at::ArrayRef<c10::IValue> more_arguments_;
  std::unordered_set<jit::Function*> rewritten_;
  std::unordered_map<jit::Function*, bool> holds_;
  ReplacedCounts counts_;
};

// Whether anything will be replaced. What holds an operator is tried out on a copy of its code,
// since in dead code there is none to replace, and a class once made could not be taken back.
bool holds_live_operator(const jit::Module& module, const Replacements& replacements,
                         at::ArrayRef<c10::IValue> more_arguments) {
  std::unordered_set<jit::Function*> functions;
  for (const auto& submodule : module.modules()) {
    const auto type = submodule.type();
    for (const auto& some :
         {type->methods(), type->getForwardHooks(), type->getForwardPreHooks()}) {
      functions.insert(some.begin(), some.end());
    }
  }
  Rewriter rewriter(replacements, more_arguments, functions);
  return std::any_of(functions.begin(), functions.end(), [&](jit::Function* function) {
    return rewriter.holds_operator(*function) &&
           rewriter.rewrite(jit::toGraphFunction(*function).graph()->copy(), /*instances=*/1);
  });
}

}  // namespace

Replacements::Replacements(const std::string& name_space, const char* source)
    : name_space_(c10::Symbol::fromQualString(name_space + "::elu").ns()),
      functions_(std::make_shared<jit::CompilationUnit>()) {
  functions_->define(std::nullopt, source, std::make_shared<Names>(), nullptr);
}

jit::GraphFunction* Replacements::find(const jit::Node& node) const {
  if (node.kind().ns() != name_space_) {
    return nullptr;
  }
  const auto& overload = node.schema().overload_name();
  std::string name = node.kind().toUnqualString();
  name += overload.empty() ? "" : "_" + overload;
  auto* const function = functions_->find_function(c10::QualifiedName(name));
  return function == nullptr ? nullptr : &jit::toGraphFunction(*function);
}

ReplacedCounts rewrite_module(jit::Module& module, const Replacements& replacements,
                              at::ArrayRef<c10::IValue> more_arguments) {
  if (!holds_live_operator(module, replacements, more_arguments)) {
    return {};
  }
  const ModuleCopy copy = copy_module(module);
  std::unordered_set<jit::Function*> functions;
  for (const auto& type : copy.classes) {
    functions.insert(type.functions.begin(), type.functions.end());
  }
  Rewriter rewriter(replacements, more_arguments, std::move(functions));
  for (const auto& type : copy.classes) {
    for (auto* const function : type.functions) {
      rewriter.rewrite(jit::toGraphFunction(*function).graph(), type.instances);
    }
  }
  // Only the object is exchanged: what else the handle holds (a loaded file's memory, the inputs of
  // a trace) belongs to the new one too.
  static_cast<jit::Object&>(module) = jit::Object(copy.object);
  return rewriter.counts();
}

}  // namespace torch_elu

#include "existing/copy_module.h"

#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/function_impl.h>

#include <unordered_map>
#include <utility>

namespace torch_elu {
namespace {

namespace jit = torch::jit;
using c10::ClassType;
using c10::ClassTypePtr;
using c10::TypePtr;

// What becomes of the old model's objects, classes and functions.
class Copier {
 public:
  jit::ObjectPtr copy(const jit::ObjectPtr& object) {
    if (const auto known = objects_.find(object.get()); known != objects_.end()) {
      return known->second;
    }
    const auto& slots = object->slots();
    auto copied = c10::ivalue::Object::create(
        c10::StrongTypePtr(object->compilation_unit(), copy(object->type())), slots.size());
    objects_.emplace(object.get(), copied);
    ++instances_[copied->type().get()];
    for (size_t slot = 0; slot < slots.size(); ++slot) {
      copied->setSlot(slot, slots[slot].isModule() ? copy(slots[slot].toObject()) : slots[slot]);
    }
    return copied;
  }

  // After all classes, which the functions' graphs name.
  std::vector<ModuleCopy::Class> copy_functions() {
    std::vector<ModuleCopy::Class> result;
    for (const auto& [original, copied] : classes_) {
      result.push_back({copy_functions(*original, *copied), instances_[copied.get()]});
    }
    for (const auto& [original, copied] : functions_) {
      const auto new_type = [this](const TypePtr& type) { return remap(type); };
      jit::toGraphFunction(*copied).graph()->remapTypes(new_type);
      copied->setSchema(original->getSchema().cloneWithRemappedTypes(new_type));
    }
    return result;
  }

 private:
  ClassTypePtr copy(const ClassTypePtr& type) {
    if (const auto known = types_.find(type.get()); known != types_.end()) {
      return known->second;
    }
    const auto unit = type->compilation_unit();
    auto copied = ClassType::create(unit->mangle(type->name().value()), unit,
                                    /*is_module=*/true, type->doc_string());
    unit->register_type(copied);
    types_.emplace(type.get(), copied);
    classes_.emplace_back(type, copied);
    for (size_t slot = 0; slot < type->numAttributes(); ++slot) {
      const auto& attribute = type->getAttribute(slot);
      const auto submodule = attribute->is_module() ? attribute->cast<ClassType>() : nullptr;
      copied->addAttribute(type->getAttributeName(slot),
                           submodule == nullptr ? attribute : TypePtr(copy(submodule)),
                           type->is_parameter(slot), type->is_buffer(slot));
    }
    for (size_t slot = 0; slot < type->numConstants(); ++slot) {
      copied->addConstant(type->getConstantName(slot), type->getConstant(slot));
    }
    return copied;
  }

  std::vector<jit::Function*> copy_functions(const ClassType& original, ClassType& copied) {
    std::vector<jit::Function*> result;
    const auto copy_function = [&](jit::Function* function) -> jit::Function* {
      if (function == nullptr) {
        return nullptr;
      }
      auto& copied_function = functions_[function];
      if (copied_function == nullptr) {
        function->ensure_defined();
        copied_function = copied.compilation_unit()->create_function(
            c10::QualifiedName(copied.name().value(), function->name()),
            jit::toGraphFunction(*function).graph()->copy());
        result.push_back(copied_function);
      }
      return copied_function;
    };
    for (auto* method : original.methods()) {
      copied.addMethod(copy_function(method));
    }
    for (auto* hook : original.getForwardPreHooks()) {
      copied.addForwardPreHook(copy_function(hook));
    }
    for (auto* hook : original.getForwardHooks()) {
      copied.addForwardHook(copy_function(hook));
    }
    for (const auto& property : original.properties()) {
      copied.addProperty(property.name, copy_function(property.getter),
                         copy_function(property.setter));
    }
    return result;
  }

  TypePtr remap(const TypePtr& type) const {
    if (const auto known = types_.find(type.get()); known != types_.end()) {
      return known->second;
    }
    if (const auto function = type->cast<c10::FunctionType>()) {
      if (const auto known = functions_.find(function->function()); known != functions_.end()) {
        return c10::FunctionType::create(known->second);
      }
    }
    return type;
  }

  std::unordered_map<const c10::ivalue::Object*, jit::ObjectPtr> objects_;
  std::unordered_map<const c10::Type*, ClassTypePtr> types_;
  std::vector<std::pair<ClassTypePtr, ClassTypePtr>> classes_;  // types_ in the order of the model
  std::unordered_map<const c10::Type*, int64_t> instances_;
  std::unordered_map<jit::Function*, jit::Function*> functions_;
};

}  // namespace

ModuleCopy copy_module(const jit::Module& module) {
  Copier copier;
  auto object = copier.copy(module._ivalue());
  return {std::move(object), copier.copy_functions()};
}

}  // namespace torch_elu

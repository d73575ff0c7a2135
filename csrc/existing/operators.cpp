// What _C offers of this folder, as operators: for a Python that _C was not built for.

#include <torch/csrc/jit/api/module.h>
#include <torch/library.h>
#include <torch_elu/convert.h>
#include <torch_elu/override_aten.h>
#include <torch_elu/revert.h>

#include <array>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace torch_elu {
namespace {

// Boxed: a model has no C++ type that an operator takes.
void convert_script(const c10::OperatorHandle& /*op*/, torch::jit::Stack* stack) {
  const bool save_output = torch::jit::pop(*stack).toBool();
  torch::jit::Module module(torch::jit::pop(*stack).toObject());
  const int64_t count = convert(module, ConvertOptions().save_output(save_output));
  torch::jit::push(*stack, module._ivalue(), count);
}

void revert_script(const c10::OperatorHandle& /*op*/, torch::jit::Stack* stack) {
  torch::jit::Module module(torch::jit::pop(*stack).toObject());
  const int64_t count = revert(module);
  torch::jit::push(*stack, module._ivalue(), count);
}

std::mutex mutex;
// Those with CUDA and those without. All of a kind are alike: which of them ends does not matter.
std::array<std::vector<OverrideAten>, 2> overrides;

void begin_override_aten(bool cuda) {
  OverrideAten override(OverrideAtenOptions().cuda(cuda));
  const std::lock_guard lock(mutex);
  overrides[cuda ? 1 : 0].push_back(std::move(override));
}

void end_override_aten(bool cuda) {
  const std::lock_guard lock(mutex);
  overrides[cuda ? 1 : 0].pop_back();
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_FRAGMENT(torch_elu, m) {
  using torch::CppFunction;
  m.def("convert_script(Any module, bool save_output) -> (Any, int)",
        CppFunction::makeFromBoxedFunction<&torch_elu::convert_script>());
  m.def("revert_script(Any module) -> (Any, int)",
        CppFunction::makeFromBoxedFunction<&torch_elu::revert_script>());
  m.def("begin_override_aten(bool cuda) -> ()", &torch_elu::begin_override_aten);
  m.def("end_override_aten(bool cuda) -> ()", &torch_elu::end_override_aten);
}

// The operators' schemas. Their kernels are in the file of each dispatch key.

#include <torch/library.h>
#include <torch_elu/functional.h>

#include <string>
#include <vector>

#include "compat/torch_versions.h"
#include "dispatch/capability.h"

namespace {

//= tags

const auto kPointwise = tags();
const auto kInplace = tags(torch_elu::compat::inplace_tags());
// Without the tag `out`: for an overload that has it AOTInductor of PyTorch 2.15 calls a C function
// that exists for ATen's operators alone, and does not compile.
const auto kOut = tags();

}  // namespace

TORCH_LIBRARY(torch_elu, m) {
  m.def("elu(Tensor self, Scalar alpha=1) -> Tensor", kPointwise);
  m.def("elu_(Tensor(a!) self, Scalar alpha=1) -> Tensor(a!)", kInplace);
  m.def("elu.out(Tensor self, Scalar alpha=1, *, Tensor(a!) out) -> Tensor(a!)", kOut);
  m.def(
      "elu_backward(Tensor grad_output, Scalar alpha, bool is_result, Tensor self_or_result) "
      "-> Tensor",
      kPointwise);
  m.def("version() -> str", &torch_elu::version);
  m.def("cuda_version() -> str", &torch_elu::cuda_version);
  m.def("cpu_capability() -> str", [] { return std::string(torch_elu::cpu::kernels().name); });
}

// The operators' schemas. Their kernels are in the file of each dispatch key.

#include <torch/library.h>
#include <torch_elu/functional.h>

#include <string>
#include <vector>

#include "compat/torch_versions.h"
#include "dispatch/capability.h"

namespace {

// The tags tell torch.compile and jagged tensors what the schema alone does not: elementwise, and
// which overload writes into an argument.
std::vector<at::Tag> tags(const std::vector<at::Tag>& more = {}) {
  std::vector<at::Tag> result = {at::Tag::pointwise, at::Tag::pt2_compliant_tag};
  result.insert(result.end(), more.begin(), more.end());
  return result;
}

const auto kPointwise = tags();
const auto kInplace = tags(torch_elu::compat::inplace_tags());
const auto kOut = tags(torch_elu::compat::out_tags());

}  // namespace

TORCH_LIBRARY(torch_elu, m) {
  m.def(
      "elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1, *, "
      "bool save_output=False) -> Tensor",
      kPointwise);
  m.def("elu_(Tensor(a!) self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor(a!)",
        kInplace);
  m.def(
      "elu.out(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1, *, "
      "Tensor(a!) out) -> Tensor(a!)",
      kOut);
  m.def(
      "elu_backward(Tensor grad_output, Scalar alpha, Scalar scale, Scalar input_scale, "
      "bool is_result, Tensor self_or_result) -> Tensor",
      kPointwise);
  m.def("elu_plus_one(Tensor self) -> Tensor", kPointwise);
  m.def("elu_plus_one_backward(Tensor grad_output, Tensor result) -> Tensor", kPointwise);
  // Inductor's alone: a number that changes from call to call is a tensor there.
  m.def("elu_of_tensors(Tensor self, Tensor alpha, Tensor scale, Tensor input_scale) -> Tensor",
        kPointwise);
  m.def(
      "elu_backward_of_tensors(Tensor grad_output, Tensor alpha, Tensor scale, "
      "Tensor input_scale, bool is_result, Tensor self_or_result) -> Tensor",
      kPointwise);
  m.def(
      "coefficients(Scalar alpha, Scalar scale, Scalar input_scale, ScalarType dtype) -> "
      "Dict(str, float[])");
  m.def("parametric_elu(Tensor self, Tensor alpha, Tensor? input_divisor=None) -> Tensor",
        kPointwise);
  m.def(
      "parametric_elu_backward(Tensor grad_output, Tensor self, Tensor alpha, "
      "Tensor? input_divisor, bool[3] output_mask) -> (Tensor, Tensor, Tensor)",
      {at::Tag::pt2_compliant_tag});
  m.def("selu_coefficients() -> (float alpha, float scale)");
  m.def("celu_input_scale(Scalar alpha) -> float");
  m.def("version() -> str", &torch_elu::version);
  m.def("cuda_version() -> str", &torch_elu::cuda_version);
  m.def("cpu_capability() -> str", [] { return std::string(torch_elu::cpu::kernels().name); });
}

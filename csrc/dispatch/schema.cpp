// The operators' schemas. Their kernels are in the file of each dispatch key.

#include <torch/library.h>
#include <torch_elu/functional.h>

#include <string>
#include <vector>

#include "dispatch/capability.h"

namespace {

// The tags tell torch.compile and jagged tensors what the schema alone does not: elementwise, and
// which overload writes into an argument. PyTorch 2.15 has tags for the latter, 2.11 does not.
const std::vector<at::Tag> kPointwise = {at::Tag::pointwise, at::Tag::pt2_compliant_tag};

template <typename Tag>
std::vector<Tag> inplace_tags() {
  auto tags = kPointwise;
  if constexpr (requires { Tag::inplace; }) {
    tags.push_back(Tag::inplace);
  }
  return tags;
}

template <typename Tag>
std::vector<Tag> out_tags() {
  auto tags = kPointwise;
  if constexpr (requires { Tag::out; }) {
    tags.push_back(Tag::out);
  }
  return tags;
}

const auto kInplace = inplace_tags<at::Tag>();
const auto kOut = out_tags<at::Tag>();

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
  m.def("version() -> str", &torch_elu::version);
  m.def("cuda_version() -> str", &torch_elu::cuda_version);
  m.def("cpu_capability() -> str", [] { return std::string(torch_elu::cpu::kernels().name); });
}

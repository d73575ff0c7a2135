// The operators' schemas, and the C++ functions that call them through PyTorch's dispatcher.

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>
#include <torch_elu/functional.h>

#include <vector>

#include "cpu/capability.h"
#include "selu.h"

namespace torch_elu {
namespace {

double celu_input_scale(const at::Scalar& alpha) {
  const double value = alpha.toDouble();
  TORCH_CHECK(value != 0, "ZeroDivisionError: alpha cannot be 0 for CELU");
  return 1.0 / value;
}

template <typename Signature>
c10::TypedOperatorHandle<Signature> find_operator(const char* name, const char* overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

}  // namespace

at::Tensor elu(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
               const at::Scalar& input_scale, bool save_output) {
  static const auto op =
      find_operator<at::Tensor(const at::Tensor&, const at::Scalar&, const at::Scalar&,
                               const at::Scalar&, bool)>("torch_elu::elu", "");
  return op.call(self, alpha, scale, input_scale, save_output);
}

at::Tensor& elu_(at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                 const at::Scalar& input_scale) {
  static const auto op = find_operator<at::Tensor&(
      at::Tensor&, const at::Scalar&, const at::Scalar&, const at::Scalar&)>("torch_elu::elu_", "");
  return op.call(self, alpha, scale, input_scale);
}

at::Tensor& elu_out(at::Tensor& out, const at::Tensor& self, const at::Scalar& alpha,
                    const at::Scalar& scale, const at::Scalar& input_scale) {
  static const auto op =
      find_operator<at::Tensor&(const at::Tensor&, const at::Scalar&, const at::Scalar&,
                                const at::Scalar&, at::Tensor&)>("torch_elu::elu", "out");
  return op.call(self, alpha, scale, input_scale, out);
}

at::Tensor elu_backward(const at::Tensor& grad_output, const at::Scalar& alpha,
                        const at::Scalar& scale, const at::Scalar& input_scale, bool is_result,
                        const at::Tensor& self_or_result) {
  static const auto op =
      find_operator<at::Tensor(const at::Tensor&, const at::Scalar&, const at::Scalar&,
                               const at::Scalar&, bool, const at::Tensor&)>(
          "torch_elu::elu_backward", "");
  return op.call(grad_output, alpha, scale, input_scale, is_result, self_or_result);
}

at::Tensor selu(const at::Tensor& self) { return torch_elu::elu(self, kSeluAlpha, kSeluScale); }

at::Tensor& selu_(at::Tensor& self) { return torch_elu::elu_(self, kSeluAlpha, kSeluScale); }

at::Tensor celu(const at::Tensor& self, const at::Scalar& alpha, bool save_output) {
  return torch_elu::elu(self, alpha, 1.0, celu_input_scale(alpha), save_output);
}

at::Tensor& celu_(at::Tensor& self, const at::Scalar& alpha) {
  return torch_elu::elu_(self, alpha, 1.0, celu_input_scale(alpha));
}

at::Tensor elu_plus_one(const at::Tensor& self) {
  static const auto op =
      find_operator<at::Tensor(const at::Tensor&)>("torch_elu::elu_plus_one", "");
  return op.call(self);
}

at::Tensor elu_plus_one_backward(const at::Tensor& grad_output, const at::Tensor& result) {
  static const auto op = find_operator<at::Tensor(const at::Tensor&, const at::Tensor&)>(
      "torch_elu::elu_plus_one_backward", "");
  return op.call(grad_output, result);
}

std::string version() { return TORCH_ELU_VERSION; }

std::string cuda_version() { return TORCH_ELU_CUDA_VERSION; }

std::string cpu_capability() { return cpu::kernels().name; }

}  // namespace torch_elu

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
  m.def("cpu_capability() -> str", &torch_elu::cpu_capability);
}

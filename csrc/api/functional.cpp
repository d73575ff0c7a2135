// The C++ functions of functional.h, which call the operators through PyTorch's dispatcher.

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>
#include <torch_elu/functional.h>

#include <array>
#include <optional>
#include <string>
#include <tuple>

#include "math/selu.h"

namespace torch_elu {
namespace {

template <typename Signature>
c10::TypedOperatorHandle<Signature> find_operator(const char* name, const char* overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

at::Tensor call_elu(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
                    const at::Scalar& input_scale, bool save_output) {
  static const auto op =
      find_operator<at::Tensor(const at::Tensor&, const at::Scalar&, const at::Scalar&,
                               const at::Scalar&, bool)>("torch_elu::elu", "");
  return op.call(self, alpha, scale, input_scale, save_output);
}

double celu_input_scale(const at::Scalar& alpha) {
  const double value = alpha.toDouble();
  TORCH_CHECK(value != 0, "ZeroDivisionError: alpha cannot be 0 for CELU");
  return 1.0 / value;
}

}  // namespace

inline namespace v1 {

at::Tensor elu(const at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale,
               const at::Scalar& input_scale) {
  return call_elu(self, alpha, scale, input_scale, /*save_output=*/false);
}

at::Tensor elu(const at::Tensor& self, const ELUFuncOptions& options) {
  if (options.inplace()) {
    at::Tensor result = self;
    return torch_elu::elu_(result, options.alpha(), options.scale(), options.input_scale());
  }
  return call_elu(self, options.alpha(), options.scale(), options.input_scale(),
                  options.save_output());
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

at::Tensor selu(const at::Tensor& self, const SELUFuncOptions& options) {
  return torch_elu::elu(
      self, ELUFuncOptions().alpha(kSeluAlpha).scale(kSeluScale).inplace(options.inplace()));
}

at::Tensor& selu_(at::Tensor& self) { return torch_elu::elu_(self, kSeluAlpha, kSeluScale); }

at::Tensor celu(const at::Tensor& self, const at::Scalar& alpha) {
  return torch_elu::celu(self, CELUFuncOptions().alpha(alpha));
}

at::Tensor celu(const at::Tensor& self, const CELUFuncOptions& options) {
  return torch_elu::elu(self, ELUFuncOptions()
                                  .alpha(options.alpha())
                                  .input_scale(celu_input_scale(options.alpha()))
                                  .inplace(options.inplace())
                                  .save_output(options.save_output()));
}

at::Tensor& celu_(at::Tensor& self, const at::Scalar& alpha) {
  return torch_elu::elu_(self, alpha, 1, celu_input_scale(alpha));
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

at::Tensor parametric_elu(const at::Tensor& self, const at::Tensor& alpha,
                          const std::optional<at::Tensor>& input_divisor) {
  static const auto op =
      find_operator<at::Tensor(const at::Tensor&, const at::Tensor&,
                               const std::optional<at::Tensor>&)>("torch_elu::parametric_elu", "");
  return op.call(self, alpha, input_divisor);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> parametric_elu_backward(
    const at::Tensor& grad_output, const at::Tensor& self, const at::Tensor& alpha,
    const std::optional<at::Tensor>& input_divisor, std::array<bool, 3> output_mask) {
  static const auto op = find_operator<std::tuple<at::Tensor, at::Tensor, at::Tensor>(
      const at::Tensor&, const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
      std::array<bool, 3>)>("torch_elu::parametric_elu_backward", "");
  return op.call(grad_output, self, alpha, input_divisor, output_mask);
}

std::string version() { return TORCH_ELU_VERSION; }

std::string cuda_version() {
  const bool has_kernels = c10::Dispatcher::singleton()
                               .findSchemaOrThrow("torch_elu::elu", "")
                               .hasKernelForDispatchKey(c10::DispatchKey::CUDA);
  return has_kernels ? TORCH_ELU_CUDA_VERSION : "";
}

std::string cpu_capability() {
  return find_operator<std::string()>("torch_elu::cpu_capability", "").call();
}

}  // namespace v1
}  // namespace torch_elu

// Not of tensors: what Python and TorchScript need to know of SELU and CELU.
TORCH_LIBRARY_IMPL(torch_elu, CompositeImplicitAutograd, m) {
  m.impl("selu_coefficients",
         [] { return std::tuple(torch_elu::kSeluAlpha, torch_elu::kSeluScale); });
  m.impl("celu_input_scale", &torch_elu::celu_input_scale);
}

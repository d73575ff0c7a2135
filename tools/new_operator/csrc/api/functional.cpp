// The C++ functions of functional.h, which call the operators through PyTorch's dispatcher.

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch_elu/functional.h>

#include <string>

namespace torch_elu {
namespace {

//= find_operator

}  // namespace

inline namespace v1 {

at::Tensor elu(const at::Tensor& self, const at::Scalar& alpha) {
  static const auto op =
      find_operator<at::Tensor(const at::Tensor&, const at::Scalar&)>("torch_elu::elu", "");
  return op.call(self, alpha);
}

at::Tensor& elu_(at::Tensor& self, const at::Scalar& alpha) {
  static const auto op =
      find_operator<at::Tensor&(at::Tensor&, const at::Scalar&)>("torch_elu::elu_", "");
  return op.call(self, alpha);
}

at::Tensor& elu_out(at::Tensor& out, const at::Tensor& self, const at::Scalar& alpha) {
  static const auto op =
      find_operator<at::Tensor&(const at::Tensor&, const at::Scalar&, at::Tensor&)>(
          "torch_elu::elu", "out");
  return op.call(self, alpha, out);
}

at::Tensor elu_backward(const at::Tensor& grad_output, const at::Scalar& alpha, bool is_result,
                        const at::Tensor& self_or_result) {
  static const auto op =
      find_operator<at::Tensor(const at::Tensor&, const at::Scalar&, bool, const at::Tensor&)>(
          "torch_elu::elu_backward", "");
  return op.call(grad_output, alpha, is_result, self_or_result);
}

std::string version() { return TORCH_ELU_VERSION; }

std::string cuda_version() { return TORCH_ELU_CUDA_VERSION; }

}  // namespace v1
}  // namespace torch_elu

// Shapes, strides and dtypes without data, for the meta device and for torch.compile's fake
// tensors.

#include <ATen/ExpandUtils.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>

#include "dispatch/operands.h"
#include "dispatch/parametric.h"

namespace torch_elu {
namespace {

// torch.compile and torch.export take a NotImplementedError for a kernel that is missing, and drop
// what it says.
void check_dtype_without_data(at::ScalarType dtype, const char* name) {
  TORCH_CHECK(is_supported(dtype), unsupported_dtype(dtype, name));
}

// Sizes that only data will tell count as equal: if they are not, the kernel says so.
bool same_sizes(c10::SymIntArrayRef sizes, c10::SymIntArrayRef others) {
  return sizes.size() == others.size() &&
         std::equal(sizes.begin(), sizes.end(), others.begin(),
                    [](const c10::SymInt& size, const c10::SymInt& other) {
                      return TORCH_GUARD_OR_TRUE(size.sym_eq(other));
                    });
}

at::Tensor elu_meta(const at::Tensor& self, const at::Scalar& /*alpha*/,
                    const at::Scalar& /*scale*/, const at::Scalar& /*input_scale*/,
                    bool /*save_output*/) {
  check_dtype_without_data(self.scalar_type(), "elu");
  return empty_output(self);
}

at::Tensor& elu_inplace_meta(at::Tensor& self, const at::Scalar& /*alpha*/,
                             const at::Scalar& /*scale*/, const at::Scalar& /*input_scale*/) {
  check_dtype_without_data(self.scalar_type(), "elu_");
  return self;
}

at::Tensor& elu_out_meta(const at::Tensor& self, const at::Scalar& /*alpha*/,
                         const at::Scalar& /*scale*/, const at::Scalar& /*input_scale*/,
                         at::Tensor& out) {
  check_defined(self, "elu.out");
  check_defined(out, "elu.out");
  check_dtype_without_data(self.scalar_type(), "elu.out");
  TORCH_CHECK(out.scalar_type() == self.scalar_type(), "Expected out tensor to have dtype ",
              self.dtype(), ", but got ", out.dtype(), " instead");
  check_one_device(self, "self", out, "out", "elu.out");
  if (!same_sizes(out.sym_sizes(), self.sym_sizes())) {
    at::native::resize_output_check_symint(out, self.sym_sizes());  // warns
    out.resize__symint(self.sym_sizes());
    out.as_strided__symint(self.sym_sizes(), empty_output(self).sym_strides());
  }
  return out;
}

at::Tensor elu_plus_one_meta(const at::Tensor& self) {
  check_dtype_without_data(self.scalar_type(), "elu_plus_one");
  return empty_output(self);
}

at::Tensor empty_grad_input(const at::Tensor& grad_output, const at::Tensor& saved) {
  if (same_sizes(grad_output.sym_sizes(),
                 saved.sym_sizes())) {  // infer_size of PyTorch 2.11 would compare them
    return empty_output(saved);
  }
  return empty_output(
      saved.expand_symint(at::infer_size_symdimvector(grad_output.sym_sizes(), saved.sym_sizes())));
}

at::Tensor elu_backward_meta(const at::Tensor& grad_output, const at::Scalar& alpha,
                             const at::Scalar& scale, const at::Scalar& input_scale, bool is_result,
                             const at::Tensor& self_or_result) {
  check_backward_operands(grad_output, self_or_result, "elu_backward", "self_or_result");
  check_dtype_without_data(self_or_result.scalar_type(), "elu_backward");
  check_result_is_enough(is_result, alpha, scale, input_scale);
  return empty_grad_input(grad_output, self_or_result);
}

at::Tensor elu_of_tensors_meta(const at::Tensor& self, const at::Tensor& /*alpha*/,
                               const at::Tensor& /*scale*/, const at::Tensor& /*input_scale*/) {
  return empty_output(self);
}

at::Tensor elu_backward_of_tensors_meta(const at::Tensor& grad_output, const at::Tensor& /*alpha*/,
                                        const at::Tensor& /*scale*/,
                                        const at::Tensor& /*input_scale*/, bool /*is_result*/,
                                        const at::Tensor& self_or_result) {
  return empty_grad_input(grad_output, self_or_result);
}

at::Tensor elu_plus_one_backward_meta(const at::Tensor& grad_output, const at::Tensor& result) {
  check_backward_operands(grad_output, result, "elu_plus_one_backward", "result");
  check_dtype_without_data(result.scalar_type(), "elu_plus_one_backward");
  return empty_grad_input(grad_output, result);
}

at::Tensor parametric_elu_meta(const at::Tensor& self, const at::Tensor& alpha,
                               const std::optional<at::Tensor>& input_divisor) {
  constexpr const char* name = "parametric_elu";
  const at::Tensor divisor = input_divisor.value_or(at::Tensor());
  check_dtype_without_data(self.scalar_type(), name);
  check_parameters(self, alpha, divisor, name);
  return empty_output(self.expand_symint(parametric_shape(self, alpha, divisor, name)));
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> parametric_elu_backward_meta(
    const at::Tensor& grad_output, const at::Tensor& self, const at::Tensor& alpha,
    const std::optional<at::Tensor>& input_divisor, std::array<bool, 3> output_mask) {
  constexpr const char* name = "parametric_elu_backward";
  const at::Tensor divisor = input_divisor.value_or(at::Tensor());
  check_backward_operands(grad_output, self, name, "self");
  check_dtype_without_data(self.scalar_type(), name);
  check_parameters(self, alpha, divisor, name);
  const auto shape = parametric_shape(self, alpha, divisor, name);
  const auto contiguous = [](const at::Tensor& tensor) {
    return at::empty_symint(tensor.sym_sizes(), tensor.options());
  };
  at::Tensor of_self;
  if (output_mask[0]) {
    of_self = same_sizes(self.sym_sizes(), shape) ? empty_output(self) : contiguous(self);
  }
  return {of_self, output_mask[1] ? contiguous(alpha) : at::Tensor(),
          output_mask[2] && divisor.defined() ? contiguous(divisor) : at::Tensor()};
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, Meta, m) {
  m.impl("elu", &torch_elu::elu_meta);
  m.impl("elu_", &torch_elu::elu_inplace_meta);
  m.impl("elu.out", &torch_elu::elu_out_meta);
  m.impl("elu_backward", &torch_elu::elu_backward_meta);
  m.impl("elu_of_tensors", &torch_elu::elu_of_tensors_meta);
  m.impl("elu_backward_of_tensors", &torch_elu::elu_backward_of_tensors_meta);
  m.impl("elu_plus_one", &torch_elu::elu_plus_one_meta);
  m.impl("elu_plus_one_backward", &torch_elu::elu_plus_one_backward_meta);
  m.impl("parametric_elu", &torch_elu::parametric_elu_meta);
  m.impl("parametric_elu_backward", &torch_elu::parametric_elu_backward_meta);
}

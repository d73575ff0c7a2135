// The formula's numbers for python/torch_elu/integrations/_inductor_formula.py, which writes the
// formula once more, and the operators with numbers that torch.compile keeps in tensors.

#include "math/coefficients.h"

#include <ATen/core/Dict.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <bit>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "dispatch/operands.h"

namespace torch_elu {
namespace {

using Report = c10::Dict<std::string, std::vector<double>>;

// What Coefficients<T> keeps as bits stands here as the number that has them. Every one is exact in
// double.
template <typename T>
Report report(double alpha, double scale, double input_scale) {
  using Constants = torch_elu::Constants<T>;
  using number_t = opmath_t<T>;
  const Coefficients<T> c(alpha, scale, input_scale);
  const bool is_kernels_alone = c.takes_general_path || !fits<number_t>(alpha) ||
                                !fits<number_t>(scale) || !fits<number_t>(input_scale);
  const auto all = [](const auto& numbers) {
    return std::vector<double>(std::begin(numbers), std::end(numbers));
  };
  const auto number = [](bits_t<number_t> bits) -> double { return std::bit_cast<number_t>(bits); };
  Report result;
  const auto add = [&](const char* name, std::vector<double> numbers) {
    result.insert(name, std::move(numbers));
  };
  add("is_kernels_alone", {is_kernels_alone ? 1.0 : 0.0});
  add("carries_rests", {Constants::carries_rests && !c.is_unit ? 1.0 : 0.0});
  add("compensates_r", {Constants::compensates_r ? 1.0 : 0.0});
  add("mantissa_bits", {Constants::mantissa_bits});
  add("shift", {Constants::shift});
  add("underflow_guard", {Constants::underflow_guard});
  add("scale", {c.scale});
  add("scaled_alpha", {c.scaled_alpha});
  add("input_scale", {c.input_scale});
  add("steps_per_one", {c.steps_per_one});
  add("value_step", {c.value_step.high, c.value_step.low});
  add("slope_step", {c.slope_step.high, c.slope_step.low});
  add("polynomial", all(c.polynomial));
  add("value_saturation", {c.value_saturation});
  add("slope_saturation", {c.slope_saturation});
  add("slope", {number(c.slope_bits)});
  add("guarded_slope", {number(c.guarded_slope_bits)});
  add("guarded_curvature", {number(c.guarded_curvature_bits)});
  add("scaled_alpha_rest", {c.scaled_alpha_rest});
  add("input_scale_rest", {c.input_scale_rest});
  add("slope_rest", {c.slope_rest});
  add("slope_shift", {c.slope_shift});
  add("value_polynomial", all(c.value_polynomial));
  add("slope_polynomial", all(c.slope_polynomial));
  return result;
}

Report coefficients(const at::Scalar& alpha, const at::Scalar& scale, const at::Scalar& input_scale,
                    at::ScalarType dtype) {
  const double a = alpha.toDouble(), s = scale.toDouble(), i = input_scale.toDouble();
  switch (dtype) {
    case at::kDouble:
      return report<double>(a, s, i);
    case at::kFloat:
      return report<float>(a, s, i);
    case at::kHalf:
      return report<Float16>(a, s, i);
    case at::kBFloat16:
      return report<BFloat16>(a, s, i);
    default:
      C10_THROW_ERROR(NotImplementedError, unsupported_dtype(dtype, "coefficients"));
  }
}

at::Tensor elu_of_tensors(const at::Tensor& self, const at::Tensor& alpha, const at::Tensor& scale,
                          const at::Tensor& input_scale) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("torch_elu::elu", "")
                             .typed<at::Tensor(const at::Tensor&, const at::Scalar&,
                                               const at::Scalar&, const at::Scalar&, bool)>();
  return op.call(self, alpha.item(), scale.item(), input_scale.item(), /*save_output=*/false);
}

at::Tensor elu_backward_of_tensors(const at::Tensor& grad_output, const at::Tensor& alpha,
                                   const at::Tensor& scale, const at::Tensor& input_scale,
                                   bool is_result, const at::Tensor& self_or_result) {
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("torch_elu::elu_backward", "")
          .typed<at::Tensor(const at::Tensor&, const at::Scalar&, const at::Scalar&,
                            const at::Scalar&, bool, const at::Tensor&)>();
  return op.call(grad_output, alpha.item(), scale.item(), input_scale.item(), is_result,
                 self_or_result);
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, CompositeImplicitAutograd, m) {
  m.impl("coefficients", &torch_elu::coefficients);
}

TORCH_LIBRARY_IMPL(torch_elu, CompositeExplicitAutograd, m) {
  m.impl("elu_of_tensors", &torch_elu::elu_of_tensors);
  m.impl("elu_backward_of_tensors", &torch_elu::elu_backward_of_tensors);
}

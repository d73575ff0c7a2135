#include "dispatch/parametric.h"

#include <ATen/ExpandUtils.h>
#include <ATen/ops/empty_strided.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "dispatch/operands.h"

namespace torch_elu {
namespace {

at::ScalarType dtype_of_computation(const at::Tensor& self) {
  return self.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

void check_parameter(const at::Tensor& self, const at::Tensor& parameter,
                     const char* parameter_name, const char* name) {
  const auto dtype = parameter.scalar_type();
  TORCH_CHECK(dtype == self.scalar_type() || dtype == dtype_of_computation(self),
              "torch_elu::", name, " expected ", parameter_name, " to have the dtype of self, ",
              self.scalar_type(),
              self.scalar_type() == dtype_of_computation(self) ? "" : ", or Float", ", but got ",
              dtype, ". Convert it with .to().");
  check_one_device(self, "self", parameter, parameter_name, name);
}

}  // namespace

void check_parameters(const at::Tensor& self, const at::Tensor& alpha, const at::Tensor& divisor,
                      const char* name) {
  check_defined(self, name);
  check_defined(alpha, name);
  check_parameter(self, alpha, "alpha", name);
  if (divisor.defined()) {
    check_parameter(self, divisor, "input_divisor", name);
  }
}

c10::SymDimVector parametric_shape(const at::Tensor& self, const at::Tensor& alpha,
                                   const at::Tensor& divisor, const char* name) {
  c10::SymDimVector shape(self.sym_sizes().begin(), self.sym_sizes().end());
  const auto broadcast = [&](const at::Tensor& parameter, const char* parameter_name) {
    const auto sizes = parameter.sym_sizes();
    for (size_t back = 1; back <= std::min(sizes.size(), shape.size()); ++back) {
      const auto& size = sizes[sizes.size() - back];
      const auto& other = shape[shape.size() - back];
      TORCH_CHECK(TORCH_GUARD_OR_TRUE(size.sym_eq(other)) || TORCH_GUARD_OR_FALSE(size.sym_eq(1)) ||
                      TORCH_GUARD_OR_FALSE(other.sym_eq(1)),
                  "torch_elu::", name, " expected shapes that broadcast, but got self of shape ",
                  self.sym_sizes(), " and ", parameter_name, " of shape ", sizes,
                  ". One alpha a channel of an image takes the shape (channels, 1, 1).");
    }
    shape = at::infer_size_symdimvector(shape, sizes);
  };
  broadcast(alpha, "alpha");
  if (divisor.defined()) {
    broadcast(divisor, "input_divisor");
  }
  return shape;
}

ParametricLayout::ParametricLayout(const at::Tensor& self, const at::Tensor& alpha,
                                   const at::Tensor& divisor, const char* name) {
  const auto symbolic = parametric_shape(self, alpha, divisor, name);
  const auto shape = C10_AS_INTARRAYREF_SLOW(symbolic);
  const auto dim = static_cast<int64_t>(shape.size());
  const at::Tensor expanded = self.expand(shape);
  result = empty_output(expanded);
  this->self = in_order(expanded);

  order_.resize(dim);
  std::iota(order_.begin(), order_.end(), 0);
  std::stable_sort(order_.begin(), order_.end(),
                   [&](int64_t a, int64_t b) { return result.stride(a) > result.stride(b); });
  const auto varies_along = [&](const at::Tensor& parameter, int64_t d) {
    const int64_t own = d - (dim - parameter.dim());
    return own >= 0 && parameter.size(own) != 1;
  };
  const auto is_channel = [&](int64_t d) {
    return varies_along(alpha, d) || (divisor.defined() && varies_along(divisor, d));
  };
  // Channels that are not side by side in memory: each element is a channel of its own.
  int groups = 0;
  bool was_channel = false;
  for (const int64_t d : order_) {
    if (shape[d] != 1) {
      groups += is_channel(d) && !was_channel ? 1 : 0;
      was_channel = is_channel(d);
    }
  }
  bool is_behind_channels = false;
  for (const int64_t d : order_) {
    const bool is_along = groups > 1 || is_channel(d);
    is_behind_channels |= is_along && shape[d] != 1;
    (is_along ? channels : is_behind_channels ? inner : outer) *= shape[d];
    channel_shape_.push_back(is_along ? shape[d] : 1);
  }
  if (channels == 1) {
    inner *= std::exchange(outer, 1);
  }
  this->alpha = of_channels(alpha);
  if (divisor.defined()) {
    this->divisor = of_channels(divisor);
  }
}

at::Tensor ParametricLayout::in_order(const at::Tensor& tensor) const {
  at::Tensor expanded = tensor.expand(result.sizes());
  if (is_one_run(result, expanded)) {
    return expanded;
  }
  return at::empty_strided(result.sizes(), result.strides(), tensor.options()).copy_(expanded);
}

at::Tensor ParametricLayout::of_channels(const at::Tensor& parameter) const {
  c10::SmallVector<int64_t, 6> shape(order_.size(), 1);
  for (size_t i = 0; i < order_.size(); ++i) {
    shape[order_[i]] = channel_shape_[i];
  }
  return parameter.expand(shape)
      .permute(order_)
      .to(dtype_of_computation(self))
      .reshape(-1)
      .contiguous();
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> ParametricLayout::gradients(
    const at::Tensor& self, const at::Tensor& alpha, const at::Tensor& divisor,
    const at::Tensor& of_alpha, const at::Tensor& of_divisor, std::array<bool, 3> mask) const {
  c10::SmallVector<int64_t, 6> inverse(order_.size(), 0);
  for (size_t i = 0; i < order_.size(); ++i) {
    inverse[order_[i]] = static_cast<int64_t>(i);
  }
  const auto of_parameter = [&](const at::Tensor& parameter, const at::Tensor& of_channels) {
    const at::Tensor gradient = of_channels.view(channel_shape_).permute(inverse);
    return at::sum_to(gradient, parameter.sizes()).to(parameter.scalar_type()).contiguous();
  };
  at::Tensor of_self;
  if (mask[0]) {
    of_self =
        result.sizes() == self.sizes() ? result : at::sum_to(result, self.sizes()).contiguous();
  }
  return {of_self, mask[1] ? of_parameter(alpha, of_alpha) : at::Tensor(),
          mask[2] && divisor.defined() ? of_parameter(divisor, of_divisor) : at::Tensor()};
}

}  // namespace torch_elu

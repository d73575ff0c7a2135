// The C++ modules: torch::nn's ELU, SELU and CELU on this library's operators.

#include <ATen/TensorOperators.h>
#include <torch/types.h>
#include <torch_elu/functional.h>
#include <torch_elu/nn.h>

#include <cstdint>
#include <ostream>
#include <vector>

namespace torch_elu {
namespace {

// A number for each element of dimension 1.
at::Tensor along_channels(const at::Tensor& parameter, const at::Tensor& input) {
  if (parameter.numel() == 1 || input.dim() < 3) {
    return parameter;
  }
  std::vector<int64_t> shape(input.dim() - 1, 1);
  shape[0] = -1;
  return parameter.view(shape);
}

}  // namespace

inline namespace v1 {

ELUImpl::ELUImpl(const ELUOptions& options_) : options(options_) {}

at::Tensor ELUImpl::forward(const at::Tensor& input) {
  return torch_elu::elu(input, ELUFuncOptions()
                                   .alpha(options.alpha())
                                   .inplace(options.inplace())
                                   .save_output(options.save_output()));
}

void ELUImpl::reset() {}

void ELUImpl::pretty_print(std::ostream& stream) const {
  stream << "torch_elu::ELU(alpha=" << options.alpha()
         << (options.inplace() ? ", inplace=true" : "")
         << (options.save_output() ? ", save_output=true" : "") << ")";
}

SELUImpl::SELUImpl(const SELUOptions& options_) : options(options_) {}

at::Tensor SELUImpl::forward(const at::Tensor& input) {
  return torch_elu::selu(input, SELUFuncOptions().inplace(options.inplace()));
}

void SELUImpl::reset() {}

void SELUImpl::pretty_print(std::ostream& stream) const {
  stream << "torch_elu::SELU(" << (options.inplace() ? "inplace=true" : "") << ")";
}

CELUImpl::CELUImpl(const CELUOptions& options_) : options(options_) {}

at::Tensor CELUImpl::forward(const at::Tensor& input) {
  return torch_elu::celu(input, CELUFuncOptions()
                                    .alpha(options.alpha())
                                    .inplace(options.inplace())
                                    .save_output(options.save_output()));
}

void CELUImpl::reset() {}

void CELUImpl::pretty_print(std::ostream& stream) const {
  stream << "torch_elu::CELU(alpha=" << options.alpha()
         << (options.inplace() ? ", inplace=true" : "")
         << (options.save_output() ? ", save_output=true" : "") << ")";
}

ParametricELUImpl::ParametricELUImpl(const ParametricELUOptions& options_) : options(options_) {
  ParametricELUImpl::reset();
}

at::Tensor ParametricELUImpl::forward(const at::Tensor& input) {
  return torch_elu::parametric_elu(input, along_channels(alpha, input));
}

void ParametricELUImpl::reset() {
  alpha = register_parameter("alpha", torch::full({options.num_parameters()}, options.init()));
}

void ParametricELUImpl::pretty_print(std::ostream& stream) const {
  stream << "torch_elu::ParametricELU(num_parameters=" << options.num_parameters() << ")";
}

ParametricCELUImpl::ParametricCELUImpl(const ParametricCELUOptions& options_) : options(options_) {
  ParametricCELUImpl::reset();
}

at::Tensor ParametricCELUImpl::forward(const at::Tensor& input) {
  const auto of_channels = along_channels(alpha, input);
  return torch_elu::parametric_elu(input, of_channels, of_channels);
}

void ParametricCELUImpl::reset() {
  alpha = register_parameter("alpha", torch::full({options.num_parameters()}, options.init()));
}

void ParametricCELUImpl::pretty_print(std::ostream& stream) const {
  stream << "torch_elu::ParametricCELU(num_parameters=" << options.num_parameters() << ")";
}

PELUImpl::PELUImpl(const PELUOptions& options_) : options(options_) { PELUImpl::reset(); }

at::Tensor PELUImpl::forward(const at::Tensor& input) {
  const auto of_a = along_channels(a, input), of_b = along_channels(b, input);
  return of_a / of_b * torch_elu::parametric_elu(input, of_b, of_b);
}

void PELUImpl::reset() {
  a = register_parameter("a", torch::full({options.num_parameters()}, options.a()));
  b = register_parameter("b", torch::full({options.num_parameters()}, options.b()));
}

void PELUImpl::pretty_print(std::ostream& stream) const {
  stream << "torch_elu::PELU(num_parameters=" << options.num_parameters() << ")";
}

}  // namespace v1
}  // namespace torch_elu

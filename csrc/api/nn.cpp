// The C++ modules: torch::nn's ELU, SELU and CELU on this library's operators.

#include <torch_elu/functional.h>
#include <torch_elu/nn.h>

#include <ostream>

namespace torch_elu {
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

}  // namespace v1
}  // namespace torch_elu

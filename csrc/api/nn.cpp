// The C++ modules: torch::nn's ELU, SELU and CELU on this library's operators.

#include <torch_elu/functional.h>
#include <torch_elu/nn.h>

#include <ostream>

namespace torch_elu {

ELUImpl::ELUImpl(const ELUOptions& options_) : options(options_) {}

at::Tensor ELUImpl::forward(at::Tensor input) {
  if (options.inplace()) {
    return torch_elu::elu_(input, options.alpha());
  }
  return torch_elu::elu(input, options.alpha(), 1.0, 1.0, options.save_output());
}

void ELUImpl::reset() {}

void ELUImpl::pretty_print(std::ostream& stream) const {
  stream << "torch_elu::ELU(alpha=" << options.alpha()
         << (options.inplace() ? ", inplace=true" : "")
         << (options.save_output() ? ", save_output=true" : "") << ")";
}

SELUImpl::SELUImpl(const SELUOptions& options_) : options(options_) {}

at::Tensor SELUImpl::forward(at::Tensor input) {
  return options.inplace() ? torch_elu::selu_(input) : torch_elu::selu(input);
}

void SELUImpl::reset() {}

void SELUImpl::pretty_print(std::ostream& stream) const {
  stream << "torch_elu::SELU(" << (options.inplace() ? "inplace=true" : "") << ")";
}

CELUImpl::CELUImpl(const CELUOptions& options_) : options(options_) {}

at::Tensor CELUImpl::forward(at::Tensor input) {
  if (options.inplace()) {
    return torch_elu::celu_(input, options.alpha());
  }
  return torch_elu::celu(input, options.alpha(), options.save_output());
}

void CELUImpl::reset() {}

void CELUImpl::pretty_print(std::ostream& stream) const {
  stream << "torch_elu::CELU(alpha=" << options.alpha()
         << (options.inplace() ? ", inplace=true" : "")
         << (options.save_output() ? ", save_output=true" : "") << ")";
}

}  // namespace torch_elu

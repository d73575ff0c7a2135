#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>
#include <torch_elu/export.h>

#include <iosfwd>

/// ELU, SELU and CELU as modules with the options of their namesakes in torch::nn. What they
/// compute, on which tensors, and their errors: torch_elu/functional.h.
///
///     torch::nn::Sequential network(torch::nn::Linear(4, 16),
///                                   torch_elu::ELU(torch_elu::ELUOptions(0.5).save_output(true)));
namespace torch_elu {
inline namespace v1 {

struct ELUOptions {
  ELUOptions(double alpha = 1.0)
      : alpha_(alpha) {}  // NOLINT(google-explicit-constructor): torch_elu::ELU(0.5)
  /// The value that the function tends to, negated, for x towards -infinity. Default: 1.0
  TORCH_ARG(double, alpha);
  /// Overwrite the input with the result. Default: false
  TORCH_ARG(bool, inplace) = false;
  /// Save the output for backward instead of the input; needs alpha >= 0. Default: false
  TORCH_ARG(bool, save_output) = false;
};

struct SELUOptions {
  SELUOptions(bool inplace = false) : inplace_(inplace) {}  // NOLINT(google-explicit-constructor)
  /// Overwrite the input with the result. Default: false
  TORCH_ARG(bool, inplace);
};

struct CELUOptions {
  CELUOptions(double alpha = 1.0) : alpha_(alpha) {}  // NOLINT(google-explicit-constructor)
  /// The value that the function tends to, negated, for x towards -infinity; not 0. Default: 1.0
  TORCH_ARG(double, alpha);
  /// Overwrite the input with the result. Default: false
  TORCH_ARG(bool, inplace) = false;
  /// Save the output for backward instead of the input; needs alpha > 0. Default: false
  TORCH_ARG(bool, save_output) = false;
};

/// max(0, x) + min(0, alpha * (exp(x) - 1)), elementwise. Use it as `torch_elu::ELU`.
class TORCH_ELU_API ELUImpl : public torch::nn::Cloneable<ELUImpl> {
 public:
  explicit ELUImpl(const ELUOptions& options_ = {});
  at::Tensor forward(const at::Tensor& input);
  void reset() override;
  void pretty_print(std::ostream& stream) const override;

  ELUOptions options;
};
TORCH_MODULE(ELU);

/// scale * (max(0, x) + min(0, alpha * (exp(x) - 1))), elementwise, with alpha 1.67326... and scale
/// 1.05070... Use it as `torch_elu::SELU`.
class TORCH_ELU_API SELUImpl : public torch::nn::Cloneable<SELUImpl> {
 public:
  explicit SELUImpl(const SELUOptions& options_ = {});
  at::Tensor forward(const at::Tensor& input);
  void reset() override;
  void pretty_print(std::ostream& stream) const override;

  SELUOptions options;
};
TORCH_MODULE(SELU);

/// max(0, x) + min(0, alpha * (exp(x / alpha) - 1)), elementwise. Use it as `torch_elu::CELU`.
class TORCH_ELU_API CELUImpl : public torch::nn::Cloneable<CELUImpl> {
 public:
  explicit CELUImpl(const CELUOptions& options_ = {});
  at::Tensor forward(const at::Tensor& input);
  void reset() override;
  void pretty_print(std::ostream& stream) const override;

  CELUOptions options;
};
TORCH_MODULE(CELU);

}  // namespace v1
}  // namespace torch_elu

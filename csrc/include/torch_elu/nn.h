#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>
#include <torch_elu/export.h>

#include <cstdint>
#include <iosfwd>

/// ELU, SELU and CELU as modules, with the options of those in torch::nn. For the formulas, tensors
/// and errors see torch_elu/functional.h.
///
///     torch::nn::Sequential network(torch::nn::Linear(4, 16),
///                                   torch_elu::ELU(torch_elu::ELUOptions(0.5).save_output(true)));
namespace torch_elu {
inline namespace v1 {

struct ELUOptions {
  ELUOptions(double alpha = 1.0)
      : alpha_(alpha) {}  // NOLINT(google-explicit-constructor): torch_elu::ELU(0.5)
  /// The result tends to -alpha as x goes to -infinity. Default: 1.0
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
  /// The result tends to -alpha as x goes to -infinity. Not 0. Default: 1.0
  TORCH_ARG(double, alpha);
  /// Overwrite the input with the result. Default: false
  TORCH_ARG(bool, inplace) = false;
  /// Save the output for backward instead of the input; needs alpha > 0. Default: false
  TORCH_ARG(bool, save_output) = false;
};

struct ParametricELUOptions {
  ParametricELUOptions(int64_t num_parameters = 1)
      : num_parameters_(num_parameters) {}  // NOLINT(google-explicit-constructor): as PReLUOptions
  /// 1, or the number of channels (dimension 1 of the input). Default: 1
  TORCH_ARG(int64_t, num_parameters);
  /// The initial value of alpha. Default: 1.0
  TORCH_ARG(double, init) = 1.0;
};
using ParametricCELUOptions = ParametricELUOptions;

struct PELUOptions {
  PELUOptions(int64_t num_parameters = 1)
      : num_parameters_(num_parameters) {}  // NOLINT(google-explicit-constructor)
  /// As in `ParametricELUOptions`. Default: 1
  TORCH_ARG(int64_t, num_parameters);
  /// The initial values of the parameters. Default: 1.0
  TORCH_ARG(double, a) = 1.0;
  TORCH_ARG(double, b) = 1.0;
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

/// ELU with alpha as a parameter, like torch::nn::PReLU. Use it as `torch_elu::ParametricELU`.
/// Leave `alpha` out of weight decay.
class TORCH_ELU_API ParametricELUImpl : public torch::nn::Cloneable<ParametricELUImpl> {
 public:
  explicit ParametricELUImpl(const ParametricELUOptions& options_ = {});
  at::Tensor forward(const at::Tensor& input);
  void reset() override;
  void pretty_print(std::ostream& stream) const override;

  ParametricELUOptions options;
  at::Tensor alpha;
};
TORCH_MODULE(ParametricELU);

/// CELU with alpha as a parameter. Use it as `torch_elu::ParametricCELU`.
class TORCH_ELU_API ParametricCELUImpl : public torch::nn::Cloneable<ParametricCELUImpl> {
 public:
  explicit ParametricCELUImpl(const ParametricCELUOptions& options_ = {});
  at::Tensor forward(const at::Tensor& input);
  void reset() override;
  void pretty_print(std::ostream& stream) const override;

  ParametricCELUOptions options;
  at::Tensor alpha;
};
TORCH_MODULE(ParametricCELU);

/// a / b * x for x > 0, a * (exp(x / b) - 1) elsewhere, with the parameters a and b (Trottier et
/// al., arXiv:1605.09332). Keep both above 0. Use it as `torch_elu::PELU`.
class TORCH_ELU_API PELUImpl : public torch::nn::Cloneable<PELUImpl> {
 public:
  explicit PELUImpl(const PELUOptions& options_ = {});
  at::Tensor forward(const at::Tensor& input);
  void reset() override;
  void pretty_print(std::ostream& stream) const override;

  PELUOptions options;
  at::Tensor a, b;
};
TORCH_MODULE(PELU);

}  // namespace v1
}  // namespace torch_elu

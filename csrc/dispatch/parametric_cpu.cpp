// parametric_elu on the CPU: which elements, by which kernel. The arithmetic is in the kernels.

#include <ATen/ExpandUtils.h>
#include <ATen/ops/zeros_like.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "dispatch/capability.h"
#include "dispatch/huge_pages.h"
#include "dispatch/operands.h"
#include "dispatch/parametric.h"
#include "dispatch/parametric_schedule.h"

namespace torch_elu {
namespace {

template <typename T>
void run_forward(const Parametric<T>& call, T* out, const T* self) {
  const auto& kernels = call.kernels;
  if (call.is_of_runs()) {
    Runs<T>(call).for_each(
        [&](int64_t /*index*/, int64_t start, int64_t n, const auto& coefficients) {
          kernels.forward(out + start, 1, self + start, 1, n, coefficients, call.store);
        });
    return;
  }
  using Columns = torch_elu::Columns<T>;
  const Columns columns(call);
  const int64_t width = columns.width();
  columns.for_each_tile([&](const typename Columns::Tile& tile) {
    columns.for_each_part(
        tile,
        [&](const typename Columns::Tile& part, const cpu::OfColumns<T>& coefficients) {
          columns.for_each_block(part, [&](int64_t start, int64_t rows, int64_t n) {
            if (coefficients.alpha != nullptr || coefficients.own != nullptr) {
              kernels.value_of_columns(out + start, self + start, width, rows, n, coefficients,
                                       call.store);
              return;
            }
            const int64_t at_once = n == width ? rows : 1;
            for (int64_t row = 0; row < rows; row += at_once) {
              const int64_t first = start + row * width;
              kernels.forward(out + first, 1, self + first, 1, at_once * n, *coefficients.one,
                              call.store);
            }
          });
        },
        [&](const typename Columns::Tile& part, const Coefficients<T>& coefficients) {
          columns.for_each_block(part, [&](int64_t start, int64_t rows, int64_t /*n*/) {
            kernels.forward(out + start, width, self + start, width, rows, coefficients,
                            cpu::Store::cached);
          });
        });
  });
}

// Where the gradients of each channel go; of no divisor to null.
template <typename T>
struct ChannelGradients {
  const Parametric<T>& call;
  opmath_t<T>*alpha, *divisor;

  void set(int64_t channel, double by_alpha, double slope_times_x) const {
    alpha[channel] = static_cast<opmath_t<T>>(by_alpha);
    if (divisor != nullptr) {
      // CELU tends to max(x, 0) as its alpha, which is the divisor too, tends to 0.
      const double d = call.divisor[channel];
      divisor[channel] = static_cast<opmath_t<T>>(d == 0 ? 0 : -slope_times_x / d);
    }
  }
};

template <typename T>
void run_backward_of_runs(const Parametric<T>& call, T* grad_input, const T* grad_output,
                          const T* self, const ChannelGradients<T>& to) {
  const Runs<T> runs(call);
  std::vector<double> by_alpha(runs.count()),
      slope_times_x(call.divisor != nullptr ? runs.count() : 0);
  runs.for_each([&](int64_t index, int64_t start, int64_t n, const auto& coefficients) {
    const auto sums =
        call.kernels.gradients_of_run(grad_input + start, grad_output + start, self + start, n,
                                      coefficients, call.divisor != nullptr, call.store);
    by_alpha[index] = sums.by_alpha;
    if (call.divisor != nullptr) {
      slope_times_x[index] = sums.slope_times_x;
    }
  });
  for (int64_t channel = 0; channel < call.channels; ++channel) {
    to.set(channel, runs.total(by_alpha, channel),
           call.divisor != nullptr ? runs.total(slope_times_x, channel) : 0);
  }
}

// A run whose elements are `stride` apart.
template <typename T>
cpu::GradientSums gradients_of_column(const Parametric<T>& call, T* grad_input,
                                      const T* grad_output, const T* self, int64_t stride,
                                      int64_t n, const Coefficients<T>& coefficients) {
  constexpr int64_t most = 256;
  std::array<T, most> result, grad, x;
  cpu::GradientSums sums{};
  for (int64_t begin = 0; begin < n; begin += most) {
    const int64_t count = std::min(most, n - begin), start = begin * stride;
    for (int64_t i = 0; i < count; ++i) {
      grad[i] = grad_output[start + i * stride];
      x[i] = self[start + i * stride];
    }
    const auto of_block =
        call.kernels.gradients_of_run(result.data(), grad.data(), x.data(), count, coefficients,
                                      call.divisor != nullptr, cpu::Store::cached);
    for (int64_t i = 0; i < count; ++i) {
      grad_input[start + i * stride] = result[i];
    }
    sums.by_alpha += of_block.by_alpha;
    sums.slope_times_x += of_block.slope_times_x;
  }
  return sums;
}

template <typename T>
void run_backward_of_columns(const Parametric<T>& call, T* grad_input, const T* grad_output,
                             const T* self, const ChannelGradients<T>& to) {
  using Columns = torch_elu::Columns<T>;
  const Columns columns(call);
  const int64_t width = columns.width();
  const bool is_direct = columns.has_one_tile_for_each_channel(),
             has_divisor = call.divisor != nullptr;
  const int64_t sums = is_direct ? 0 : columns.tiles_down() * width;
  std::vector<double> of_alpha(sums), of_divisor(has_divisor ? sums : 0);
  columns.for_each_tile([&](const typename Columns::Tile& tile) {
    std::array<double, cpu::most_columns> by_alpha, slope_times_x;
    const auto clear = [&](const typename Columns::Tile& part) {
      const int64_t at = part.first - tile.first, n = part.last - part.first;
      std::fill_n(by_alpha.begin() + at, n, 0);
      std::fill_n(slope_times_x.begin() + at, n, 0);
      return at;
    };
    columns.for_each_part(
        tile,
        [&](const typename Columns::Tile& part, const cpu::OfColumns<T>& coefficients) {
          const int64_t at = clear(part);
          columns.for_each_block(part, [&](int64_t start, int64_t rows, int64_t n) {
            call.kernels.gradients_of_columns(
                grad_input + start, grad_output + start, self + start, width, rows, n, coefficients,
                call.store, &by_alpha[at], has_divisor ? &slope_times_x[at] : nullptr);
          });
        },
        [&](const typename Columns::Tile& part, const Coefficients<T>& coefficients) {
          const int64_t at = clear(part);
          columns.for_each_block(part, [&](int64_t start, int64_t rows, int64_t /*n*/) {
            const auto of_column =
                gradients_of_column(call, grad_input + start, grad_output + start, self + start,
                                    width, rows, coefficients);
            by_alpha[at] += of_column.by_alpha;
            slope_times_x[at] += of_column.slope_times_x;
          });
        });
    const int64_t n = tile.last - tile.first;
    if (is_direct) {
      for (int64_t i = 0; i < n; ++i) {
        to.set(tile.first + i, by_alpha[i], slope_times_x[i]);
      }
      return;
    }
    const int64_t start = tile.index * width + tile.first;
    std::copy_n(by_alpha.begin(), n, of_alpha.begin() + start);
    if (has_divisor) {
      std::copy_n(slope_times_x.begin(), n, of_divisor.begin() + start);
    }
  });
  if (is_direct) {
    return;
  }
  const auto by_alpha = columns.totals(of_alpha), slope_times_x = columns.totals(of_divisor);
  for (int64_t channel = 0; channel < call.channels; ++channel) {
    to.set(channel, by_alpha[channel], slope_times_x[channel]);
  }
}

at::Tensor parametric_elu_cpu(const at::Tensor& self, const at::Tensor& alpha,
                              const std::optional<at::Tensor>& input_divisor) {
  constexpr const char* name = "parametric_elu";
  const at::Tensor divisor = input_divisor.value_or(at::Tensor());
  check_dtype(self.scalar_type(), name);
  check_parameters(self, alpha, divisor, name);
  const ParametricLayout layout(self, alpha, divisor, name);
  cpu::prefer_huge_pages(layout.result.mutable_data_ptr(), layout.result.nbytes());
  with_kernels_for(self.scalar_type(), name,
                   [&]<typename T>(const cpu::Kernels<T>& kernels, const char* /*name*/) {
                     if (layout.result.numel() > 0) {
                       run_forward(Parametric<T>(kernels, layout),
                                   static_cast<T*>(layout.result.mutable_data_ptr()),
                                   static_cast<const T*>(layout.self.const_data_ptr()));
                     }
                   });
  return layout.result;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> parametric_elu_backward_cpu(
    const at::Tensor& grad_output, const at::Tensor& self, const at::Tensor& alpha,
    const std::optional<at::Tensor>& input_divisor, std::array<bool, 3> output_mask) {
  constexpr const char* name = "parametric_elu_backward";
  const at::Tensor divisor = input_divisor.value_or(at::Tensor());
  check_backward_operands(grad_output, self, name, "self");
  check_dtype(self.scalar_type(), name);
  check_parameters(self, alpha, divisor, name);
  const ParametricLayout layout(self, alpha, divisor, name);
  cpu::prefer_huge_pages(layout.result.mutable_data_ptr(), layout.result.nbytes());
  const at::Tensor grad = layout.in_order(grad_output);
  const at::Tensor of_alpha = at::zeros_like(layout.alpha);
  const at::Tensor of_divisor = divisor.defined() ? at::zeros_like(layout.divisor) : at::Tensor();
  with_kernels_for(self.scalar_type(), name,
                   [&]<typename T>(const cpu::Kernels<T>& kernels, const char* /*name*/) {
                     if (layout.result.numel() == 0) {
                       return;
                     }
                     using number_t = opmath_t<T>;
                     const Parametric<T> call(kernels, layout);
                     const ChannelGradients<T> to{
                         call, of_alpha.mutable_data_ptr<number_t>(),
                         divisor.defined() ? of_divisor.mutable_data_ptr<number_t>() : nullptr};
                     auto* const grad_input = static_cast<T*>(layout.result.mutable_data_ptr());
                     const auto* const grad_data = static_cast<const T*>(grad.const_data_ptr());
                     const auto* const x = static_cast<const T*>(layout.self.const_data_ptr());
                     (call.is_of_runs()
                          ? run_backward_of_runs<T>
                          : run_backward_of_columns<T>)(call, grad_input, grad_data, x, to);
                   });
  return layout.gradients(self, alpha, divisor, of_alpha, of_divisor, output_mask);
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, CPU, m) {
  m.impl("parametric_elu", &torch_elu::parametric_elu_cpu);
  m.impl("parametric_elu_backward", &torch_elu::parametric_elu_backward_cpu);
}

// parametric_elu on the CPU: which elements, by which kernel, on which threads. What a sum is made
// of, and in which order, follows from the shapes alone: so the same bits on any number of threads.

#include <ATen/ExpandUtils.h>
#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

#include "dispatch/capability.h"
#include "dispatch/huge_pages.h"
#include "dispatch/operands.h"
#include "dispatch/parametric.h"

namespace torch_elu {
namespace {

// Runs with fewer elements than this of one alpha are taken for as many channels.
constexpr int64_t kShortestRun = 64;
constexpr int64_t kPiece = 16384;  // of a run, for one thread
// A tile of columns, for one thread.
constexpr int64_t kTileColumns = 512, kTileElements = 32768;
// Columns of one alpha that make it worth while to go along them, not across.
constexpr int64_t kWideGroup = 8;
constexpr int64_t kGrainSize = int64_t{128} * 1024;

// f(index) for each, on the threads that at::TensorIterator takes for as many elements, with the
// fence that Store::streaming_part asks for.
template <typename F>
void for_each_task(int64_t count, int64_t elements, const F& f) {
  if (count == 1 || elements <= kGrainSize) {
    for (int64_t i = 0; i < count; ++i) {
      f(i);
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return;
  }
  at::Tensor tasks = at::empty({count}, at::kByte);  // never read or written
  const auto* const first = static_cast<const char*>(tasks.const_data_ptr());
  auto iter = at::TensorIterator::nullary_op(tasks);
  iter.for_each(
      [&](char** data, const int64_t* /*strides*/, int64_t n) {
        for (int64_t i = 0; i < n; ++i) {
          f(data[0] - first + i);
        }
        std::atomic_thread_fence(std::memory_order_seq_cst);
      },
      std::max<int64_t>(1, kGrainSize * count / elements));
}

template <typename T>
struct Parametric {
  using number_t = opmath_t<T>;

  const cpu::Kernels<T>& kernels;
  const number_t* alpha;    // of the channels
  const number_t* divisor;  // or null
  int64_t outer, channels, inner;
  cpu::Store store;

  Parametric(const cpu::Kernels<T>& kernels, const ParametricLayout& layout)
      : kernels(kernels),
        alpha(layout.alpha.const_data_ptr<number_t>()),
        divisor(layout.divisor.defined() ? layout.divisor.const_data_ptr<number_t>() : nullptr),
        outer(layout.outer),
        channels(layout.channels),
        inner(layout.inner),
        store(cpu::store_for(numel() * static_cast<int64_t>(sizeof(T))) == cpu::Store::cached
                  ? cpu::Store::cached
                  : cpu::Store::streaming_part) {}

  int64_t numel() const { return outer * channels * inner; }

  Coefficients<T> coefficients_of(double a, double d) const {
    // One NaN for all, as in convert_coefficients.
    const auto tidy = [](double x) {
      return std::isnan(x) ? std::numeric_limits<double>::quiet_NaN() : x;
    };
    return Coefficients<T>(tidy(a), 1, divisor != nullptr ? tidy(1 / d) : 1);
  }

  bool is_of_runs() const { return inner >= kShortestRun || channels == 1; }
};

// Pieces of runs, each of one channel.
template <typename T>
class Runs {
 public:
  explicit Runs(const Parametric<T>& call)
      : call_(call), pieces_((call.inner + kPiece - 1) / kPiece) {
    // A table, where coefficients serve more than once and all of them fit into a cache.
    if (count() > call.channels && call.channels <= 4096) {
      table_.reserve(call.channels);
      for (int64_t c = 0; c < call.channels; ++c) {
        table_.push_back(coefficients(c));
      }
    }
  }

  int64_t count() const { return call_.outer * call_.channels * pieces_; }

  // f(index, start, n, coefficients)
  template <typename F>
  void for_each(const F& f) const {
    for_each_task(count(), call_.numel(), [&](int64_t index) {
      const int64_t run = index / pieces_, begin = index % pieces_ * kPiece;
      const int64_t channel = run % call_.channels;
      const int64_t start = run * call_.inner + begin, n = std::min(kPiece, call_.inner - begin);
      if (table_.empty()) {
        f(index, start, n, coefficients(channel));
      } else {
        f(index, start, n, table_[channel]);
      }
    });
  }

  // The sum of what the runs of a channel gave.
  double total(const std::vector<double>& of_pieces, int64_t channel) const {
    double total = 0;
    for (int64_t i = 0; i < call_.outer; ++i) {
      for (int64_t piece = 0; piece < pieces_; ++piece) {
        total += of_pieces[(i * call_.channels + channel) * pieces_ + piece];
      }
    }
    return total;
  }

 private:
  Coefficients<T> coefficients(int64_t channel) const {
    return call_.coefficients_of(call_.alpha[channel],
                                 call_.divisor != nullptr ? call_.divisor[channel] : 1);
  }

  const Parametric<T>& call_;
  int64_t pieces_;
  std::vector<Coefficients<T>> table_;
};

// Rows whose columns have an alpha each.
template <typename T>
class Columns {
 public:
  using number_t = opmath_t<T>;

  explicit Columns(const Parametric<T>& call)
      : call_(call),
        copies_(std::clamp<int64_t>(256 / (call.channels * call.inner), 1, call.outer)),
        width_(call.channels * call.inner * copies_),
        rows_((call.numel() + width_ - 1) / width_),
        tile_columns_(std::min(width_, kTileColumns)),
        tile_rows_(std::max<int64_t>(1, kTileElements / tile_columns_)),
        alpha_(call.alpha),
        divisor_(call.divisor) {
    if (width_ != call.channels) {  // short rows, or runs, are put side by side
      const auto spread = [&](const number_t* of_channels, std::vector<number_t>& of_columns) {
        of_columns.resize(width_);
        for (int64_t column = 0; column < width_; ++column) {
          of_columns[column] = of_channels[column / call.inner % call.channels];
        }
        return of_columns.data();
      };
      alpha_ = spread(call.alpha, alphas_);
      divisor_ = call.divisor != nullptr ? spread(call.divisor, divisors_) : nullptr;
    }
  }

  bool has_one_tile_for_each_channel() const {
    return width_ == call_.channels && tiles_down() == 1;
  }
  int64_t width() const { return width_; }
  int64_t tiles_down() const { return (rows_ + tile_rows_ - 1) / tile_rows_; }

  // Columns `first` to `last` of some rows. `alpha`: null where all have one.
  struct Tile {
    int64_t first, last;
    int64_t row, rows;
    const number_t* alpha;
    const Coefficients<T>& coefficients;
  };

  // For each tile: with sums = start(first column, last one, tile from the top), along(tile, sums)
  // for those whose rows a kernel takes, across(tile, sums) for those of one column, sums.finish().
  template <typename Start, typename Along, typename Across>
  void for_each(const Start& start, const Along& along, const Across& across) const {
    const int64_t tiles_across = (width_ + tile_columns_ - 1) / tile_columns_;
    const auto of_any_alpha = call_.coefficients_of(2, 1);
    for_each_task(tiles_down() * tiles_across, call_.numel(), [&](int64_t index) {
      const int64_t first = index % tiles_across * tile_columns_;
      const int64_t last = std::min(width_, first + tile_columns_);
      const int64_t row = index / tiles_across * tile_rows_;
      const int64_t rows = std::min(tile_rows_, rows_ - row);
      auto sums = start(first, last, index / tiles_across);
      if (divisor_ == nullptr && std::any_of(alpha_ + first, alpha_ + last,
                                             [](number_t a) { return is_like_others(a); })) {
        along(Tile{first, last, row, rows, alpha_ + first, of_any_alpha}, sums);
      }
      for (int64_t column = first, end = first; column < last; column = end) {
        for (end = column + 1; end < last && is_same(column, end);) {
          ++end;
        }
        if (divisor_ == nullptr && is_like_others(alpha_[column])) {
          continue;
        }
        const auto coefficients =
            call_.coefficients_of(alpha_[column], divisor_ != nullptr ? divisor_[column] : 1);
        const Tile group{column, end, row, rows, nullptr, coefficients};
        sums.clear(column, end);  // of what the kernel for many alphas made of them
        if (end - column >= std::min(kWideGroup, rows)) {
          along(group, sums);
          continue;
        }
        for (int64_t i = column; i < end; ++i) {
          across(Tile{i, i + 1, row, rows, nullptr, coefficients}, sums);
        }
      }
      sums.finish();
    });
  }

  // f(start, n) for each row of the tile; the last row may end early.
  template <typename F>
  void for_each_row(const Tile& tile, const F& f) const {
    for (int64_t row = tile.row; row < tile.row + tile.rows; ++row) {
      const int64_t start = row * width_ + tile.first;
      const int64_t n = std::min(tile.last - tile.first, call_.numel() - start);
      if (n > 0) {
        f(start, n);
      }
    }
  }

  // How many elements the column of the tile has.
  int64_t rows_of_column(const Tile& tile) const {
    const bool is_short = (tile.row + tile.rows - 1) * width_ + tile.first >= call_.numel();
    return tile.rows - (is_short ? 1 : 0);
  }

  // The sum of what the columns of a channel gave, in tiles from top to bottom.
  double total(const std::vector<double>& of_tiles, int64_t channel) const {
    double total = 0;
    for (int64_t tile = 0; tile < tiles_down(); ++tile) {
      for (int64_t copy = 0; copy < copies_; ++copy) {
        for (int64_t i = 0; i < call_.inner; ++i) {
          total += of_tiles[tile * width_ + (copy * call_.channels + channel) * call_.inner + i];
        }
      }
    }
    return total;
  }

 private:
  bool is_same(int64_t a, int64_t b) const {
    return alpha_[a] == alpha_[b] && (divisor_ == nullptr || divisor_[a] == divisor_[b]);
  }

  const Parametric<T>& call_;
  int64_t copies_, width_, rows_, tile_columns_, tile_rows_;
  const number_t *alpha_, *divisor_;
  std::vector<number_t> alphas_, divisors_;
};

struct NoSums {
  void clear(int64_t /*first*/, int64_t /*last*/) {}
  void finish() {}
};

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
  const Columns<T> columns(call);
  using Tile = typename Columns<T>::Tile;
  columns.for_each(
      [](int64_t, int64_t, int64_t) { return NoSums(); },
      [&](const Tile& tile, NoSums& /*sums*/) {
        columns.for_each_row(tile, [&](int64_t start, int64_t n) {
          if (tile.alpha != nullptr) {
            kernels.value_of_alphas(out + start, self + start, tile.alpha, n, tile.coefficients,
                                    call.store);
          } else {
            kernels.forward(out + start, 1, self + start, 1, n, tile.coefficients, call.store);
          }
        });
      },
      [&](const Tile& tile, NoSums& /*sums*/) {
        const int64_t start = tile.row * columns.width() + tile.first;
        kernels.forward(out + start, columns.width(), self + start, columns.width(),
                        columns.rows_of_column(tile), tile.coefficients, cpu::Store::cached);
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

template <typename T>
void run_backward_of_columns(const Parametric<T>& call, T* grad_input, const T* grad_output,
                             const T* self, const ChannelGradients<T>& to) {
  const Columns<T> columns(call);
  const bool is_direct = columns.has_one_tile_for_each_channel();
  const int64_t sums = is_direct ? 0 : columns.tiles_down() * columns.width();
  std::vector<double> of_alpha(sums), of_divisor(call.divisor != nullptr ? sums : 0);

  struct Sums {
    const ChannelGradients<T>& to;
    double *of_alpha, *of_divisor;  // of the tile's columns; null where there is one tile
    int64_t first, last;
    std::array<double, kTileColumns> by_alpha{}, slope_times_x{};

    void clear(int64_t begin, int64_t end) {
      std::fill(by_alpha.begin() + (begin - first), by_alpha.begin() + (end - first), 0);
    }
    void finish() {
      for (int64_t i = 0; i < last - first; ++i) {
        if (of_alpha == nullptr) {
          to.set(first + i, by_alpha[i], slope_times_x[i]);
          continue;
        }
        of_alpha[i] = by_alpha[i];
        if (of_divisor != nullptr) {
          of_divisor[i] = slope_times_x[i];
        }
      }
    }
  };

  using Tile = typename Columns<T>::Tile;
  columns.for_each(
      [&](int64_t first, int64_t last, int64_t tile) {
        const int64_t at = tile * columns.width() + first;
        return Sums{to, is_direct ? nullptr : of_alpha.data() + at,
                    is_direct || call.divisor == nullptr ? nullptr : of_divisor.data() + at, first,
                    last};
      },
      [&](const Tile& tile, Sums& sums) {
        const int64_t at = tile.first - sums.first;
        columns.for_each_row(tile, [&](int64_t start, int64_t n) {
          call.kernels.gradients_of_columns(
              grad_input + start, grad_output + start, self + start, tile.alpha, n,
              tile.coefficients, call.store, &sums.by_alpha[at],
              call.divisor != nullptr ? &sums.slope_times_x[at] : nullptr);
        });
      },
      [&](const Tile& tile, Sums& sums) {
        constexpr int64_t most = 256;
        std::array<T, most> grad, x, result;
        const int64_t n = columns.rows_of_column(tile), width = columns.width();
        for (int64_t begin = 0; begin < n; begin += most) {
          const int64_t count = std::min(most, n - begin);
          const int64_t start = (tile.row + begin) * width + tile.first;
          for (int64_t i = 0; i < count; ++i) {
            grad[i] = grad_output[start + i * width];
            x[i] = self[start + i * width];
          }
          const auto of_run = call.kernels.gradients_of_run(
              result.data(), grad.data(), x.data(), count, tile.coefficients,
              call.divisor != nullptr, cpu::Store::cached);
          for (int64_t i = 0; i < count; ++i) {
            grad_input[start + i * width] = result[i];
          }
          sums.by_alpha[tile.first - sums.first] += of_run.by_alpha;
          sums.slope_times_x[tile.first - sums.first] += of_run.slope_times_x;
        }
      });
  for (int64_t channel = 0; !is_direct && channel < call.channels; ++channel) {
    to.set(channel, columns.total(of_alpha, channel),
           call.divisor != nullptr ? columns.total(of_divisor, channel) : 0);
  }
}

template <typename Call>
void with_kernels_for(at::ScalarType dtype, const char* name, const Call& call) {
  const cpu::KernelTable& table = cpu::kernels();
  switch (dtype) {
    case at::kDouble:
      return call(table.float64);
    case at::kFloat:
      return call(table.float32);
    case at::kHalf:
      return call(table.float16);
    case at::kBFloat16:
      return call(table.bfloat16);
    default:
      C10_THROW_ERROR(NotImplementedError, unsupported_dtype(dtype, name));
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
  with_kernels_for(self.scalar_type(), name, [&]<typename T>(const cpu::Kernels<T>& kernels) {
    if (layout.result.numel() > 0) {
      run_forward(Parametric<T>(kernels, layout), static_cast<T*>(layout.result.mutable_data_ptr()),
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
  with_kernels_for(self.scalar_type(), name, [&]<typename T>(const cpu::Kernels<T>& kernels) {
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
    (call.is_of_runs() ? run_backward_of_runs<T> : run_backward_of_columns<T>)(call, grad_input,
                                                                               grad_data, x, to);
  });
  return layout.gradients(self, alpha, divisor, of_alpha, of_divisor, output_mask);
}

}  // namespace
}  // namespace torch_elu

TORCH_LIBRARY_IMPL(torch_elu, CPU, m) {
  m.impl("parametric_elu", &torch_elu::parametric_elu_cpu);
  m.impl("parametric_elu_backward", &torch_elu::parametric_elu_backward_cpu);
}

#pragma once

// Which elements of parametric_elu's operands are done together on the CPU, and on which threads.
// What a sum is made of, and in which order, follows from the shapes alone: so the same bits on any
// number of threads.

#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include "dispatch/capability.h"
#include "dispatch/parametric.h"
#include "kernels/cpu/kernels.h"

namespace torch_elu {

/// f(index) for each, on the threads that at::TensorIterator takes for as many elements, with the
/// fence that Store::streaming_part asks for.
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

/// A call: outer * channels * inner elements, with an alpha, and perhaps a divisor, for a channel.
template <typename T>
struct Parametric {
  using number_t = opmath_t<T>;

  const cpu::Kernels<T>& kernels;
  const number_t* alpha;
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

  /// Shorter runs of one alpha are taken for as many channels.
  bool is_of_runs() const { return inner >= 64 || channels == 1; }
};

/// Pieces of runs, each of one channel.
template <typename T>
class Runs {
 public:
  explicit Runs(const Parametric<T>& call)
      : call_(call), pieces_((call.inner + piece - 1) / piece) {
    // A table, where coefficients serve more than once and all of them fit into a cache.
    if (count() > call.channels && call.channels <= 4096) {
      table_.reserve(call.channels);
      for (int64_t c = 0; c < call.channels; ++c) {
        table_.push_back(coefficients(c));
      }
    }
  }

  int64_t count() const { return call_.outer * call_.channels * pieces_; }

  /// f(index, start, n, coefficients)
  template <typename F>
  void for_each(const F& f) const {
    for_each_task(count(), call_.numel(), [&](int64_t index) {
      const int64_t run = index / pieces_, begin = index % pieces_ * piece;
      const int64_t channel = run % call_.channels;
      const int64_t start = run * call_.inner + begin, n = std::min(piece, call_.inner - begin);
      if (table_.empty()) {
        f(index, start, n, coefficients(channel));
      } else {
        f(index, start, n, table_[channel]);
      }
    });
  }

  /// The sum of what the runs of a channel gave.
  double total(const std::vector<double>& of_pieces, int64_t channel) const {
    double total = 0;
    for (int64_t i = 0; i < call_.outer; ++i) {
      for (int64_t p = 0; p < pieces_; ++p) {
        total += of_pieces[(i * call_.channels + channel) * pieces_ + p];
      }
    }
    return total;
  }

 private:
  static constexpr int64_t piece = 16384;  // for one thread

  Coefficients<T> coefficients(int64_t channel) const {
    return call_.coefficients_of(call_.alpha[channel],
                                 call_.divisor != nullptr ? call_.divisor[channel] : 1);
  }

  const Parametric<T>& call_;
  int64_t pieces_;
  std::vector<Coefficients<T>> table_;
};

/// Columns, each with an alpha and a divisor of its own.
template <typename T>
class CoefficientTable {
 public:
  CoefficientTable(const Parametric<T>& call, const opmath_t<T>* alpha, const opmath_t<T>* divisor,
                   int64_t columns)
      : kernels_(call.kernels),
        memory_(at::zeros({(columns / kernels_.columns_of_group + 1) * kernels_.bytes_of_group},
                          at::kByte)),
        is_plain_(columns) {
    for (int64_t i = 0; i < columns; ++i) {
      const auto coefficients = call.coefficients_of(alpha[i], divisor[i]);
      is_plain_[i] = !coefficients.is_unit && !coefficients.takes_general_path;
      is_scaled_ = is_scaled_ && divisor[i] != 1;
      kernels_.write_own(coefficients, i, memory_.mutable_data_ptr());
    }
  }

  /// Whether the kernels for own coefficients give the right bits.
  bool is_plain(int64_t column) const { return is_plain_[column]; }

  /// From a column on that is a multiple of cpu::most_columns.
  cpu::OfColumns<T> from(int64_t column) const {
    const void* own = static_cast<const char*>(memory_.const_data_ptr()) +
                      column / kernels_.columns_of_group * kernels_.bytes_of_group;
    return {nullptr, nullptr, own, is_scaled_};
  }

 private:
  const cpu::Kernels<T>& kernels_;
  at::Tensor memory_;
  std::vector<bool> is_plain_;
  bool is_scaled_ = true;
};

/// Rows whose columns have an alpha each, in tiles.
template <typename T>
class Columns {
 public:
  using number_t = opmath_t<T>;

  struct Tile {
    int64_t first, last;  // columns
    int64_t row, rows;
    int64_t index;  // from the top
  };

  explicit Columns(const Parametric<T>& call)
      : call_(call),
        copies_(copies()),
        width_(call.channels * call.inner * copies_),
        rows_((call.numel() + width_ - 1) / width_),
        tile_columns_(std::min<int64_t>(width_, cpu::most_columns)),
        tile_rows_(std::max<int64_t>(1, 32768 / tile_columns_)),
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
    constexpr int64_t at_most = 65'536;  // 8 to 24 MB; beyond, each tile makes those of its columns
    if (divisor_ != nullptr && tiles_down() > 1 && width_ <= at_most) {
      own_.emplace(call, alpha_, divisor_, width_);
    }
  }

  int64_t width() const { return width_; }
  int64_t tiles_down() const { return (rows_ + tile_rows_ - 1) / tile_rows_; }
  bool has_one_tile_for_each_channel() const {
    return width_ == call_.channels && tiles_down() == 1;
  }

  /// f(tile) for each, on several threads.
  template <typename F>
  void for_each_tile(const F& f) const {
    const int64_t across = (width_ + tile_columns_ - 1) / tile_columns_;
    for_each_task(tiles_down() * across, call_.numel(), [&](int64_t task) {
      const int64_t first = task % across * tile_columns_, index = task / across;
      const int64_t row = index * tile_rows_;
      f(Tile{first, std::min(width_, first + tile_columns_), row, std::min(tile_rows_, rows_ - row),
             index});
    });
  }

  /// along(tile, coefficients) for columns that a kernel takes together, across(tile, coefficients)
  /// for a single one. Where both come to a column, the last one counts.
  template <typename Along, typename Across>
  void for_each_part(const Tile& tile, const Along& along, const Across& across) const {
    const number_t* const alpha = alpha_ + tile.first;
    const number_t* const divisor = divisor_ != nullptr ? divisor_ + tile.first : nullptr;
    const int64_t n = tile.last - tile.first;
    std::optional<CoefficientTable<T>> of_tile;
    if (divisor != nullptr && !own_) {
      of_tile.emplace(call_, alpha, divisor, n);
    }
    const auto is_plain = [&](int64_t i) {
      return divisor == nullptr ? is_like_others(alpha[i])
             : own_             ? own_->is_plain(tile.first + i)
                                : of_tile->is_plain(i);
    };
    int64_t plain = 0;
    while (plain < n && !is_plain(plain)) {
      ++plain;
    }
    if (plain < n && divisor != nullptr) {
      along(tile, own_ ? own_->from(tile.first) : of_tile->from(0));
    } else if (plain < n) {
      const auto of_any_alpha = call_.coefficients_of(2, 1);
      along(tile, cpu::OfColumns<T>{&of_any_alpha, alpha});
    }
    // Those of the other formulas, which are 1 or extreme: groups of one alpha.
    for (int64_t i = 0, end = 0; i < n; i = end) {
      const auto is_same = [&](const number_t* numbers) {  // 0 and -0 are two
        return numbers[end] == numbers[i] && std::signbit(numbers[end]) == std::signbit(numbers[i]);
      };
      for (end = i + 1; end < n && is_same(alpha) && (divisor == nullptr || is_same(divisor));) {
        ++end;
      }
      if (is_plain(i)) {
        continue;
      }
      const auto coefficients =
          call_.coefficients_of(alpha[i], divisor != nullptr ? divisor[i] : 1);
      Tile part = tile;
      if (end - i >= std::min<int64_t>(8, tile.rows)) {
        part.first = tile.first + i;
        part.last = tile.first + end;
        along(part, cpu::OfColumns<T>{&coefficients});
        continue;
      }
      for (int64_t column = i; column < end; ++column) {
        part.first = tile.first + column;
        part.last = part.first + 1;
        across(part, coefficients);
      }
    }
  }

  /// f(start, rows, columns) for the rows of the tile, of which the last one may end early.
  template <typename F>
  void for_each_block(const Tile& tile, const F& f) const {
    const int64_t start = tile.row * width_ + tile.first, n = tile.last - tile.first;
    const int64_t left = call_.numel() - start;  // in memory
    const int64_t whole = left < n ? 0 : std::min(tile.rows, (left - n) / width_ + 1);
    if (whole > 0) {
      f(start, whole, n);
    }
    const int64_t rest = left - whole * width_;
    if (whole < tile.rows && rest > 0) {
      f(start + whole * width_, int64_t{1}, rest);
    }
  }

  /// For each channel the sum of what its columns gave, in tiles from top to bottom.
  std::vector<double> totals(const std::vector<double>& of_tiles) const {
    std::vector<double> totals(call_.channels);
    for (auto of_column = of_tiles.begin(); of_column != of_tiles.end();) {
      for (double& total : totals) {
        for (int64_t i = 0; i < call_.inner; ++i) {
          total += *of_column++;
        }
      }
    }
    return totals;
  }

 private:
  /// How many rows are put side by side: so many that there are columns enough and, in a large
  /// tensor, that the next ones start at a cache line.
  int64_t copies() const {
    const int64_t width = call_.channels * call_.inner;
    int64_t copies = std::max<int64_t>(1, 256 / width);
    const int64_t aligned = 64 / std::gcd<int64_t>(64, width * static_cast<int64_t>(sizeof(T)));
    if (call_.outer >= 64 * aligned && aligned * width <= 8192) {
      copies = (copies + aligned - 1) / aligned * aligned;
    }
    return std::min(copies, call_.outer);
  }

  const Parametric<T>& call_;
  int64_t copies_, width_, rows_, tile_columns_, tile_rows_;
  const number_t *alpha_, *divisor_;
  std::vector<number_t> alphas_, divisors_;
  std::optional<CoefficientTable<T>> own_;  // of all columns, where tiles share them
};

}  // namespace torch_elu

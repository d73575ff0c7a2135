// The CPU kernels: runs of elements in memory, nothing of torch. kernels.cpp is compiled once for
// each instruction set and each build defines one of the tables below.
#pragma once

#include <cstddef>

#include "math/coefficients.h"

namespace torch_elu::cpu {

// streaming: past the caches, for outputs that do not fit into them and are not the input at the
// same time. streaming_part: the same for one of many short parts, without the fence behind it,
// which takes as long as 700 elements; the caller has one behind the last.
enum class Store { cached, streaming, streaming_part };

// Sums over the elements of a run, in an order that their number alone decides.
struct GradientSums {
  double by_alpha;       // of grad_output times the derivative by alpha
  double slope_times_x;  // of grad_input * self, where self <= 0
};

constexpr std::ptrdiff_t most_columns = 512;

// The coefficients of columns. One for all; or, of those that formula.h takes and that are not all
// 1, an own alpha for each (what is_like_others() finds), or own coefficients.
template <typename T>
struct OfColumns {
  const Coefficients<T>* one;  // beside `alpha` those of any such alpha
  const opmath_t<T>* alpha = nullptr;
  const void* own = nullptr;
  bool own_is_scaled = false;  // no input_scale of 1 among them, which lets the value be faster
};

// Strides are in elements, and may be zero for an input. Any alignment will do, even less than that
// of T. The output may be exactly an input (same address, same stride) but overlap none in another
// way.
template <typename T>
struct Kernels {
  using Coefficients = torch_elu::Coefficients<T>;

  void (*forward)(T* out, std::ptrdiff_t out_stride, const T* self, std::ptrdiff_t self_stride,
                  std::ptrdiff_t n, const Coefficients&, Store);
  void (*backward_from_input)(T* grad_input, std::ptrdiff_t grad_input_stride, const T* grad_output,
                              std::ptrdiff_t grad_output_stride, const T* self,
                              std::ptrdiff_t self_stride, std::ptrdiff_t n, const Coefficients&,
                              Store);
  void (*backward_from_result)(T* grad_input, std::ptrdiff_t grad_input_stride,
                               const T* grad_output, std::ptrdiff_t grad_output_stride,
                               const T* result, std::ptrdiff_t result_stride, std::ptrdiff_t n,
                               const Coefficients&, Store);

  // elu_plus_one and its backward, for which the coefficients are all 1.
  decltype(forward) plus_one;
  decltype(backward_from_result) plus_one_backward;

  // For an alpha that is a tensor. Rows of at most most_columns elements, `stride` apart. The value
  // for columns with an own alpha or own coefficients, since one for all is `forward`.
  void (*value_of_columns)(T* out, const T* self, std::ptrdiff_t stride, std::ptrdiff_t rows,
                           std::ptrdiff_t columns, const OfColumns<T>&, Store);
  // Adds what each element contributes to the sum of its column. `slope_times_x`: null where there
  // is no divisor.
  void (*gradients_of_columns)(T* grad_input, const T* grad_output, const T* self,
                               std::ptrdiff_t stride, std::ptrdiff_t rows, std::ptrdiff_t columns,
                               const OfColumns<T>&, Store, double* by_alpha, double* slope_times_x);
  // A contiguous run, with the sums of all its elements.
  GradientSums (*gradients_of_run)(T* grad_input, const T* grad_output, const T* self,
                                   std::ptrdiff_t n, const Coefficients&, bool has_divisor, Store);

  // The layout of OfColumns::own, which is aligned to 64 bytes; write_own fills in one column.
  std::ptrdiff_t columns_of_group, bytes_of_group;
  void (*write_own)(const Coefficients&, std::ptrdiff_t column, void* own);
};

struct KernelTable {
  const char* name;
  Kernels<double> float64;
  Kernels<float> float32;
  Kernels<Float16> float16;
  Kernels<BFloat16> bfloat16;
};

extern const KernelTable kernels_baseline;
extern const KernelTable kernels_avx2;    // with FMA and F16C
extern const KernelTable kernels_avx512;  // F, VL, BW, DQ, with FMA and F16C

}  // namespace torch_elu::cpu

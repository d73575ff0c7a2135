// Compiled once for each instruction set; TORCH_ELU_SIMD says which (baseline, avx2 or avx512) and
// names the namespace of all that is called here. tests/cpp/one_definition.py shows that no two
// objects define the same function.
#include "kernels/cpu/kernels.h"

#include "kernels/cpu/map.h"
#include "kernels/cpu/parametric.h"
#include "math/functions.h"

#define TORCH_ELU_JOIN(a, b) a##b
#define TORCH_ELU_TABLE(name) TORCH_ELU_JOIN(kernels_, name)
#define TORCH_ELU_STRING(name) #name
#define TORCH_ELU_NAME(name) TORCH_ELU_STRING(name)

namespace torch_elu::cpu {
namespace {

template <typename T>
struct EntryPoints {
  using Coefficients = torch_elu::Coefficients<T>;
  using Lanes = simd::Lanes<T>;

  static void forward(T* out, std::ptrdiff_t out_stride, const T* self, std::ptrdiff_t self_stride,
                      std::ptrdiff_t n, const Coefficients& coefficients, Store store) {
    Input<T> x(self, self_stride);
    if (coefficients.is_unit) {
      map<Lanes>(UnitValue<T>{coefficients}, store, out, out_stride, n, x);
    } else if (general::is_rectifier(coefficients)) {
      map<Lanes>(Rectified<T>{coefficients}, store, out, out_stride, n, x);
    } else if (coefficients.takes_general_path) {
      map<Lanes>(GeneralValue<T>{coefficients}, store, out, out_stride, n, x);
    } else if constexpr (!has_shorter_values<T>) {
      map<Lanes>(Value<T>{coefficients}, store, out, out_stride, n, x);
    } else if (coefficients.value_step.low == 0) {  // input_scale is 1
      map<Lanes>(UnscaledValue<Coefficients>{coefficients}, store, out, out_stride, n, x);
    } else {
      map<Lanes>(ScaledValue<Coefficients>{coefficients}, store, out, out_stride, n, x);
    }
  }

  static void backward_from_input(T* grad_input, std::ptrdiff_t grad_input_stride,
                                  const T* grad_output, std::ptrdiff_t grad_output_stride,
                                  const T* self, std::ptrdiff_t self_stride, std::ptrdiff_t n,
                                  const Coefficients& coefficients, Store store) {
    Input<T> grad(grad_output, grad_output_stride), x(self, self_stride);
    if (coefficients.is_unit) {
      map<Lanes>(UnitBackward<T>{coefficients}, store, grad_input, grad_input_stride, n, grad, x);
    } else if (general::is_rectifier(coefficients)) {
      map<Lanes>(RectifiedBackward<T>{coefficients}, store, grad_input, grad_input_stride, n, grad,
                 x);
    } else if (coefficients.takes_general_path) {
      map<Lanes>(GeneralBackward<T>{coefficients}, store, grad_input, grad_input_stride, n, grad,
                 x);
    } else {
      map<Lanes>(Backward<T>{coefficients}, store, grad_input, grad_input_stride, n, grad, x);
    }
  }

  static void backward_from_result(T* grad_input, std::ptrdiff_t grad_input_stride,
                                   const T* grad_output, std::ptrdiff_t grad_output_stride,
                                   const T* result, std::ptrdiff_t result_stride, std::ptrdiff_t n,
                                   const Coefficients& coefficients, Store store) {
    Input<T> grad(grad_output, grad_output_stride), y(result, result_stride);
    map<Lanes>(BackwardFromResult<T>{coefficients}, store, grad_input, grad_input_stride, n, grad,
               y);
  }

  static void plus_one(T* out, std::ptrdiff_t out_stride, const T* self, std::ptrdiff_t self_stride,
                       std::ptrdiff_t n, const Coefficients& coefficients, Store store) {
    Input<T> x(self, self_stride);
    map<Lanes>(PlusOneValue<T>{coefficients}, store, out, out_stride, n, x);
  }

  static void plus_one_backward(T* grad_input, std::ptrdiff_t grad_input_stride,
                                const T* grad_output, std::ptrdiff_t grad_output_stride,
                                const T* result, std::ptrdiff_t result_stride, std::ptrdiff_t n,
                                const Coefficients& /*coefficients*/, Store store) {
    Input<T> grad(grad_output, grad_output_stride), y(result, result_stride);
    map<Lanes>(PlusOneBackward<T>{}, store, grad_input, grad_input_stride, n, grad, y);
  }

  using Parametric = ParametricEntryPoints<T>;
  using Own = OwnCoefficients<T>;
  static constexpr Kernels<T> kernels{forward,
                                      backward_from_input,
                                      backward_from_result,
                                      plus_one,
                                      plus_one_backward,
                                      Parametric::value_of_columns,
                                      Parametric::gradients_of_columns,
                                      Parametric::gradients_of_run,
                                      Lanes::count,
                                      sizeof(typename Own::Group),
                                      Own::write};
};

}  // namespace

const KernelTable TORCH_ELU_TABLE(TORCH_ELU_SIMD){
    TORCH_ELU_NAME(TORCH_ELU_SIMD), EntryPoints<double>::kernels, EntryPoints<float>::kernels,
    EntryPoints<Float16>::kernels, EntryPoints<BFloat16>::kernels};

}  // namespace torch_elu::cpu

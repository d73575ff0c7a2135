// What the operators do with each element. Function objects, since a compiler may decide not to
// inline a lambda. T is the type of the elements.
#pragma once

#include "math/formula.h"

namespace torch_elu {
inline namespace TORCH_ELU_SIMD {

template <typename T>
struct Value {
  Coefficients<T> coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V x) const {
    return value(x, coefficients);
  }
};

template <typename T>
struct Backward {
  Coefficients<T> coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V grad_output, V x) const {
    return grad_output * slope(x, coefficients);
  }
};

template <typename T>
struct BackwardFromResult {
  Coefficients<T> coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V grad_output, V y) const {
    return grad_output * slope_from_result(y, coefficients);
  }
};

}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu

// What the operators do with each element. Function objects, since a compiler may decide not to
// inline a lambda. T is the type of the elements. They hold a copy of the coefficients: one that no
// store through a pointer to numbers can change, so that it stays in registers.
#pragma once

#include "math/formula.h"
#include "math/general.h"

namespace torch_elu {

template <typename T>
struct Value {
  Coefficients<T> k;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V x) const {
    return value(x, k);
  }
};

template <typename T>
struct UnitValue {
  Coefficients<T> k;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V x) const {
    return unit_value(x, k);
  }
};

template <typename T>
struct ExtremeValue {
  Coefficients<T> k;
  TORCH_ELU_INLINE opmath_t<T> operator()(opmath_t<T> x) const { return extreme::value(x, k); }
};

template <typename T>
struct Backward {
  Coefficients<T> k;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V grad_output, V x) const {
    return grad_output * slope(x, k);
  }
};

template <typename T>
struct UnitBackward {
  Coefficients<T> k;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V grad_output, V x) const {
    return grad_output * unit_slope(x, k);
  }
};

template <typename T>
struct ExtremeBackward {
  Coefficients<T> k;
  TORCH_ELU_INLINE opmath_t<T> operator()(opmath_t<T> grad_output, opmath_t<T> x) const {
    return grad_output * extreme::slope(x, k);
  }
};

template <typename T>
struct BackwardFromResult {
  Coefficients<T> k;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V grad_output, V y) const {
    return grad_output * slope_from_result(y, k);
  }
};

template <typename T>
struct PlusOneValue {
  Coefficients<T> k;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V x) const {
    return plus_one(x, k);
  }
};

template <typename T>
struct PlusOneBackward {
  template <typename V>
  TORCH_ELU_INLINE V operator()(V grad_output, V y) const {
    return grad_output * plus_one_slope(y);
  }
};

}  // namespace torch_elu

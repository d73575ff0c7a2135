// What the operators do with each element. Function objects, since a compiler may decide not to
// inline a lambda. T is the type of the elements. They hold a copy of the coefficients: one that no
// store through a pointer to numbers can change, so that it stays in registers.
#pragma once

#include "math/formula.h"
#include "math/general.h"

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

// C: coefficients of one alpha or of many, or a reference to them.
template <typename C>
struct UnscaledValue {
  C coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V x) const {
    return unscaled_value(x, coefficients);
  }
};

template <typename C>
struct ScaledValue {
  C coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V x) const {
    return scaled_value(x, coefficients);
  }
};

// The bits of UnitValue, where there is no instruction for it that keeps a zero's sign: on CUDA.
template <typename T>
struct RoundedValue {
  RoundedCoefficients<T> coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V x) const {
    return rounded_value(x, coefficients);
  }
};

template <typename T>
struct UnitValue {
  RoundedCoefficients<T> coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V x) const {
    return unit_value(x, coefficients);
  }
};

template <typename T>
struct GeneralValue {
  static constexpr bool is_general = true;
  RoundedCoefficients<T> coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V x) const {
    return general::value(x, coefficients);
  }
};

template <typename T>
struct Rectified {
  RoundedCoefficients<T> coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V x) const {
    return general::rectified(x, coefficients);
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
struct RoundedBackward {
  RoundedCoefficients<T> coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V grad_output, V x) const {
    return grad_output * rounded_slope(x, coefficients);
  }
};

template <typename T>
struct UnitBackward {
  RoundedCoefficients<T> coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V grad_output, V x) const {
    return grad_output * unit_slope(x, coefficients);
  }
};

template <typename T>
struct GeneralBackward {
  static constexpr bool is_general = true;
  RoundedCoefficients<T> coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V grad_output, V x) const {
    return grad_output * general::slope(x, coefficients);
  }
};

template <typename T>
struct RectifiedBackward {
  RoundedCoefficients<T> coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V grad_output, V x) const {
    return grad_output * general::rectified_slope(x, coefficients);
  }
};

template <typename T>
struct BackwardFromResult {
  RoundedCoefficients<T> coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V grad_output, V y) const {
    return grad_output * slope_from_result(y, coefficients);
  }
};

template <typename T>
struct PlusOneValue {
  RoundedCoefficients<T> coefficients;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V x) const {
    return plus_one(x, coefficients);
  }
};

template <typename T>
struct PlusOneBackward {
  template <typename V>
  TORCH_ELU_INLINE V operator()(V grad_output, V y) const {
    return grad_output * plus_one_slope(y);
  }
};

}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu

// The function, once, for every device and instruction set:
//
//   value(x) = x                      where x > 0
//              alpha * x / (1 - x)    elsewhere
//
// and its slope, from the input or from the result. V is a "number": float or double (number.h), or
// a SIMD vector of them (kernels/cpu/simd). To write another function, change what stands here, the
// curvature in dispatch/autograd.cpp, the formula in dispatch/fallback.cpp and tests/python/reference.py.
#pragma once

#include <limits>

#include "math/coefficients.h"
#include "math/number.h"

namespace torch_elu {
inline namespace TORCH_ELU_SIMD {

template <typename V, typename T>
TORCH_ELU_INLINE V value(V x, const Coefficients<T>& coefficients) {
  // Finite, since at -infinity the quotient would be NaN.
  const V clamped = at_least(x, V(std::numeric_limits<number_t<V>>::lowest()));
  const V quotient = clamped / (V(1) - clamped);
  return select(x > V(0), x, V(coefficients.alpha) * quotient);
}

// alpha / (1 - x)^2
template <typename V, typename T>
TORCH_ELU_INLINE V slope(V x, const Coefficients<T>& coefficients) {
  const V reciprocal = V(1) / (V(1) - x);
  return select(x > V(0), V(1), V(coefficients.alpha) * reciprocal * reciprocal);
}

// Of y = alpha x / (1 - x), so 1 / (1 - x) = (alpha + y) / alpha. For alpha > 0: then the sign of y
// tells the branch.
template <typename V, typename T>
TORCH_ELU_INLINE V slope_from_result(V y, const Coefficients<T>& coefficients) {
  const V alpha = V(coefficients.alpha), sum = alpha + y;
  return select(y > V(0), V(1), sum / alpha * sum);
}

}  // namespace TORCH_ELU_SIMD
}  // namespace torch_elu

// What the operators do with each element. Function objects, since a compiler may decide not to
// inline a lambda. They hold a copy of the coefficients: one that no store through a pointer to
// numbers can change, so that it stays in registers.
#pragma once

#include "extreme.h"
#include "formula.h"

namespace torch_elu {

template <typename number_t>
struct Value {
  Coefficients<number_t> k;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V x) const {
    return value(x, k);
  }
};

template <typename number_t>
struct Backward {
  Coefficients<number_t> k;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V grad_output, V x) const {
    return grad_output * slope(x, k);
  }
};

template <typename number_t>
struct BackwardFromResult {
  Coefficients<number_t> k;
  template <typename V>
  TORCH_ELU_INLINE V operator()(V grad_output, V y) const {
    return grad_output * slope_from_result(y, k);
  }
};

template <typename number_t>
struct ExtremeValue {
  Coefficients<number_t> k;
  TORCH_ELU_INLINE number_t operator()(number_t x) const { return extreme::value(x, k); }
};

template <typename number_t>
struct ExtremeBackward {
  Coefficients<number_t> k;
  TORCH_ELU_INLINE number_t operator()(number_t grad_output, number_t x) const {
    return grad_output * extreme::slope(x, k);
  }
};

}  // namespace torch_elu

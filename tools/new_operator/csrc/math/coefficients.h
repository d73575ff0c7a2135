// What a call gives the formula beside its tensors, made once on the host.
#pragma once

#include "math/number.h"

namespace torch_elu {

template <typename T>
struct Constants;

template <>
struct Constants<float> {
  static constexpr int mantissa_bits = 23;
};

template <>
struct Constants<double> {
  static constexpr int mantissa_bits = 52;
};

/// For elements of type T; plain data that CUDA kernels take by value.
template <typename T>
struct Coefficients {
  opmath_t<T> alpha;
};

}  // namespace torch_elu

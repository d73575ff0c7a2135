// The largest errors of formula.h, in units of the last place that the exact result has, counted
// from the coefficients as they were given, in double (CELU's input_scale as the double 1 / alpha).
// The tests read them from here, with the worst inputs that tests/cpp/largest_errors.cpp found.
//
// What the value's is made of: where n = -1 and x is just beyond half a step, the sum of all terms
// but the limit is half as large as the result or more, so its rounding costs up to half a unit,
// the last one another half, and the polynomial and its coefficients' rounding a tenth. The slope
// loses half a unit to the last rounding and a third to that of exp - 1.
#pragma once

namespace torch_elu::bounds {

template <typename number_t>
struct Bound;

template <>
struct Bound<float> {
  static constexpr double unit = 1.0;           // value and slope for alpha, scale, input_scale 1
  static constexpr double value = 1.2;          // for input_scale 1
  static constexpr double scaled_value = 1.35;  // for any other
  static constexpr double slope = 1.1;
  static constexpr double linear = 1.5;   // value for x > 0: scale is rounded, then the product
  static constexpr double general = 2.0;  // general.h, which rounds alpha * scale
  // Where x or the result is smaller than this, x times the rest of alpha * input_scale is lost to
  // the subnormals.
  static constexpr double tiny = 0x1p-120;
  static constexpr double value_of_tiny = 1.5;
};

template <>
struct Bound<double> : Bound<float> {
  static constexpr double value = 1.25;
  static constexpr double tiny = 0x1p-1000;
};

struct Found {
  double alpha, scale, input_scale;
  double x;
  double error;
};

// For float every float in [-128, -2^-30] / input_scale was tried for SELU, alpha 1.673, 0.3 and
// -0.7, CELU 0.3 and 3, and for 100 random alphas of ELU and 60 of CELU every one in [-1, -0.17] /
// input_scale and every 61st elsewhere; for double 200,000 numbers for 33 sets of coefficients, and
// 20 million of [-0.42, -0.2] for the two listed for values.
inline constexpr double selu_alpha = 0x1.ac5afad782cf1p+0, selu_scale = 0x1.0cfabd6a91132p+0;
inline constexpr Found float_values[] = {
    {selu_alpha, selu_scale, 1, -0x1.36e874p-2, 1.0070},
    {0x1.ac49ba5e353f8p+0, 1, 1, -0x1.61090ep-2, 1.0554},
    {0x1.ba6f9afb3bfdp+11, 1, 1, -0x1.5cf21p-2, 1.1336},
    {0x1.8p+1, 1, 0x1.5555555555555p-2, -0x1.0a0f5cp+0, 1.1261},
    {0x1.b7a929f8fbe54p+1, 1, 0x1.2a1ee882651dap-2, -0x1.2e02e8p+0, 1.2363},
    {0x1.057e7ee0a3046p+14, 1, 1, -0x1.f4761cp-127, 1.3575},  // tiny
};
inline constexpr Found float_slopes[] = {
    {selu_alpha, selu_scale, 1, -0x1.617edcp+6, 0.8797},
    {0x1.3333333333333p-2, 1, 1, -0x1.366ca8p+1, 0.9675},
    {-0x1.6666666666666p-1, 1, 1, -0x1.bb6e4ep+0, 1.0823},
    {0x1.d90997c6d8c13p+1, 1, 0x1.1515fba483127p-2, -0x1.eba34ap+1, 0.9923},
    {0x1.5fef638a88899p+0, 0x1.0dd524747f6f9p+2, 0x1.ec8ffa6c709d2p-1, -0x1.933fap+3, 1.0420},
};
inline constexpr Found double_values[] = {
    {3.79722954823536, 1, 1, -0x1.33dadabf3fe0ap-2, 1.1572},
    {0.7, 1.3, 1, -0x1.30f64a37b909bp-2, 1.2012},
};
inline constexpr Found double_slopes[] = {
    {-0.076135551827416298, 1, 1, -1.0349376732964934, 0.9785},
};

// Not the largest errors, but beyond the bound without the rest of alpha * scale: the one that
// float loses, and the one that the product loses in double.
inline constexpr Found float_values_by_rest[] = {
    {-0.7, 1, 1, -0x1.97b9fap-2, 0.2829},
};
inline constexpr Found double_values_by_rest[] = {
    {-0.3, 0.9, 1.1, -0x1.c981c00c3e9a5p-4, 0.6133},
};

}  // namespace torch_elu::bounds

// The largest errors of formula.h, in units of the last place that the exact result has, counted
// from the coefficients as they were given, in double (CELU's input_scale as the double 1 / alpha).
// The tests read them from here, with the worst inputs that tests/cpp/largest_errors.cpp found.
//
// What the value's is made of: where n = 0 and x is near half a step, r^2 q is a sixth of the
// result, and each of the four roundings on its way into it costs up to a sixth of a unit; the last
// one costs half. Where n = -1 and x is just beyond half a step, the sum of all terms but the limit
// is half as large as the result or more, and its rounding costs up to half a unit, too. The slope
// loses half a unit to the last rounding and a third to that of exp - 1.
#pragma once

namespace torch_elu::bounds {

template <typename number_t>
struct Bound;

template <>
struct Bound<float> {
  static constexpr double unit = 1.0;           // value and slope for alpha, scale, input_scale 1
  static constexpr double value = 1.1;          // for input_scale 1
  static constexpr double scaled_value = 1.25;  // for any other
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
  static constexpr double tiny = 0x1p-1000;
};

struct Found {
  double alpha, scale, input_scale;
  double x;
  double error;
};

// For float every float in [-128, -2^-30] / input_scale was tried for SELU, alpha 1.673, 0.3 and
// -0.7, CELU 0.3 and 3, and for 100 random alphas of ELU and 60 of CELU every one in [-1, -0.17] /
// input_scale and every 61st elsewhere, the same for 60 sets of all three; for double values at a
// million numbers in [-1, -0.1] / input_scale for 100 sets of each kind.
inline constexpr double selu_alpha = 0x1.ac5afad782cf1p+0, selu_scale = 0x1.0cfabd6a91132p+0;
inline constexpr Found float_values[] = {
    {selu_alpha, selu_scale, 1, -0x1.54d212p-2, 0.9663},
    {0x1.3333333333333p-2, 1, 1, -0x1.6ebd5ap-2, 0.9846},
    {-0x1.37d9e992962f2p-4, 1, 1, -0x1.6e682ap-2, 1.0555},
    {0x1.b7a929f8fbe54p+1, 1, 0x1.2a1ee882651dap-2, -0x1.2e1fbp+0, 1.1146},
    {0x1.5fef638a88899p+0, 0x1.0dd524747f6f9p+2, 0x1.ec8ffa6c709d2p-1, -0x1.ad2862p-2, 1.1851},
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
    {-0x1.37d9e992962f2p-4, 1, 1, -0x1.6b1398947cdeep-2, 1.0625},
    {0x1.ba6f9afb3bfdp+11, 1, 0x1.284033708efdep-12, -0x1.250f7152d9d51p+10, 1.1060},
    {0x1.9c6fa83994b49p-13, 0x1.0cf273efa109ep-1, 0x1.6737916da1876p-4, -0x1.ea66d5a9b4cfcp+1,
     1.1094},
};
inline constexpr Found double_slopes[] = {
    {-0.076135551827416298, 1, 1, -1.0349376732964934, 0.9785},
};

// Not the largest errors, but beyond the bound without the rest of alpha * scale: the one that
// float loses, and the one that the product loses in double.
inline constexpr Found float_values_by_rest[] = {
    {-0.7, 1, 1, -0x1.9d3e96p-2, 0.3701},
};
inline constexpr Found double_values_by_rest[] = {
    {-0.3, 0.9, 1.1, -0x1.9352fdd4a5a3fp-2, 0.3931},
};

}  // namespace torch_elu::bounds

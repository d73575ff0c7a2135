#pragma once

namespace torch_elu {

// arXiv:1706.02515, Appendix 1: the fixed point of mean 0 and variance 1.
constexpr double kSeluAlpha = 1.6732632423543772848170429916717;
constexpr double kSeluScale = 1.0507009873554804934193349852946;

}  // namespace torch_elu

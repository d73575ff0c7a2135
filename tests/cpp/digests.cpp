// Prints a digest of the results of each operation and type, for each instruction set there is: to
// compare between processors. NaN counts as one value.
#include <cmath>
#include <cstdio>

#include "reference.h"

namespace torch_elu::cpu {
namespace {

std::uint64_t mixed(std::uint64_t digest, std::uint64_t bits) {
  digest = (digest ^ bits) * 0x9e3779b97f4a7c15;
  return digest ^ digest >> 29;
}

std::uint64_t canonical(float x) { return std::isnan(x) ? 1 : std::bit_cast<std::uint32_t>(x); }
std::uint64_t canonical(double x) { return std::isnan(x) ? 1 : std::bit_cast<std::uint64_t>(x); }
std::uint64_t canonical(Float16 x) { return (x.bits & 0x7fff) > 0x7c00 ? 0xffff : x.bits; }
std::uint64_t canonical(BFloat16 x) { return (x.bits & 0x7fff) > 0x7f80 ? 0xffff : x.bits; }

template <typename T>
T one() {
  if constexpr (sizeof(T) == 2) {
    return T{static_cast<std::uint16_t>(std::is_same_v<T, Float16> ? 0x3c00 : 0x3f80)};
  } else {
    return 1;
  }
}

constexpr std::ptrdiff_t chunk = 1024;

template <typename T>
std::uint64_t digest(const Kernels<T>& kernels, const reference::Parameters& p) {
  const Coefficients<T> coefficients(p.alpha, p.scale, p.input_scale);
  std::uint64_t result = sizeof(T), step = 0;
  T x[chunk], y[chunk], ones[chunk], slope[chunk], slope_from_result[chunk];
  std::fill(ones, ones + chunk, one<T>());
  for (int start = 0; start < 65536 * (sizeof(T) == 2 ? 1 : 4); start += chunk) {
    for (std::ptrdiff_t i = 0; i < chunk; ++i) {
      if constexpr (sizeof(T) == 2) {
        x[i].bits = static_cast<std::uint16_t>(start + i);
      } else if (i % 2) {
        x[i] = std::bit_cast<T>(
            static_cast<std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>(
                step += 0x9e3779b97f4a7c15));
      } else {  // evenly in [-128, 0]
        x[i] = static_cast<T>(static_cast<double>(step += 0x9e3779b97f4a7c15) * -0x1p-57);
      }
    }
    (p.plus_one ? kernels.plus_one : kernels.forward)(y, 1, x, 1, chunk, coefficients,
                                                      Store::cached);
    kernels.backward_from_input(slope, 1, ones, 1, x, 1, chunk, coefficients, Store::cached);
    (p.plus_one ? kernels.plus_one_backward : kernels.backward_from_result)(
        slope_from_result, 1, ones, 1, y, 1, chunk, coefficients, Store::cached);
    for (std::ptrdiff_t i = 0; i < chunk; ++i) {
      result = mixed(mixed(mixed(result, canonical(y[i])), canonical(slope[i])),
                     canonical(slope_from_result[i]));
    }
  }
  return result;
}

template <typename T>
void print(const char* type, Kernels<T> KernelTable::*kernels) {
  auto parameters = reference::parameters();
  parameters.push_back(reference::plus_one);
  for (const auto& p : reference::general_parameters()) parameters.push_back(p);
  for (const auto& p : parameters) {
    std::printf("%-9s%-28s", type, p.name.c_str());
    for (const auto* table : reference::kernel_tables()) {
      const auto value = digest(table->*kernels, p);
      std::printf(" %s %016llx", table->name, static_cast<unsigned long long>(value));
    }
    std::puts("");
  }
}

}  // namespace
}  // namespace torch_elu::cpu

int main() {
  using torch_elu::cpu::KernelTable;
  torch_elu::cpu::print("float32", &KernelTable::float32);
  torch_elu::cpu::print("float64", &KernelTable::float64);
  torch_elu::cpu::print("float16", &KernelTable::float16);
  torch_elu::cpu::print("bfloat16", &KernelTable::bfloat16);
}

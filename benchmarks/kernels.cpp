// The bare kernels, one thread, against memcpy: --benchmark_filter=avx2/float32 and so on. Built
// with the C++ tests, where Google Benchmark is installed.
#include "kernels/cpu/kernels.h"

#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

#include "../tests/cpp/reference.h"

namespace torch_elu::cpu {
namespace {

// Of both signs: 0.01 apart in [-3, 3], for the halves some powers of two around 1.
template <typename T>
std::vector<T> inputs(std::size_t n);

template <>
std::vector<float> inputs(std::size_t n) {
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = 0.01f * static_cast<float>(i * 7919 % 601) - 3;
  return x;
}

template <>
std::vector<double> inputs(std::size_t n) {
  const auto x = inputs<float>(n);
  return {x.begin(), x.end()};
}

template <>
std::vector<BFloat16> inputs(std::size_t n) {
  std::vector<BFloat16> x(n);
  for (std::size_t i = 0; i < n; ++i) {
    x[i].bits = static_cast<std::uint16_t>((i & 1) << 15 | (0x3e00 + i * 7919 % 0x240));
  }
  return x;
}

template <>
std::vector<Float16> inputs(std::size_t n) {
  std::vector<Float16> x(n);
  for (std::size_t i = 0; i < n; ++i) {
    x[i].bits = static_cast<std::uint16_t>((i & 1) << 15 | (0x2c00 + i * 7919 % 0x1600));
  }
  return x;
}

// The time of one element, in nanoseconds.
void per_element(benchmark::State& state, std::int64_t n) {
  state.SetItemsProcessed(state.iterations() * n);
  state.counters["ns"] = benchmark::Counter(
      static_cast<double>(n) * 1e-9,
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

template <typename T>
void copy(benchmark::State& state) {
  const auto n = state.range(0);
  const auto x = inputs<T>(static_cast<std::size_t>(n));
  std::vector<T> out(x.size());
  for (auto _ : state) {
    std::memcpy(out.data(), x.data(), x.size() * sizeof(T));
    benchmark::ClobberMemory();
  }
  per_element(state, n);
}

template <typename T>
void forward(benchmark::State& state, const Kernels<T>& kernels, std::ptrdiff_t stride,
             double alpha, double input_scale) {
  const auto n = state.range(0);
  const auto x = inputs<T>(static_cast<std::size_t>(n * stride));
  std::vector<T> out(x.size());
  const Coefficients<T> coefficients(alpha, 1, input_scale);
  const Store store = n * sizeof(T) > (std::size_t{16} << 20) ? Store::streaming : Store::cached;
  for (auto _ : state) {
    kernels.forward(out.data(), stride, x.data(), stride, n, coefficients, store);
    benchmark::ClobberMemory();
  }
  per_element(state, n);
}

template <typename T>
void backward(benchmark::State& state, const Kernels<T>& kernels, bool from_result,
              double alpha = 1) {
  const auto n = state.range(0);
  const auto x = inputs<T>(static_cast<std::size_t>(n));
  const auto& grad = x;
  std::vector<T> out(x.size());
  const Coefficients<T> coefficients(alpha, 1, 1);
  const auto kernel = from_result ? kernels.backward_from_result : kernels.backward_from_input;
  for (auto _ : state) {
    kernel(out.data(), 1, grad.data(), 1, x.data(), 1, n, coefficients, Store::cached);
    benchmark::ClobberMemory();
  }
  per_element(state, n);
}

template <typename T>
void add(const std::string& table, const std::string& type, const Kernels<T>& kernels) {
  const std::string name = table + "/" + type + "/";
  const auto sizes = [](auto* benchmark) { benchmark->Arg(16)->Arg(1 << 16)->Arg(1 << 24); };
  const auto middle = [](auto* benchmark) { benchmark->Arg(1 << 16); };
  const auto run = [&](const char* what, const auto& apply, const auto& function) {
    apply(benchmark::RegisterBenchmark((name + what).c_str(), function));
  };
  run("copy", sizes, copy<T>);
  run("forward", sizes, [=](auto& state) { forward(state, kernels, 1, 1, 1); });
  run("forward_alpha", middle, [=](auto& state) { forward(state, kernels, 1, 0.3, 1); });
  run("forward_every_second", middle, [=](auto& state) { forward(state, kernels, 2, 1, 1); });
  run("forward_general", middle, [=](auto& state) { forward(state, kernels, 1, -1, -1); });
  run("backward", sizes, [=](auto& state) { backward(state, kernels, false); });
  run("backward_alpha", middle, [=](auto& state) { backward(state, kernels, false, 0.3); });
  run("backward_from_result", middle, [=](auto& state) { backward(state, kernels, true); });
}

}  // namespace
}  // namespace torch_elu::cpu

int main(int count, char** arguments) {
  for (const auto* table : torch_elu::reference::kernel_tables()) {
    torch_elu::cpu::add(table->name, "float32", table->float32);
    torch_elu::cpu::add(table->name, "float16", table->float16);
    torch_elu::cpu::add(table->name, "bfloat16", table->bfloat16);
    torch_elu::cpu::add(table->name, "float64", table->float64);
  }
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}

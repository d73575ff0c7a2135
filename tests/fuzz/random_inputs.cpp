// Runs a fuzzer on so many random inputs, the same each time, without libFuzzer: for compilers that
// have none.
//   operator_fuzzer 20000

#include <array>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: " << arguments[0] << " number_of_inputs\n";
    return 2;
  }
  const long inputs = std::atol(arguments[1]);
  std::mt19937_64 random(2015);
  std::array<std::uint8_t, 96> bytes{};
  for (long i = 0; i < inputs; ++i) {
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::cout << inputs << " inputs\n";
}

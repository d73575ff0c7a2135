// Reads choices out of a fuzzer's bytes; when they run out, each is the first one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace torch_elu::fuzz {

class Choices {
 public:
  explicit Choices(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  // Below `count`, which is at most 256.
  int64_t below(int64_t count) { return number<std::uint8_t>() % count; }
  bool one_in(int64_t count) { return below(count) == count - 1; }

  template <typename T, std::size_t count>
  T one_of(const T (&values)[count]) {
    return values[below(count)];
  }

  // Of any bits.
  template <typename T>
  T number() {
    T value{};
    const std::size_t count = std::min(sizeof(T), bytes_.size());
    std::memcpy(&value, bytes_.data(), count);
    bytes_ = bytes_.subspan(count);
    return value;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace torch_elu::fuzz

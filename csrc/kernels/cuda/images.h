// Which devices can run the kernels.
#pragma once

#include <string_view>

namespace torch_elu::cuda {

// Whether code for `architectures`, as CMake writes them ("80-real 90a-real 120"), runs on a device
// of this compute capability: machine code on its major version from its minor version on, or, with
// "a", on it alone; what is not "-real" comes with PTX, which the driver compiles for any newer
// one.
constexpr bool have_image(std::string_view architectures, int major, int minor) {
  const int capability = major * 10 + minor;
  while (!architectures.empty()) {
    const std::string_view entry = architectures.substr(0, architectures.find(' '));
    architectures.remove_prefix(entry.size() + (entry.size() < architectures.size() ? 1 : 0));
    int number = 0;
    for (const char digit : entry.substr(0, entry.find_first_not_of("0123456789"))) {
      number = number * 10 + (digit - '0');
    }
    const bool is_exact = entry.find('a') == entry.find_first_not_of("0123456789") &&
                          entry.find('a') != std::string_view::npos;
    const bool is_of_its_major = !entry.ends_with("-real") || number / 10 == major;
    if (is_exact ? capability == number : capability >= number && is_of_its_major) {
      return true;
    }
  }
  return false;
}

}  // namespace torch_elu::cuda

#pragma once

// Which devices run the kernels, and what the others get.

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/cuda/CUDAContextLight.h>
#include <c10/core/Device.h>
#include <c10/core/DispatchKeySet.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "kernels/cuda/images.h"

namespace torch_elu {

inline bool have_image(c10::DeviceIndex device) {
  const cudaDeviceProp& properties = *at::cuda::getDeviceProperties(device);
  return cuda::have_image(TORCH_ELU_CUDA_ARCHITECTURES, properties.major, properties.minor);
}

// A device for which nothing here was compiled gets what a backend without kernels gets, PyTorch's
// own elu: PrivateUse3 is such a backend.
template <typename Result, typename First, typename... Rest>
auto or_fallback(const char* name, Result (*kernel)(First, Rest...)) {
  const std::string_view full_name = name;
  const auto dot = std::min(full_name.find('.'), full_name.size());
  const std::string qualified = "torch_elu::" + std::string(full_name.substr(0, dot));
  const std::string overload(full_name.substr(std::min(dot + 1, full_name.size())));
  return [=](First first, Rest... rest) -> Result {
    if (!first.is_cuda() || have_image(first.get_device())) {
      return kernel(first, rest...);
    }
    return c10::Dispatcher::singleton()
        .findSchemaOrThrow(qualified.c_str(), overload.c_str())
        .template typed<Result(First, Rest...)>()
        .redispatch(c10::DispatchKeySet(c10::DispatchKey::PrivateUse3), first, rest...);
  };
}

}  // namespace torch_elu

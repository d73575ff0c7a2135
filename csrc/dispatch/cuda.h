#pragma once

// The CUDA kernels over operands that an iterator holds ready: for PyTorch's own operators.

#include <ATen/native/Activation.h>
#include <c10/core/Device.h>
#include <torch_elu/export.h>

#include <atomic>

namespace torch_elu {

struct StubKernels {
  at::native::elu_fn elu;
  at::native::elu_backward_fn elu_backward;
  bool (*run_on)(c10::DeviceIndex) = nullptr;  // null: on every device
};

/// Null until the CUDA kernels are loaded. All operands are on one GPU and of one dtype.
extern TORCH_ELU_API std::atomic<const StubKernels*> cuda_stub_kernels;

}  // namespace torch_elu

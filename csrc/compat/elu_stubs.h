// The pointers through which aten::elu and its backward call PyTorch's kernel for the CPU, after
// dispatch, checks and allocation. They are atomic and public members of a private one; 2.11 to
// 2.15 have them, and another version that has not does not compile here.
#pragma once

#include <ATen/native/Activation.h>

#include <atomic>

namespace torch_elu::compat {

// An explicit instantiation may name private members.
template <typename Stub, auto impl>
struct Expose {
  friend std::atomic<void*>& cpu_kernel(Stub& stub) { return (stub.*impl).cpu_dispatch_ptr; }
};

using EluStub = decltype(at::native::elu_stub);
using EluBackwardStub = decltype(at::native::elu_backward_stub);
template struct Expose<EluStub, &EluStub::impl>;
template struct Expose<EluBackwardStub, &EluBackwardStub::impl>;

std::atomic<void*>& cpu_kernel(EluStub& stub);
std::atomic<void*>& cpu_kernel(EluBackwardStub& stub);

}  // namespace torch_elu::compat

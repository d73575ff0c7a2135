// The CPU kernels under PyTorch's own operators: an override exchanges the pointers by which those
// call PyTorch's kernels. The dispatcher is not involved, and a call outside an override takes the
// same instructions as without this library.

#include <ATen/EmptyTensor.h>
#include <ATen/TensorIterator.h>
#include <ATen/native/Activation.h>
#include <ATen/ops/elu_backward_cpu_dispatch.h>
#include <ATen/ops/elu_cpu_dispatch.h>
#include <torch_elu/override_aten.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "dispatch/cpu.h"
#include "dispatch/operands.h"

namespace torch_elu {
namespace {

// PyTorch's kernel for the CPU is called through `stub.impl.cpu_dispatch_ptr`, which is atomic, and
// read in every call. `impl` is private, but an explicit instantiation may name private members. A
// PyTorch without these members does not compile here; 2.11 to 2.15 have them.
template <typename Stub, auto impl>
struct Expose {
  friend std::atomic<void*>& cpu_pointer(Stub& stub) { return (stub.*impl).cpu_dispatch_ptr; }
};

using EluStub = decltype(at::native::elu_stub);
using EluBackwardStub = decltype(at::native::elu_backward_stub);
template struct Expose<EluStub, &EluStub::impl>;
template struct Expose<EluBackwardStub, &EluBackwardStub::impl>;
std::atomic<void*>& cpu_pointer(EluStub& stub);
std::atomic<void*>& cpu_pointer(EluBackwardStub& stub);

struct Kernels {
  at::native::elu_fn elu;
  at::native::elu_backward_fn elu_backward;
};

// PyTorch stores its pointers in the first call of a process, and would overwrite ours if that call
// ran on another thread. So it is made when this library is loaded, below the dispatcher.
const Kernels pytorchs = [] {
  const at::Tensor empty(
      at::detail::empty_cpu({0}, at::kFloat, /*pin_memory=*/false, std::nullopt));
  at::cpu::elu_backward(empty, 1, 1, 1, /*is_result=*/false, at::cpu::elu(empty));
  return Kernels{reinterpret_cast<at::native::elu_fn>(cpu_pointer(at::native::elu_stub).load()),
                 reinterpret_cast<at::native::elu_backward_fn>(
                     cpu_pointer(at::native::elu_backward_stub).load())};
}();

// What our kernels do not take goes to PyTorch's, and ends in its errors.
bool is_ours(const at::TensorIteratorBase& iter, const at::Scalar& alpha, const at::Scalar& scale,
             const at::Scalar& input_scale) {
  const auto dtype = iter.common_dtype();
  const auto is_in_range = [&](const at::Scalar& coefficient) {
    return !coefficient.isComplex() &&
           (dtype == at::kDouble || fits<float>(coefficient.toDouble()));
  };
  return is_supported(dtype) && is_in_range(alpha) && is_in_range(scale) &&
         is_in_range(input_scale);
}

void elu(at::TensorIteratorBase& iter, const at::Scalar& alpha, const at::Scalar& scale,
         const at::Scalar& input_scale) {
  const bool ours = is_ours(iter, alpha, scale, input_scale);
  (ours ? elu_kernel : pytorchs.elu)(iter, alpha, scale, input_scale);
}

// PyTorch finds a gradient from the result of a negative scale or input_scale, too.
void elu_backward(at::TensorIteratorBase& iter, const at::Scalar& alpha, const at::Scalar& scale,
                  const at::Scalar& input_scale, bool is_result) {
  const bool ours = is_ours(iter, alpha, scale, input_scale) &&
                    (!is_result || is_result_enough(alpha, scale, input_scale));
  (ours ? elu_backward_kernel : pytorchs.elu_backward)(iter, alpha, scale, input_scale, is_result);
}

void run(const Kernels& kernels) {
  cpu_pointer(at::native::elu_stub).store(reinterpret_cast<void*>(kernels.elu));
  cpu_pointer(at::native::elu_backward_stub).store(reinterpret_cast<void*>(kernels.elu_backward));
}

std::mutex mutex;
int overrides = 0;  // in force now

void begin() {
  const std::lock_guard lock(mutex);
  if (overrides++ == 0) {
    run({elu, elu_backward});
  }
}

void end() {
  const std::lock_guard lock(mutex);
  if (--overrides == 0) {
    run(pytorchs);
  }
}

std::shared_ptr<void> begin_override() {
  begin();
  return {nullptr, [](void* /*none*/) { end(); }};
}

}  // namespace

OverrideAten::OverrideAten() : override_(begin_override()) {}

}  // namespace torch_elu

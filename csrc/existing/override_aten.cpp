// Our kernels under PyTorch's own operators: an override exchanges the pointers by which those
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
#include "dispatch/cuda.h"
#include "dispatch/operands.h"

namespace torch_elu {

std::atomic<const StubKernels*> cuda_stub_kernels;

namespace {

// PyTorch's kernel for the CPU is called through `stub.impl.cpu_dispatch_ptr`, which is atomic, and
// read in every call. `impl` is private, but an explicit instantiation may name private members. A
// PyTorch without these members does not compile here; 2.11 to 2.15 have them.
template <typename Stub, auto impl>
struct Expose {
  friend std::atomic<void*>& cpu_pointer(Stub& stub) { return (stub.*impl).cpu_dispatch_ptr; }
  friend std::atomic_ref<void*> cuda_pointer(Stub& stub) {
    return std::atomic_ref((stub.*impl).cuda_dispatch_ptr);
  }
};

using EluStub = decltype(at::native::elu_stub);
using EluBackwardStub = decltype(at::native::elu_backward_stub);
template struct Expose<EluStub, &EluStub::impl>;
template struct Expose<EluBackwardStub, &EluBackwardStub::impl>;
std::atomic<void*>& cpu_pointer(EluStub& stub);
std::atomic<void*>& cpu_pointer(EluBackwardStub& stub);
std::atomic_ref<void*> cuda_pointer(EluStub& stub);
std::atomic_ref<void*> cuda_pointer(EluBackwardStub& stub);

// PyTorch stores its pointers in the first call of a process, and would overwrite ours if that call
// ran on another thread. So it is made when this library is loaded, below the dispatcher.
const StubKernels pytorchs = [] {
  const at::Tensor empty(
      at::detail::empty_cpu({0}, at::kFloat, /*pin_memory=*/false, std::nullopt));
  at::cpu::elu_backward(empty, 1, 1, 1, /*is_result=*/false, at::cpu::elu(empty));
  return StubKernels{reinterpret_cast<at::native::elu_fn>(cpu_pointer(at::native::elu_stub).load()),
                     reinterpret_cast<at::native::elu_backward_fn>(
                         cpu_pointer(at::native::elu_backward_stub).load()),
                     nullptr};
}();

// Those for CUDA, which loading libtorch_cuda stores: found when the first override begins.
StubKernels pytorchs_cuda{};

// What our kernels do not take goes to PyTorch's, and ends in its errors. On a GPU it is left to
// the kernel to convert operands, and to read a number that is on the CPU.
bool is_ours(const StubKernels& ours, const at::TensorIteratorBase& iter, const at::Scalar& alpha,
             const at::Scalar& scale, const at::Scalar& input_scale) {
  if (ours.run_on != nullptr && !ours.run_on(iter.device(0).index())) {
    return false;
  }
  const auto dtype = iter.common_dtype();
  for (int operand = 0; operand < iter.ntensors(); ++operand) {
    if (iter.dtype(operand) != dtype || iter.device(operand) != iter.device(0)) {
      return false;
    }
  }
  const auto is_in_range = [&](const at::Scalar& coefficient) {
    return !coefficient.isComplex() &&
           (dtype == at::kDouble || fits<float>(coefficient.toDouble()));
  };
  return is_supported(dtype) && is_in_range(alpha) && is_in_range(scale) &&
         is_in_range(input_scale);
}

StubKernels on_cpu() { return {elu_kernel, elu_backward_kernel, nullptr}; }
StubKernels on_cuda() { return *cuda_stub_kernels.load(); }

template <StubKernels (*ours)(), const StubKernels& theirs>
void elu(at::TensorIteratorBase& iter, const at::Scalar& alpha, const at::Scalar& scale,
         const at::Scalar& input_scale) {
  const auto kernel = is_ours(ours(), iter, alpha, scale, input_scale) ? ours().elu : theirs.elu;
  kernel(iter, alpha, scale, input_scale);
}

// PyTorch finds a gradient from the result of a negative scale or input_scale, too.
template <StubKernels (*ours)(), const StubKernels& theirs>
void elu_backward(at::TensorIteratorBase& iter, const at::Scalar& alpha, const at::Scalar& scale,
                  const at::Scalar& input_scale, bool is_result) {
  const bool is_enough = !is_result || is_result_enough(alpha, scale, input_scale);
  const auto kernel = is_enough && is_ours(ours(), iter, alpha, scale, input_scale)
                          ? ours().elu_backward
                          : theirs.elu_backward;
  kernel(iter, alpha, scale, input_scale, is_result);
}

void run(const StubKernels& kernels) {
  cpu_pointer(at::native::elu_stub).store(reinterpret_cast<void*>(kernels.elu));
  cpu_pointer(at::native::elu_backward_stub).store(reinterpret_cast<void*>(kernels.elu_backward));
}

// PyTorch reads these without a lock, as one word each.
void run_on_cuda(const StubKernels& kernels) {
  cuda_pointer(at::native::elu_stub).store(reinterpret_cast<void*>(kernels.elu));
  cuda_pointer(at::native::elu_backward_stub).store(reinterpret_cast<void*>(kernels.elu_backward));
}

std::mutex mutex;
int overrides = 0, overrides_of_cuda = 0;  // in force now

void begin(bool cuda) {
  const std::lock_guard lock(mutex);
  if (overrides++ == 0) {
    run({elu<on_cpu, pytorchs>, elu_backward<on_cpu, pytorchs>, nullptr});
  }
  if (cuda && overrides_of_cuda++ == 0) {
    pytorchs_cuda = {
        reinterpret_cast<at::native::elu_fn>(cuda_pointer(at::native::elu_stub).load()),
        reinterpret_cast<at::native::elu_backward_fn>(
            cuda_pointer(at::native::elu_backward_stub).load()),
        nullptr};
    run_on_cuda({elu<on_cuda, pytorchs_cuda>, elu_backward<on_cuda, pytorchs_cuda>, nullptr});
  }
}

void end(bool cuda) {
  const std::lock_guard lock(mutex);
  if (--overrides == 0) {
    run(pytorchs);
  }
  if (cuda && --overrides_of_cuda == 0) {
    run_on_cuda(pytorchs_cuda);
  }
}

std::shared_ptr<void> begin_override(bool cuda) {
  TORCH_CHECK(
      !cuda || cuda_stub_kernels.load() != nullptr,
      "override_aten: expected CUDA kernels of torch_elu for cuda=true, but there are none "
      "in this process. Install a build that has them (python -m torch_elu tells), or leave "
      "cuda out: CUDA tensors then keep PyTorch's kernels.");
  begin(cuda);
  return {nullptr, [cuda](void* /*none*/) { end(cuda); }};
}

}  // namespace

OverrideAten::OverrideAten(const OverrideAtenOptions& options)
    : override_(begin_override(options.cuda())) {}

}  // namespace torch_elu

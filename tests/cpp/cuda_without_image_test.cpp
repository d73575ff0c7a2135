// A CUDA device that the kernels were not compiled for gets PyTorch's own elu. No GPU is needed:
// this program says itself what a device can do, and stands in for PyTorch's kernels.

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/Storage.h>
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <torch/library.h>
#include <torch_elu/functional.h>

#include <utility>

#include "kernels/cuda/images.h"

namespace {

cudaDeviceProp reported = {};
int calls = 0;  // of PyTorch's own

at::Tensor pytorchs_elu(const at::Tensor& self, const at::Scalar& /*alpha*/,
                        const at::Scalar& /*scale*/, const at::Scalar& /*input_scale*/) {
  ++calls;
  return self;
}

at::Tensor& pytorchs_elu_inplace(at::Tensor& self, const at::Scalar& /*alpha*/,
                                 const at::Scalar& /*scale*/, const at::Scalar& /*input_scale*/) {
  ++calls;
  return self;
}

at::Tensor& pytorchs_elu_out(const at::Tensor& /*self*/, const at::Scalar& /*alpha*/,
                             const at::Scalar& /*scale*/, const at::Scalar& /*input_scale*/,
                             at::Tensor& out) {
  ++calls;
  return out;
}

at::Tensor pytorchs_elu_backward(const at::Tensor& grad_output, const at::Scalar& /*alpha*/,
                                 const at::Scalar& /*scale*/, const at::Scalar& /*input_scale*/,
                                 bool /*is_result*/, const at::Tensor& /*self_or_result*/) {
  ++calls;
  return grad_output;
}

TORCH_LIBRARY_IMPL(aten, CUDA, m) {
  m.impl("elu", &pytorchs_elu);
  m.impl("elu_", &pytorchs_elu_inplace);
  m.impl("elu.out", &pytorchs_elu_out);
  m.impl("elu_backward", &pytorchs_elu_backward);
}

// Says that it is on a GPU, where nothing looks at its memory.
at::Tensor tensor_on_gpu() {
  static float memory[4] = {};
  c10::DataPtr data(memory, c10::Device(c10::kCUDA, 0));
  c10::Storage storage(c10::Storage::use_byte_size_t(), sizeof(memory), std::move(data));
  at::Tensor tensor = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(c10::DispatchKey::CUDA),
      caffe2::TypeMeta::Make<float>());
  tensor.unsafeGetTensorImpl()->set_sizes_contiguous({4});
  return tensor;
}

TEST(CudaWithoutImage, EveryOperatorIsPytorchs) {
  int tested = 0;
  for (const auto& [major, minor] : {std::pair(5, 2), {7, 5}, {11, 0}}) {
    if (torch_elu::cuda::have_image(ARCHITECTURES, major, minor)) {
      continue;  // this build has code for it
    }
    ++tested;
    reported.major = major;
    reported.minor = minor;
    calls = 0;
    at::Tensor x = tensor_on_gpu();
    EXPECT_TRUE(torch_elu::elu(x, 0.5).is_same(x));
    EXPECT_TRUE(torch_elu::elu_(x).is_same(x));
    EXPECT_TRUE(torch_elu::elu_out(x, x).is_same(x));
    EXPECT_TRUE(torch_elu::elu_backward(x, 1, 1, 1, false, x).is_same(x));
    EXPECT_EQ(calls, 4) << major << "." << minor;
  }
  EXPECT_GE(tested, 1);
}

}  // namespace

namespace at::cuda {
// Ours, in place of the one in libtorch_cuda.
__attribute__((visibility("default"))) cudaDeviceProp* getDeviceProperties(
    c10::DeviceIndex /*device*/) {
  return &reported;
}
}  // namespace at::cuda

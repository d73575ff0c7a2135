// The guard that puts this library's kernels under PyTorch's own operators.

#include <ATen/TensorIterator.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/native/Activation.h>
#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/torch.h>
#include <torch_elu/torch_elu.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "dispatch/cuda.h"

namespace {

// Some of these values and slopes are rounded otherwise by PyTorch's kernels.
torch::Tensor make_input() { return torch::linspace(-8, 2, 30000); }

bool runs_ours() {
  const auto x = make_input();
  return torch::equal(torch::elu(x), torch_elu::elu(x));
}

TEST(OverrideAten, PyTorchsFunctionsRunOurKernelsInItsScopeOnly) {
  const auto x = make_input();
  ASSERT_FALSE(runs_ours());
  {
    const torch_elu::OverrideAten override_aten;
    EXPECT_TRUE(torch::equal(torch::elu(x, 0.3), torch_elu::elu(x, 0.3)));
    EXPECT_TRUE(torch::equal(torch::selu(x), torch_elu::selu(x)));
    EXPECT_TRUE(torch::equal(torch::celu(x, 0.7), torch_elu::celu(x, 0.7)));
    auto in_place = x.clone();
    torch::elu_(in_place, 0.3);
    EXPECT_TRUE(torch::equal(in_place, torch_elu::elu(x, 0.3)));
    auto out = torch::empty({0});
    torch::elu_out(out, x, 0.3);
    EXPECT_TRUE(torch::equal(out, torch_elu::elu(x, 0.3)));
    EXPECT_TRUE(torch::equal(torch::nn::ELU()(x), torch_elu::elu(x)));
  }
  EXPECT_FALSE(runs_ours());
}

TEST(OverrideAten, GradientsComeFromOurKernels) {
  const auto x = make_input().requires_grad_();
  const auto slope =
      torch_elu::elu_backward(torch::ones_like(x), 0.3, 1, 1, /*is_result=*/false, x.detach());
  const auto gradient = [&] { return torch::autograd::grad({torch::elu(x, 0.3).sum()}, {x})[0]; };
  EXPECT_FALSE(torch::equal(gradient(), slope));
  const torch_elu::OverrideAten override_aten;
  EXPECT_TRUE(torch::equal(gradient(), slope));
}

TEST(OverrideAten, GuardsNestMoveAndEndInAnyOrder) {
  auto first = std::make_unique<torch_elu::OverrideAten>();
  torch_elu::OverrideAten second;
  first.reset();
  EXPECT_TRUE(runs_ours());
  {
    const torch_elu::OverrideAten moved = std::move(second);
    EXPECT_TRUE(runs_ours());
  }
  EXPECT_FALSE(runs_ours());
}

TEST(OverrideAten, GuardsOnManyThreadsShareOneRegistration) {
  const torch_elu::OverrideAten outermost;
  std::vector<std::thread> threads;
  std::atomic<int> count = 0;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        const torch_elu::OverrideAten override_aten;
        count += static_cast<int>(runs_ours());
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(count, 200);
}

TEST(OverrideAten, BeginsAndEndsWhileThreadsRunElu) {
  const auto elu = c10::Dispatcher::singleton().findSchemaOrThrow("aten::elu", "");
  const auto table = elu.dumpComputedTable();
  const auto x = make_input();
  const auto pytorchs = torch::elu(x);
  const auto ours = torch_elu::elu(x);
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 2; ++thread) {
    threads.emplace_back([&] {
      while (!done) {
        const auto y = torch::elu(x);
        wrong += static_cast<int>(!torch::equal(y, pytorchs) && !torch::equal(y, ours));
      }
    });
  }
  for (int round = 0; round < 20; ++round) {
    {
      const torch_elu::OverrideAten override_aten;
      EXPECT_EQ(elu.dumpComputedTable(), table);
      EXPECT_TRUE(runs_ours());
    }
    EXPECT_EQ(elu.dumpComputedTable(), table);
    EXPECT_FALSE(runs_ours());
  }
  done = true;
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, 0);
}

TEST(OverrideAten, ErrorsStayPyTorchs) {
  const auto integers = torch::ones({3}, torch::kInt);
  const auto message = [&]() -> std::string {
    try {
      torch::elu(integers);
    } catch (const c10::NotImplementedError& error) {
      return error.what_without_backtrace();
    }
    return "";
  };
  const auto expected = message();
  EXPECT_FALSE(expected.empty());
  const torch_elu::OverrideAten override_aten;
  EXPECT_EQ(message(), expected);
}

// Where PyTorch finds its CUDA kernel.
template <auto impl>
struct Expose {
  friend void*& cuda_pointer() { return (at::native::elu_stub.*impl).cuda_dispatch_ptr; }
};
template struct Expose<&decltype(at::native::elu_stub)::impl>;
void*& cuda_pointer();

int calls_of_ours = 0, calls_of_pytorchs = 0;

template <int& calls>
void count(at::TensorIteratorBase& /*iter*/, const at::Scalar& /*alpha*/,
           const at::Scalar& /*scale*/, const at::Scalar& /*input_scale*/) {
  ++calls;
}

// With kernels that only count, so without a GPU.
TEST(OverrideAten, CudaKernelsAreExchangedWhereThatIsAskedFor) {
  const auto options = torch_elu::OverrideAtenOptions().cuda(true);
  const auto* const loaded = torch_elu::cuda_stub_kernels.exchange(nullptr);
  EXPECT_THROW(const torch_elu::OverrideAten refused(options), c10::Error);
  EXPECT_FALSE(runs_ours());

  const torch_elu::StubKernels counting{count<calls_of_ours>, nullptr};
  torch_elu::cuda_stub_kernels = &counting;
  void* const before =
      std::exchange(cuda_pointer(), reinterpret_cast<void*>(count<calls_of_pytorchs>));
  const auto expect_call = [](int& calls, const torch::Tensor& out, const torch::Tensor& x,
                              double alpha) {
    auto iter = at::TensorIteratorConfig()
                    .add_output(out)
                    .add_const_input(x)
                    .promote_inputs_to_common_dtype(true)
                    .check_all_same_dtype(false)
                    .build();
    const int calls_before = calls;
    reinterpret_cast<at::native::elu_fn>(cuda_pointer())(iter, alpha, 1, 1);
    EXPECT_EQ(calls, calls_before + 1);
  };
  const auto x = make_input(), meta = x.to(torch::kMeta);
  {
    const torch_elu::OverrideAten of_the_cpu;
    expect_call(calls_of_pytorchs, torch::empty_like(x), x, 1);
    auto first = std::make_unique<torch_elu::OverrideAten>(options);
    expect_call(calls_of_ours, torch::empty_like(x), x, 1);
    const torch_elu::OverrideAten second(options);
    first.reset();
    expect_call(calls_of_ours, torch::empty_like(x), x, 1);
    EXPECT_TRUE(runs_ours());
    expect_call(calls_of_pytorchs, torch::empty_like(x), x, 1e300);
    expect_call(calls_of_pytorchs, torch::empty({30000}, torch::kInt), x.to(torch::kInt), 1);
    expect_call(calls_of_pytorchs, torch::empty_like(meta, torch::kDouble), meta, 1);
  }
  expect_call(calls_of_pytorchs, torch::empty_like(x), x, 1);
  EXPECT_FALSE(runs_ours());
  cuda_pointer() = before;
  torch_elu::cuda_stub_kernels = loaded;
}

TEST(OverrideAten, NothingIsWarnedOf) {
  struct Count : c10::WarningHandler {
    void process(const c10::Warning& /*warning*/) override { ++warnings; }
    int warnings = 0;
  } count;
  const c10::WarningUtils::WarnAlways always;
  const c10::WarningUtils::WarningHandlerGuard handler(&count);
  { const torch_elu::OverrideAten override_aten; }
  EXPECT_EQ(count.warnings, 0);
  TORCH_WARN("this one is for the handler of before");
  EXPECT_EQ(count.warnings, 1);
}

TEST(OverrideAten, ScriptedModelsRunOurKernels) {
  torch::jit::Module model("Model");
  model.define("def forward(self, x):\n  return torch.selu(torch.elu(x, 0.3))\n");
  const auto x = make_input();
  const auto expected = torch_elu::selu(torch_elu::elu(x, 0.3));
  EXPECT_FALSE(torch::equal(model.forward({x}).toTensor(), expected));
  const torch_elu::OverrideAten override_aten;
  for (int run = 0; run < 3; ++run) {
    EXPECT_TRUE(torch::equal(model.forward({x}).toTensor(), expected));
  }
}

}  // namespace

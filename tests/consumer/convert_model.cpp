// Runs a TorchScript model of PyTorch's own activations: as it is, under the guard that puts
// torch_elu's kernels beneath them, and converted. Saves the converted one.

#include <torch/script.h>
#include <torch_elu/torch_elu.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: convert_model MODEL EXPECTED CONVERTED\n";
    return 2;
  }
  torch::jit::Module model = torch::jit::load(argv[1]);
  const torch::jit::Module expected = torch::jit::load(argv[2]);
  const torch::NoGradGuard no_grad;
  const auto is_as_expected = [&] {
    const torch::Tensor output = model.forward({expected.attr("input")}).toTensor();
    return torch::equal(output, expected.attr("output").toTensor());
  };
  const bool same_before = is_as_expected();
  bool same_under_guard = false;
  {
    const torch_elu::OverrideAten override_aten;
    same_under_guard = is_as_expected();
  }
  const int64_t count = torch_elu::convert(model);
  const bool same_converted = is_as_expected();
  model.save(argv[3]);
  std::cout << "replaced " << count << "; the bits of torch_elu's modules: " << std::boolalpha
            << same_before << " before, " << same_under_guard << " under the guard, "
            << same_converted << " converted\n";
  return same_under_guard && same_converted && count > 0 ? 0 : 1;
}

// Loads a TorchScript model that holds torch_elu's operators. Not a single name of torch_elu stands
// here: that the operators are found is the work of the linked target alone.

#include <torch/script.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: load_model MODEL EXPECTED\n";
    return 2;
  }
  torch::jit::Module model = torch::jit::load(argv[1]);
  const torch::jit::Module expected = torch::jit::load(argv[2]);
  const torch::NoGradGuard no_grad;
  const torch::Tensor output = model.forward({expected.attr("input")}).toTensor();
  const bool same = torch::equal(output, expected.attr("output").toTensor());
  std::cout << (same ? "same output as in Python\n" : "another output than in Python\n");
  return same ? 0 : 1;
}

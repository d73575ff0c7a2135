// Loads a model that AOTInductor compiled ahead of time. As in load_model.cpp, the linked target
// alone makes torch_elu's operators known.

#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/script.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: load_package PACKAGE EXPECTED\n";
    return 2;
  }
  torch::inductor::AOTIModelPackageLoader model(argv[1]);
  const torch::jit::Module expected = torch::jit::load(argv[2]);
  const torch::Tensor output = model.run({expected.attr("input").toTensor()}).at(0);
  // Inductor may add up a matrix product in another order.
  const bool close = torch::allclose(output, expected.attr("output").toTensor(), 1e-6, 1e-6);
  std::cout << (close ? "the output of Python\n" : "another output than in Python\n");
  return close ? 0 : 1;
}

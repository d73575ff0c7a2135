// Loads a network that Python exported as TorchScript and classifies the held-out digits.
// Only the link to torch_elu makes its operators known: no header of it is needed.

#include <torch/script.h>

#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <string>

#include "digits.h"

namespace {

// Python and C++ run the same kernels; the matrix products may still differ in their threads.
constexpr double kTolerance = 1e-4;

bool classify(const std::string& model_path, const std::string& digits_path) {
  const Digits digits(digits_path);
  torch::jit::Module model = torch::jit::load(model_path);
  model.eval();

  const torch::NoGradGuard no_grad;
  const torch::Tensor logits = model.forward({digits["test_images"]}).toTensor();
  const double difference = (logits - digits["logits"]).abs().max().item<double>();
  std::cout << "TorchScript in C++: test accuracy " << std::fixed << std::setprecision(1)
            << accuracy_percent(logits, digits["test_labels"]) << " % of " << logits.size(0)
            << " held-out digits\n"
            << "largest difference of a logit from Python's: " << std::defaultfloat << difference
            << '\n';
  return difference <= kTolerance;
}

}  // namespace

int main(int argc, char* argv[]) {
  if (argc != 3) {
    std::cerr << "usage: classify MODEL.pt DIGITS.pt\n";
    return 2;
  }
  try {
    if (classify(argv[1], argv[2])) return EXIT_SUCCESS;
    std::cerr << "classify: the logits differ from Python's by more than " << kTolerance << '\n';
  } catch (const c10::Error& error) {
    std::cerr << "classify: " << error.what_without_backtrace() << '\n';
  } catch (const torch::jit::ErrorReport& error) {  // an operator that nobody registered
    std::cerr << "classify: " << error.what() << '\n';
  }
  return EXIT_FAILURE;
}

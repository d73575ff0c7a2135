// Loads a network that Python exported in two forms, as TorchScript and compiled ahead of time by
// AOTInductor, and classifies the held-out digits with both. Only the link to torch_elu makes its
// operators known: no header of it is needed.

#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/script.h>

#include <cstdlib>
#include <exception>
#include <iomanip>
#include <iostream>
#include <string>

#include "digits.h"

namespace {

// Python and C++ run the same kernels; the matrix products may still differ in their threads.
constexpr double kTolerance = 1e-4;

torch::Tensor run_script(const std::string& path, const torch::Tensor& images) {
  torch::jit::Module model = torch::jit::load(path);
  model.eval();
  return model.forward({images}).toTensor();
}

torch::Tensor run_package(const std::string& path, const torch::Tensor& images) {
  torch::inductor::AOTIModelPackageLoader model(path);
  return model.run({images}).at(0);
}

bool report(const char* form, const torch::Tensor& logits, const Digits& digits) {
  const double difference = (logits - digits["logits"]).abs().max().item<double>();
  std::cout << form << " in C++: test accuracy " << std::fixed << std::setprecision(1)
            << accuracy_percent(logits, digits["test_labels"]) << " % of " << logits.size(0)
            << " held-out digits\n"
            << "largest difference of a logit from Python's: " << std::defaultfloat << difference
            << '\n';
  return difference <= kTolerance;
}

bool classify(const std::string& script, const std::string& package, const std::string& data) {
  const torch::NoGradGuard no_grad;
  const Digits digits(data);
  const torch::Tensor images = digits["test_images"];
  const bool script_agrees = report("TorchScript", run_script(script, images), digits);
  const bool package_agrees = report("AOTInductor", run_package(package, images), digits);
  return script_agrees && package_agrees;
}

}  // namespace

int main(int argc, char* argv[]) {
  if (argc != 4) {
    std::cerr << "usage: classify MODEL.pt MODEL.pt2 DIGITS.pt\n";
    return 2;
  }
  try {
    if (classify(argv[1], argv[2], argv[3])) return EXIT_SUCCESS;
    std::cerr << "classify: the logits differ from Python's by more than " << kTolerance << '\n';
  } catch (const c10::Error& error) {
    std::cerr << "classify: " << error.what_without_backtrace() << '\n';
  } catch (const std::exception& error) {  // an operator that nobody registered, among others
    std::cerr << "classify: " << error.what() << '\n';
  }
  return EXIT_FAILURE;
}

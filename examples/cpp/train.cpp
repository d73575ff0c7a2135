// Trains the classifier of examples/digits/network.py with PyTorch's C++ front end.

#include <torch/torch.h>
#include <torch_elu/torch_elu.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <string>
#include <string_view>

#include "digits.h"

namespace {

// As in the ELU paper (arXiv:1511.07289), section 4.1.
constexpr int kHiddenLayers = 8;
constexpr int64_t kWidth = 128;
constexpr int64_t kBatchSize = 64;
constexpr double kLearningRate = 0.01;

constexpr int64_t kPixels = 64;
constexpr int64_t kClasses = 10;

// Initialised after He et al. (arXiv:1502.01852), like its Python twin.
torch::nn::Linear he_linear(int64_t inputs, int64_t outputs) {
  torch::nn::Linear linear(inputs, outputs);
  torch::nn::init::kaiming_normal_(linear->weight, 0, torch::kFanIn, torch::kReLU);
  torch::nn::init::zeros_(linear->bias);
  return linear;
}

torch::nn::Sequential build_network() {
  torch::nn::Sequential network;
  int64_t width = kPixels;
  for (int layer = 0; layer < kHiddenLayers; ++layer) {
    network->push_back(he_linear(width, kWidth));
    network->push_back(torch_elu::ELU());
    width = kWidth;
  }
  network->push_back(he_linear(width, kClasses));
  return network;
}

// One pass over the training digits in random order; returns the mean loss.
double train_epoch(torch::nn::Sequential& network, torch::optim::Optimizer& optimizer,
                   const torch::Tensor& images, const torch::Tensor& labels) {
  const auto batches = torch::randperm(images.size(0)).split(kBatchSize);
  double total = 0;
  for (const torch::Tensor& batch : batches) {
    optimizer.zero_grad();
    const torch::Tensor logits = network->forward(images.index_select(0, batch));
    const torch::Tensor loss =
        torch::nn::functional::cross_entropy(logits, labels.index_select(0, batch));
    loss.backward();
    optimizer.step();
    total += loss.item<double>();
  }
  return total / static_cast<double>(batches.size());
}

void train(const std::string& digits_path, int epochs) {
  const Digits digits(digits_path);
  const torch::Tensor images = digits["train_images"];
  const torch::Tensor labels = digits["train_labels"];

  torch::set_num_threads(1);  // a batch of 64 is too small to share
  torch::manual_seed(0);
  torch::nn::Sequential network = build_network();
  torch::optim::SGD optimizer(network->parameters(), kLearningRate);
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    const double loss = train_epoch(network, optimizer, images, labels);
    std::cerr << "\repoch " << epoch << '/' << epochs << ", training loss " << std::fixed
              << std::setprecision(4) << loss << std::flush;
  }
  std::cerr << '\n';

  network->eval();
  const torch::NoGradGuard no_grad;
  std::cout << "C++ front end: test accuracy " << std::fixed << std::setprecision(1)
            << accuracy_percent(network->forward(digits["test_images"]), digits["test_labels"])
            << " %\n";
}

// The number of epochs that `argument` states, or 0 if it states none.
int parse_epochs(std::string_view argument) {
  int epochs = 0;
  const char* const end = argument.data() + argument.size();
  const auto [rest, error] = std::from_chars(argument.data(), end, epochs);
  return error == std::errc() && rest == end && epochs > 0 ? epochs : 0;
}

}  // namespace

int main(int argc, char* argv[]) {
  const int epochs = argc == 3 ? parse_epochs(argv[2]) : 0;
  if (epochs == 0) {
    std::cerr << "usage: train DIGITS.pt EPOCHS\n";
    return 2;
  }
  try {
    train(argv[1], epochs);
    return EXIT_SUCCESS;
  } catch (const c10::Error& error) {
    std::cerr << "train: " << error.what_without_backtrace() << '\n';
    return EXIT_FAILURE;
  }
}

// Trains a network of torch_elu's modules and functions on y = |x|, and saves and loads it.

#include <torch/torch.h>
#include <torch_elu/torch_elu.h>

#include <iostream>
#include <sstream>

int main() {
  torch::manual_seed(0);
  torch::nn::Sequential network(
      torch::nn::Linear(1, 32), torch_elu::ELU(torch_elu::ELUOptions(1.0).save_output(true)),
      torch::nn::Linear(32, 32), torch_elu::SELU(), torch::nn::Linear(32, 1));
  torch::optim::Adam optimizer(network->parameters(), 1e-2);
  const torch::Tensor x = torch::linspace(-1, 1, 64).unsqueeze(1);
  double loss_value = 0;
  for (int step = 0; step < 300; ++step) {
    optimizer.zero_grad();
    const torch::Tensor loss = torch::mse_loss(network->forward(torch_elu::celu(x, 8.0)), x.abs());
    loss.backward();
    optimizer.step();
    loss_value = loss.item<double>();
  }
  std::stringstream stream;
  torch::save(network, stream);
  torch::nn::Sequential copy(torch::nn::Linear(1, 32), torch_elu::ELU(), torch::nn::Linear(32, 32),
                             torch_elu::SELU(), torch::nn::Linear(32, 1));
  torch::load(copy, stream);
  const bool same = torch::equal(copy->forward(x), network->forward(x));
  std::cout << network << "\nloss " << loss_value << ", saved and loaded "
            << (same ? "the same" : "another") << "\n";
  return loss_value < 1e-3 && same ? 0 : 1;
}

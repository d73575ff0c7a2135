// A robot's control loop: one observation in, the joints' commands out, tick after tick. Runs a
// policy that Python exported twice, with torch_elu's ELU and with PyTorch's, in turn, and reports
// how long a tick takes; in a control loop the slowest ones count.

#include <ATen/Parallel.h>
#include <torch/script.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

namespace {

constexpr double kTolerance = 1e-4;  // of a command
constexpr int64_t kObservations = 48;
constexpr int64_t kWarmUp = 200;  // ticks in which TorchScript's executor settles

class Policy {
 public:
  Policy(const char* name, const std::string& path) : name_(name), model_(torch::jit::load(path)) {
    model_.eval();
    model_ = torch::jit::freeze(model_);
  }

  torch::Tensor act(const torch::Tensor& observation) {
    const auto start = std::chrono::steady_clock::now();
    torch::Tensor action = model_.forward({observation}).toTensor();
    const std::chrono::duration<double, std::micro> elapsed =
        std::chrono::steady_clock::now() - start;
    microseconds_.push_back(elapsed.count());
    return action;
  }

  void forget_times() { microseconds_.clear(); }

  void report() {
    std::sort(microseconds_.begin(), microseconds_.end());
    std::cout << std::left << std::setw(12) << name_ << std::right << std::fixed
              << std::setprecision(1);
    for (const double fraction : {0.5, 0.9, 0.99, 0.999, 1.0}) {
      const auto last = static_cast<double>(microseconds_.size() - 1);
      std::cout << std::setw(9) << microseconds_[static_cast<size_t>(fraction * last)];
    }
    std::cout << '\n';
  }

 private:
  const char* name_;
  torch::jit::Module model_;
  std::vector<double> microseconds_;
};

// The largest difference of a command between the two.
double control(Policy& ours, Policy& theirs, int64_t ticks) {
  torch::Tensor observation = torch::randn({1, kObservations});
  double difference = 0;
  for (int64_t tick = -kWarmUp; tick < ticks; ++tick) {
    if (tick == 0) {
      ours.forget_times();
      theirs.forget_times();
    }
    // Whoever comes second finds the observation in the cache: they take turns in that, too.
    Policy& first = tick % 2 == 0 ? ours : theirs;
    Policy& second = tick % 2 == 0 ? theirs : ours;
    const torch::Tensor action = first.act(observation);
    difference =
        std::max(difference, (action - second.act(observation)).abs().max().item<double>());
    // What the joints do is what they were told, and the rest of the world is noise.
    observation = 0.95 * observation + 0.1 * torch::randn_like(observation);
    observation.narrow(1, 0, action.size(1)).add_(action.clamp(-1, 1), 0.3);
  }
  return difference;
}

}  // namespace

int main(int argc, char* argv[]) {
  if (argc != 4) {
    std::cerr << "usage: control POLICY.pt POLICY_ATEN.pt TICKS\n";
    return 2;
  }
  try {
    const c10::InferenceMode inference;
    at::set_num_threads(1);  // one observation is too little for more
    torch::manual_seed(0);
    Policy ours("torch_elu", argv[1]), theirs("aten::elu", argv[2]);
    const double difference =
        control(ours, theirs, std::max(1L, std::strtol(argv[3], nullptr, 10)));
    std::cout << "us per tick    p50      p90      p99    p99.9      max\n";
    ours.report();
    theirs.report();
    std::cout << "largest difference of a command: " << std::defaultfloat << difference << '\n';
    if (difference <= kTolerance) return EXIT_SUCCESS;
    std::cerr << "control: the commands differ by more than " << kTolerance << '\n';
  } catch (const c10::Error& error) {
    std::cerr << "control: " << error.what_without_backtrace() << '\n';
  } catch (const std::exception& error) {  // an operator that nobody registered, among others
    std::cerr << "control: " << error.what() << '\n';
  }
  return EXIT_FAILURE;
}

#pragma once

#include <torch/script.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

// The tensors that Python wrote to `path` with torch.save({"name": tensor, ...}, path).
class Digits {
 public:
  explicit Digits(const std::string& path) : tensors_(read(path).toGenericDict()) {}

  torch::Tensor operator[](const std::string& name) const {
    TORCH_CHECK(tensors_.contains(name), "found no tensor named ", name);
    return tensors_.at(name).toTensor();
  }

 private:
  static c10::IValue read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    TORCH_CHECK(file, "cannot open ", path);
    const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
    return torch::jit::pickle_load(bytes);
  }

  c10::impl::GenericDict tensors_;
};

// The share of rows of `logits` whose largest entry stands at the label, in percent.
inline double accuracy_percent(const torch::Tensor& logits, const torch::Tensor& labels) {
  return 100 * logits.argmax(1).eq(labels).to(torch::kDouble).mean().item<double>();
}

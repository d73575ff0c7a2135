// Calls the C++ functions, and differentiates through them.

#include <ATen/Functions.h>
#include <torch_elu/torch_elu.h>

#include <iostream>

int main() {
  const at::Tensor x = at::tensor({-1.0, -3.0, 2.0}).set_requires_grad(true);
  const at::Tensor y = torch_elu::elu(x, 2.0);
  y.sum().backward();
  const bool is_right = at::allclose(y, at::tensor({-1.0, -1.5, 2.0})) &&
                        at::allclose(x.grad(), at::tensor({0.5, 0.125, 1.0}));
  std::cout << "torch_elu " << torch_elu::version() << "\n" << y << "\n" << x.grad() << "\n";
  return is_right ? 0 : 1;
}

"""How fast torch_elu is: ``python -m benchmarks.activations``; kernels.cpp for bare kernels."""

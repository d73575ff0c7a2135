"""How fast torch_elu is on a GPU: ``python -m benchmarks.gpu``."""

"""What tells other parts of PyTorch, when they are imported, about the operators."""

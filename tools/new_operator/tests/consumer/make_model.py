"""Writes a TorchScript model, an input and its output for load_model.cpp."""

import sys
from pathlib import Path

import torch
import torch_elu

folder = Path(sys.argv[1])
model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch_elu.ELU(0.5))
torch.jit.script(model).save(folder / "model.pt")


class Expected(torch.nn.Module):
    """Holds two tensors for C++."""

    def __init__(self, input: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("input", input)
        self.register_buffer("output", model(input).detach())


torch.jit.script(Expected(torch.randn(5, 3))).save(folder / "expected.pt")

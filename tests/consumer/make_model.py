"""Writes what the apps of this project read.

A model of torch_elu's modules, scripted and compiled ahead of time, a scripted one of PyTorch's
with the same weights, and an input with the output of the first.
"""

import sys
from pathlib import Path

import torch
import torch_elu

folder = Path(sys.argv[1])
torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Linear(8, 8), torch_elu.ELU(0.5), torch_elu.SELU(), torch_elu.CELU(2.0)
)
# Sixteenths, whose sums of products are exact: the matrix product of another machine has the same
# bits, and so has the model.
for parameter in model.parameters():
    parameter.data = (parameter.data * 16).round() / 16
torch.jit.script(model).save(str(folder / "model.pt"))

pytorchs = torch.nn.Sequential(
    torch.nn.Linear(8, 8), torch.nn.ELU(0.5), torch.nn.SELU(), torch.nn.CELU(2.0)
)
pytorchs.load_state_dict(model.state_dict())
torch.jit.script(pytorchs).save(str(folder / "pytorchs.pt"))


class Expected(torch.nn.Module):
    """Tensors in a form that torch::jit::load reads."""

    def __init__(self, input: torch.Tensor, output: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("input", input)
        self.register_buffer("output", output)


input = (torch.randn(400, 8) * 16).round() / 16
with torch.no_grad():
    program = torch.export.export(model, (input,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    torch._inductor.aoti_compile_and_package(program, package_path=str(folder / "model.pt2"))
torch.jit.script(Expected(input, model(input).detach())).save(str(folder / "expected.pt"))

"""User code type-checks under mypy --strict, and mistakes in it are found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import RunPython

pytest.importorskip("mypy")

RIGHT = """
import torch
from torch import Tensor, nn

import torch_elu


class Network(nn.Module):
    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.activation: nn.ELU = torch_elu.ELU(alpha, inplace=True, save="output")

    def forward(self, x: Tensor) -> Tensor:
        x = torch_elu.elu(self.activation(x), 0.5, save="output")
        return torch_elu.celu(torch_elu.selu(x), alpha=2) * torch_elu.elu_plus_one(x)


def test(x: Tensor) -> Tensor:
    network = nn.Sequential(Network(1.0), torch_elu.SELU(inplace=True), torch_elu.CELU())
    paths: list[str] = torch_elu.include_paths()
    text: str = torch_elu.__version__ + torch_elu.library_path + paths[0]
    text += torch_elu.cmake_prefix_path
    converted: nn.Sequential = torch_elu.convert(network, save="output")
    with torch_elu.override_aten() as override:
        y: Tensor = converted(x)
    override.remove()
    return y + len(text)
"""

WRONG = """
import torch
import torch_elu

torch_elu.elu([1.0])
torch_elu.elu(torch.ones(3), alpha="1")
torch_elu.elu(torch.ones(3), 1.0, False, "output")
torch_elu.ELU(sav="output")
number: int = torch_elu.selu(torch.ones(3))
torch_elu.no_such_name
torch_elu.convert(torch.ones(3))
torch_elu.override_aten(True)
torch_elu.elu_plus_one(torch.ones(3), inplace=True)
"""


def test_right_code_passes_and_each_mistake_is_found(
    tmp_path: Path, run_python: RunPython, repository: Path
) -> None:
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text(WRONG)
    cache = repository / ".mypy_cache"  # PyTorch's own types take a minute at first
    result = run_python(
        "-m",
        "mypy",
        "--strict",
        f"--cache-dir={cache}",
        "--python-executable",
        sys.executable,
        "right.py",
        "wrong.py",
        check=False,
    )
    errors = [line for line in result.stdout.splitlines() if ": error:" in line]
    assert not [line for line in errors if line.startswith("right.py")], result.stdout
    lines = {int(line.split(":")[1]) for line in errors if line.startswith("wrong.py")}
    assert lines == {5, 6, 7, 8, 9, 10, 11, 12, 13}, result.stdout

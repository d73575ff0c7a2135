"""Exported programs and what AOTInductor compiles of them: saved, loaded, the same bits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch_elu
from conftest import RunPython
from references import assert_same_bits
from torch import Tensor

BATCH = ({0: torch.export.Dim.DYNAMIC},)


# Loading any package ends the process where the C++ compiler links its own libstdc++ into it.
PACKAGE_OF_PYTORCH = """
import torch
program = torch.export.export(torch.nn.ELU(), (torch.randn(4, 3, device="cuda"),))
torch._inductor.aoti_load_package(torch._inductor.aoti_compile_and_package(program))
"""


class Family(torch.nn.Module):
    """Every function, with coefficients of every kind of number."""

    def __init__(self) -> None:
        super().__init__()
        self.celu = torch_elu.CELU(0.7, save="output")

    def forward(self, x: Tensor) -> list[Tensor]:
        overwritten = x * 1.0
        torch_elu.elu(overwritten, 0.1, inplace=True)
        out = torch.ops.torch_elu.elu.out(x, 1 / 3, out=torch.empty_like(x))
        plus_one = torch_elu.elu_plus_one(x)
        return [torch_elu.elu(x, 2), torch_elu.selu(x), self.celu(x), overwritten, out, plus_one]


def assert_same_outputs(actual: list[Tensor], expected: list[Tensor]) -> None:
    for result, other in zip(actual, expected, strict=True):
        assert_same_bits(result, other)


@pytest.mark.parametrize("strict", [False, True])
def test_a_program_runs_after_it_was_saved_and_loaded(strict: bool, tmp_path: Path) -> None:
    model, path = Family(), tmp_path / "family.pt2"
    program = torch.export.export(model, (torch.randn(4, 3),), dynamic_shapes=BATCH, strict=strict)
    torch.export.save(program, path)
    loaded = torch.export.load(path)
    x = torch.randn(7, 3)
    assert_same_outputs(loaded.module()(x), model(x))
    decomposed = loaded.run_decompositions()
    targets = [node.target for node in decomposed.graph.nodes]
    assert targets.count(torch.ops.torch_elu.elu.default) == 5
    assert targets.count(torch.ops.torch_elu.elu_plus_one.default) == 1
    assert not [target for target in targets if "aten.elu" in str(target)]
    assert_same_outputs(decomposed.module()(x), model(x))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_an_aotinductor_package_gives_the_same_bits(
    device: str, tmp_path: Path, run_python: RunPython
) -> None:
    if device == "cuda":
        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")
        if run_python("-c", PACKAGE_OF_PYTORCH, check=False).returncode:
            pytest.skip("PyTorch cannot load its own nn.ELU from a package here")
    model, path = Family(), str(tmp_path / "family.pt2")
    program = torch.export.export(model, (torch.randn(4, 3, device=device),), dynamic_shapes=BATCH)
    torch._inductor.aoti_compile_and_package(program, package_path=path)
    package = torch._inductor.aoti_load_package(path)
    for batch in (1, 4, 1000):
        x = torch.randn(batch, 3, device=device)
        assert_same_outputs(package(x), model(x))
    # All of it was made part of the package: a program that runs it needs nothing of ours.
    script = (
        f"import torch; package = torch._inductor.aoti_load_package({path!r}); "
        f"print(package(torch.ones(2, 3, device={device!r}))[0].sum().item())"
    )
    assert float(run_python("-W", "ignore", "-c", script).stdout) == 6.0

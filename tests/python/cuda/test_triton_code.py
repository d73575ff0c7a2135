"""What Triton makes of the formula for an H100, compiled without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch_elu  # noqa: F401  (loads the operators)
from torch import Tensor

pytest.importorskip("triton")
from triton_code import PER_THREAD, compile_for_hopper, instructions, source_of

ours, theirs = torch.ops.torch_elu, torch.ops.aten


def test_the_forward_takes_at_most_six_tenths_of_the_instructions_of_pytorchs(
    tmp_path: Path,
) -> None:
    def count(function: Callable[[Tensor], Tensor]) -> int:
        source = source_of(function, 1, torch.float32)
        compiled = instructions(compile_for_hopper(source, torch.float32, tmp_path), tmp_path)
        assert not compiled["LDL"] + compiled["STL"], "local memory"
        return compiled.total()

    assert count(ours.elu.default) <= 0.6 * count(theirs.elu.default)


FUNCTIONS: dict[str, tuple[int, Callable[..., Tensor]]] = {
    "elu(0.3)": (1, lambda x: ours.elu(x, 0.3, 1.1, 0.9)),
    "its backward": (2, lambda grad, x: ours.elu_backward(grad, 0.3, 1.1, 0.9, False, x)),
    "elu_plus_one": (1, ours.elu_plus_one.default),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("inputs", "function"), FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_every_operation_of_the_formula_rounds_on_its_own(
    inputs: int, function: Callable[..., Tensor], dtype: torch.dtype, tmp_path: Path
) -> None:
    """No product is made one operation with a sum."""
    source = source_of(function, inputs, dtype)
    compiled = instructions(compile_for_hopper(source, dtype, tmp_path), tmp_path)
    prefix = "D" if dtype == torch.float64 else "F"
    fused = source.count("tl.fma(") * PER_THREAD
    assert fused <= compiled[prefix + "FMA"] <= fused + 1  # one for a constant

"""The same input gives the same bits: in any layout, place, thread and instruction set."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch_elu
from conftest import RunPython, available_capabilities
from references import (
    DTYPES,
    PLUS_ONE,
    SELU,
    Coefficients,
    assert_same_bits,
    celu,
    in_range,
    many_floats,
)
from torch import Tensor

parametrize_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)

# The second one belongs to the slower formula.
COEFFICIENTS = {"elu": Coefficients(), "celu(-0.5)": celu(-0.5), "selu": SELU}
WITH_PLUS_ONE = COEFFICIENTS | {"elu_plus_one": PLUS_ONE}
elu = torch.ops.torch_elu.elu


def value(x: Tensor, c: Coefficients) -> Tensor:
    return torch_elu.elu_plus_one(x) if c is PLUS_ONE else elu(x, *c)


def slope(x: Tensor, c: Coefficients) -> Tensor:
    return torch.ops.torch_elu.elu_backward(torch.full_like(x, 0.7), *c, False, x)


def slope_from_result(y: Tensor, c: Coefficients) -> Tensor:
    if c is PLUS_ONE:
        return torch.ops.torch_elu.elu_plus_one_backward(torch.full_like(y, 0.7), y)
    return torch.ops.torch_elu.elu_backward(torch.full_like(y, 0.7), *map(abs, c), True, y)


Function = Callable[[Tensor, Coefficients], Tensor]
parametrize_functions = pytest.mark.parametrize("function", [value, slope, slope_from_result])
parametrize_coefficients = pytest.mark.parametrize(
    "c", WITH_PLUS_ONE.values(), ids=WITH_PLUS_ONE.keys()
)


def inputs(dtype: torch.dtype, count: int = 1200) -> Tensor:
    """Numbers near zero, far from it and of every exponent, mixed."""
    x = torch.cat([in_range(dtype, count, -20, 2), many_floats(dtype, count)[:count]])
    return x[torch.randperm(len(x))][:count].clone()


@parametrize_dtypes
@parametrize_functions
@parametrize_coefficients
def test_strided_and_contiguous_give_the_same_bits(
    dtype: torch.dtype, function: Function, c: Coefficients
) -> None:
    x = inputs(dtype)
    expected = function(x, c)
    for step in (2, 3, 7):
        wide = torch.full((len(x) * step,), 3.0, dtype=dtype)
        wide[::step] = x
        assert_same_bits(function(wide[::step], c), expected)
    for columns in (1, 2, 5, 40):
        assert_same_bits(function(x.view(-1, columns).t(), c), expected.view(-1, columns).t())
    assert_same_bits(function(x.expand(3, -1), c), expected.expand(3, -1))
    assert_same_bits(function(torch._neg_view(-x), c), expected)


@parametrize_dtypes
@parametrize_functions
@parametrize_coefficients
def test_many_short_rows_give_the_same_bits(
    dtype: torch.dtype, function: Function, c: Coefficients
) -> None:
    for columns in (2, 3, 7, 31):  # of fewer elements than a vector has, and more
        x = inputs(dtype, columns * 2500).view(2500, columns)
        expected = function(x, c)
        apart = torch.full((2500, columns + 2), 3.0, dtype=dtype)
        apart[:, 1:-1] = x
        assert_same_bits(function(apart[:, 1:-1], c), expected)
        same = x[:, :1].expand(-1, columns)
        assert_same_bits(function(same, c), expected[:, :1].expand(-1, columns))
        if c is not PLUS_ONE:
            elu.out(apart[:, 1:-1], *c, out=apart[:, 1:-1])
            assert_same_bits(apart[:, 1:-1], elu(x, *c))
        assert apart[:, [0, -1]].eq(3).all()


@parametrize_dtypes
@pytest.mark.parametrize("stride", [1, 2])
def test_out_and_in_place_give_the_same_bits(dtype: torch.dtype, stride: int) -> None:
    x = inputs(dtype)
    for c in COEFFICIENTS.values():
        expected = elu(x, *c)
        out = torch.empty(len(x) * stride, dtype=dtype)[::stride]
        assert_same_bits(torch.ops.torch_elu.elu.out(x, *c, out=out), expected)
        out.copy_(x)
        assert_same_bits(torch.ops.torch_elu.elu_(out, *c), expected)


@parametrize_dtypes
@parametrize_functions
@pytest.mark.parametrize("c", [Coefficients(), PLUS_ONE], ids=["elu", "elu_plus_one"])
def test_any_number_of_threads_gives_the_same_bits(
    dtype: torch.dtype, function: Function, c: Coefficients, threads: Callable[[int], None]
) -> None:
    x = inputs(dtype, 700_001)
    x_strided = torch.stack([x, x], dim=1)[:, 0]
    threads(1)
    expected = function(x, c)
    for count in (2, 3, 5):
        threads(count)
        assert_same_bits(function(x, c), expected)
        assert_same_bits(function(x_strided, c), expected)


def last_level_cache() -> int:
    try:
        return int(subprocess.check_output(["getconf", "LEVEL3_CACHE_SIZE"]))
    except (OSError, ValueError, subprocess.CalledProcessError):
        return 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_tensors_that_exceed_the_caches_give_the_same_bits(dtype: torch.dtype) -> None:
    # Their results are stored past the caches, from a misaligned start too.
    size = max(last_level_cache(), 2**25) + 2**16
    if size > 2**29:
        pytest.skip(f"the last-level cache has {size >> 20} MiB")
    pattern = inputs(dtype, 1021)
    expected = elu(pattern)
    x = pattern.repeat(size // (pattern.element_size() * 1021) + 1)[1:]
    y = torch_elu.elu(x)
    assert torch.equal(y[:1020].view(torch.uint8), expected[1:].view(torch.uint8))
    rest = y[1020:].view(-1, 1021).view(torch.int32 if dtype == torch.float32 else torch.int16)
    wanted = expected.view(rest.dtype)
    different = [(rest[i : i + 4096] != wanted).any().item() for i in range(0, len(rest), 4096)]
    assert not any(different)


def test_instruction_sets_give_the_same_bits(run_python: RunPython) -> None:
    script = Path(__file__).parents[1] / "support" / "digest.py"
    outputs = [
        run_python(str(script), ATEN_CPU_CAPABILITY=capability).stdout.split()
        for capability in available_capabilities()
    ]
    names = [name for name, _ in outputs]
    digests = {digest for _, digest in outputs}
    assert len(set(names)) == len(names), "the same kernels were compared with themselves"
    assert len(digests) == 1, outputs

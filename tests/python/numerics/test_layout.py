"""Shape, strides and dtype of the result are those of torch.nn.functional.elu."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from layouts import LAYOUTS, Dense
from references import DTYPES, PLUS_ONE, Coefficients, exact_slope, exact_value
from torch import Tensor

parametrize_layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
parametrize_dtypes = pytest.mark.parametrize("dtype", DTYPES)


def random_values(dtype: torch.dtype, device: str = "cpu") -> Dense:
    return lambda *shape: torch.randn(shape, dtype=torch.float64).mul(3).to(device, dtype)


def assert_same_layout(actual: Tensor, expected: Tensor) -> None:
    assert (actual.shape, actual.stride()) == (expected.shape, expected.stride())
    assert (actual.dtype, actual.device) == (expected.dtype, expected.device)
    assert actual.storage_offset() == expected.storage_offset()


def assert_close(actual: Tensor, exact: Tensor) -> None:
    eps = torch.finfo(actual.dtype).eps
    torch.testing.assert_close(actual.double(), exact.double(), rtol=2 * eps, atol=0)


FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], Coefficients]] = {
    "elu(0.5)": (lambda x: torch_elu.elu(x, 0.5), Coefficients(0.5)),
    "elu_plus_one": (torch_elu.elu_plus_one, PLUS_ONE),
}
parametrize_functions = pytest.mark.parametrize(
    ("function", "c"), FUNCTIONS.values(), ids=FUNCTIONS.keys()
)


@parametrize_dtypes
@parametrize_layouts
@parametrize_functions
def test_result_and_gradient_have_pytorchs_layout_and_the_right_values(
    layout: Callable[[Dense], Tensor],
    dtype: torch.dtype,
    function: Callable[[Tensor], Tensor],
    c: Coefficients,
) -> None:
    x = layout(random_values(dtype)).detach().requires_grad_()
    y = function(x)
    (grad,) = torch.autograd.grad(y, x, torch.ones_like(y))
    for result, exact in ((y, exact_value), (grad, exact_slope)):
        assert_same_layout(result, F.elu(x))
        assert_close(result.detach(), exact(x.detach(), c))


@parametrize_layouts
def test_meta_tensors_get_the_layout_of_real_ones(layout: Callable[[Dense], Tensor]) -> None:
    x = layout(random_values(torch.float32, "meta"))
    y = torch_elu.elu(x)
    assert y.device.type == "meta"
    assert_same_layout(
        y, torch.empty_like(torch_elu.elu(layout(random_values(torch.float32))), device="meta")
    )


def test_the_stride_of_a_dimension_of_size_1_stays_as_in_pytorch() -> None:
    x = torch.empty_strided((2, 1, 3), (1, 99, 2)).normal_()
    assert torch_elu.elu(x).stride() == torch_elu.elu(x.to("meta")).stride() == F.elu(x).stride()


@pytest.mark.parametrize(
    ("shape", "stride"),
    [
        ((2**31 + 5,), (1,)),
        ((2**16, 2**16), (1, 2**16)),
        ((2**20, 2, 2**12), (2**13, 1, 2)),
        ((3, 2**31), (2**32, 2)),
        ((2**33,), (0,)),
    ],
)
def test_layout_of_more_than_2_to_the_31_elements(
    shape: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    x = torch.empty_strided(shape, stride, device="meta", dtype=torch.bfloat16)
    assert_same_layout(torch_elu.elu(x), F.elu(x))


def skip_without_memory(needed: int) -> None:
    meminfo = Path("/proc/meminfo").read_text()
    free = int(re.findall(r"^MemAvailable: *(\d+) kB", meminfo, re.MULTILINE)[0]) / 2**20
    if free < needed:
        pytest.skip(f"needs {needed} GiB of free memory, and there are {free:.1f}")


@pytest.mark.slow
@pytest.mark.parametrize("inplace", [False, True])
def test_values_of_more_than_2_to_the_31_elements(inplace: bool) -> None:
    skip_without_memory(8 if inplace else 12)
    numel = 2**31 + 1021
    pattern = torch.linspace(-12, 3, 509).half()  # a prime, so that no place in a vector repeats
    x = pattern.repeat(numel // 509 + 1)[:numel]
    y = torch_elu.elu(x, inplace=inplace)
    del x
    expected = torch_elu.elu(pattern)
    whole = y[: numel // 509 * 509].view(-1, 509)
    for chunk in whole.split(2**16):
        assert torch.equal(chunk, expected.expand_as(chunk))
    assert torch.equal(y[-(numel % 509) :], expected[: numel % 509])


@pytest.mark.slow
def test_gradient_of_more_than_2_to_the_31_elements() -> None:
    skip_without_memory(20)
    numel = 2**31 + 7
    ends = torch.linspace(-12, 3, 509).half()
    x = torch.empty(numel, dtype=torch.half).fill_(-1)
    x[:509], x[-509:] = ends, ends
    grad_output = torch.full_like(x, 2)
    y = torch_elu.elu(x.requires_grad_(), 0.5)
    (grad,) = torch.autograd.grad(y, x, grad_output)
    wanted_y = exact_value(ends, Coefficients(0.5))
    wanted_grad = 2 * exact_slope(ends, Coefficients(0.5))
    for part in (slice(0, 509), slice(-509, None)):
        torch.testing.assert_close(y[part].double(), wanted_y, rtol=2**-10, atol=0)
        torch.testing.assert_close(grad[part].double(), wanted_grad, rtol=2**-10, atol=1e-6)
    of_minus_1 = torch.full((1,), -1.0)
    wanted = (
        exact_value(of_minus_1, Coefficients(0.5)),
        2 * exact_slope(of_minus_1, Coefficients(0.5)),
    )
    for result, number in zip((y, grad), wanted, strict=True):
        middle = result.detach()[509:-509]
        for bound in (middle.amin(), middle.amax()):
            torch.testing.assert_close(bound.double(), number[0], rtol=2**-10, atol=0)

"""What torch.nn.functional's elu and celu get wrong, and torch_elu gets right.

Where PyTorch's own answer is computed here, a test that starts to fail on it says that PyTorch
has been mended: then delete that half of it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from conftest import RunPython
from references import (
    DTYPES,
    PLUS_ONE,
    Coefficients,
    celu,
    in_range,
    largest_mpmath_error,
    mpmath_slope,
    mpmath_value,
)
from torch import Tensor

NAN = math.nan


def gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    (grad,) = torch.autograd.grad(function(x).sum(), x)
    return grad


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("numel", [1, 7, 64, 1001])
@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("save", ["input", "output"])
def test_gradient_at_nan_is_nan_at_every_size_and_layout(
    dtype: torch.dtype, numel: int, stride: int, save: str
) -> None:
    x = torch.full((numel * stride,), NAN, dtype=dtype)[::stride]
    assert gradient(lambda x: torch_elu.elu(x, save=save), x).isnan().all()
    assert gradient(torch_elu.selu, x).isnan().all()
    assert gradient(torch_elu.celu, x).isnan().all()


@pytest.mark.parametrize("alpha", [0.1, 0.3, 3.7])
def test_float64_celu_gradient_is_exact(alpha: float) -> None:
    x = in_range(torch.float64, 400, -4, 1)
    exact = mpmath_slope(x.tolist(), Coefficients(alpha, 1.0, 1 / alpha))
    assert largest_mpmath_error(gradient(lambda x: torch_elu.celu(x, alpha), x), exact) <= 1.1
    assert largest_mpmath_error(gradient(lambda x: F.celu(x, alpha), x), exact) > 1e6


@pytest.mark.parametrize("alpha", [1e-50, 1e300, -1e-50, -1e300])
def test_float64_celu_works_at_an_alpha_that_float32_cannot_hold(alpha: float) -> None:
    c = celu(alpha)
    around = torch.tensor([0.001, 0.1, 0.5, 1.0, 3.0, 30.0, 300.0], dtype=torch.float64)
    x = torch.cat([-around * abs(alpha), torch.tensor([-1e-3, -0.0, 2.0], dtype=torch.float64)])
    value = torch_elu.celu(x, alpha)
    assert largest_mpmath_error(value, mpmath_value(x.tolist(), c)) <= 1.6
    slope = gradient(lambda x: torch_elu.celu(x, alpha), x)
    assert largest_mpmath_error(slope, mpmath_slope(x.tolist(), c)) <= 1.6


@pytest.mark.parametrize("is_result", [False, True])
@pytest.mark.parametrize("c", [Coefficients(), Coefficients(0.7, 1.3, 0.6), PLUS_ONE])
def test_second_derivative_at_zero_is_of_the_side_that_the_slope_is_of(
    c: Coefficients, is_result: bool
) -> None:
    x = torch.tensor([0.0, -0.0] * 20, dtype=torch.float64, requires_grad=True)
    elu = functools.partial(torch.ops.torch_elu.elu, save_output=is_result)
    y = torch_elu.elu_plus_one(x) if c is PLUS_ONE else elu(x, *c)
    (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), x)
    expected = c.alpha * c.scale * c.input_scale
    torch.testing.assert_close(slope, torch.full_like(x, expected))
    torch.testing.assert_close(curvature, torch.full_like(x, expected * c.input_scale))


COMPILED_CELU = """
import torch, torch_elu
for celu in torch_elu.celu, torch.nn.functional.celu:
    compiled = torch.compile(celu, dynamic=True)
    for alpha in 0.5, 2.0:
        x = torch.tensor([-1.0], requires_grad=True)
        y = compiled(x, alpha)
        print(y.item(), torch.autograd.grad(y, x)[0].item())
"""


def test_a_compiled_celu_of_dynamic_shapes_follows_alpha(
    tmp_path: Path, run_python: RunPython
) -> None:
    # With Inductor's caches, as they are unless switched off: there PyTorch's goes wrong.
    printed = run_python(
        "-W", "ignore", "-c", COMPILED_CELU,
        TORCHINDUCTOR_CACHE_DIR=str(tmp_path),
        TORCHINDUCTOR_FORCE_DISABLE_CACHES="0",
    ).stdout  # fmt: skip
    ours, ours_2, theirs, theirs_2 = (
        [float(number) for number in line.split()] for line in printed.splitlines()
    )
    assert ours == pytest.approx([0.5 * math.expm1(-2), math.exp(-2)])
    assert ours_2 == pytest.approx([2 * math.expm1(-0.5), math.exp(-0.5)])
    if torch.__version__ >= "2.15":
        assert theirs_2 == theirs

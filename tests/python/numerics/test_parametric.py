"""An alpha that is a tensor: the bits of a number, every layout, right sums, and errors."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch_elu
from layouts import LAYOUTS, Dense
from references import DTYPES, HALF_DTYPES, assert_same_bits, in_range, many_floats
from torch import Tensor

elu = torch.ops.torch_elu.parametric_elu
elu_backward = torch.ops.torch_elu.parametric_elu_backward

# For formula.h, for its unit path, and for general.h.
ALPHAS = (0.3, -1.7, 1.0, 0.0, -0.0, 1e-30, 1e20, math.inf, math.nan)
CELU_ALPHAS = (0.3, 1.7, -0.6, 1.0, 1e-6, 3e5, math.inf)
FUNCTIONS = {"elu": (torch_elu.elu, ALPHAS), "celu": (torch_elu.celu, CELU_ALPHAS)}
parametrize_functions = pytest.mark.parametrize(
    ("function", "alphas"), FUNCTIONS.values(), ids=FUNCTIONS.keys()
)


def in_float64(x: Tensor, alpha: Tensor, divisor: Tensor | None = None) -> Tensor:
    z = x if divisor is None else x / divisor
    return torch.where(x > 0, x, alpha * torch.expm1(torch.where(x > 0, 0, z)))


def held(alpha: float, dtype: torch.dtype) -> float:
    return torch.tensor(alpha, dtype=dtype).item()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@parametrize_functions
def test_a_constant_tensor_gives_the_bits_of_the_number(
    function: Callable[..., Tensor], alphas: tuple[float, ...], dtype: torch.dtype
) -> None:
    # Runs of one alpha, and an alpha for each element.
    for x in (many_floats(dtype, 5000), in_range(dtype, 1000, -9, 3)):
        for given in alphas:
            alpha = held(given, dtype)
            if function is torch_elu.celu and (alpha == 0 or math.isinf(1 / alpha)):
                continue
            for tensor in (torch.full((1,), alpha, dtype=dtype), torch.full_like(x, alpha)):
                ours, expected = (x.clone().requires_grad_() for _ in range(2))
                y, z = function(ours, tensor), function(expected, alpha)
                assert_same_bits(y, z)
                y.backward(x.nan_to_num(1, 1, 1))
                z.backward(x.nan_to_num(1, 1, 1))
                assert_same_bits(ours.grad, expected.grad)


@pytest.mark.parametrize("dtype", HALF_DTYPES, ids=str)
def test_beside_a_half_alpha_may_be_float32(dtype: torch.dtype) -> None:
    x = in_range(dtype, 1000, -9, 3).reshape(10, 100)
    alpha = torch.full((100,), 0.3, requires_grad=True)  # which no half is
    y = torch_elu.elu(x, alpha)
    assert_same_bits(y, torch_elu.elu(x, held(0.3, torch.float32)))
    y.sum().backward()
    assert alpha.grad is not None
    expected = torch.expm1(x.double().clamp(max=0)).sum(0).float()
    torch.testing.assert_close(alpha.grad, expected, rtol=2e-3, atol=2e-3)


SHAPES = {
    "one for all": (),
    "one for all, with dimensions": (1, 1, 1, 1),
    "channels": (3, 1, 1),
    "rows": (4, 1),
    "columns": (5,),
    "batch": (2, 1, 1, 1),
    "batch and channels": (2, 3, 1, 1),
    "batch and columns": (2, 1, 1, 5),
    "each": (2, 3, 4, 5),
    "more than self": (6, 2, 3, 4, 5),
}
MEMORY_FORMATS = {
    "channels first": torch.contiguous_format,
    "channels last": torch.channels_last,
}


def check_against_float64(x: Tensor, alpha: Tensor, divisor: Tensor | None) -> None:
    operands = [x, alpha] if divisor is None else [x, alpha, divisor]
    ours = [t.detach().clone().requires_grad_() for t in operands]
    exact = [t.detach().double().requires_grad_() for t in operands]
    y, z = elu(*ours), in_float64(*exact)
    eps = torch.finfo(x.dtype).eps
    torch.testing.assert_close(y.double(), z, rtol=4 * eps, atol=0)
    grad = torch.randn(y.shape, dtype=x.dtype)
    y.backward(grad)
    z.backward(grad.double())
    for mine, theirs in zip(ours, exact, strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        # A sum of numbers of about 1.
        atol = 4 * eps * math.sqrt(y.numel() / max(mine.numel(), 1))
        torch.testing.assert_close(mine.grad.double(), theirs.grad, rtol=8 * eps, atol=atol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("has_divisor", [False, True], ids=["", "divisor"])
@pytest.mark.parametrize("memory_format", MEMORY_FORMATS.values(), ids=MEMORY_FORMATS.keys())
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_values_and_gradients_broadcast(
    shape: tuple[int, ...],
    memory_format: torch.memory_format,
    has_divisor: bool,
    dtype: torch.dtype,
) -> None:
    x = torch.randn(2, 3, 4, 5, dtype=dtype).to(memory_format=memory_format)
    alpha = torch.rand(shape, dtype=dtype) + 0.3
    check_against_float64(x, alpha, torch.rand(shape, dtype=dtype) + 0.5 if has_divisor else None)
    if has_divisor:
        check_against_float64(x, alpha, torch.tensor(0.7, dtype=dtype))


# Long enough for several pieces of a run, tiles and threads.
LARGE = {
    "one for all": ((70_001,), ()),
    "channels": ((4, 5, 129, 67), (5, 1, 1)),
    "channels last": ((3, 4001, 7), (7,)),
    "many columns": ((130, 1100), (1100,)),
    "three columns": ((40_000, 3), (3,)),
    "short runs": ((300, 9, 11), (9, 1)),
    "each": ((300, 301), (300, 301)),
}


@pytest.mark.parametrize("has_divisor", [False, True], ids=["", "divisor"])
@pytest.mark.parametrize(("shape", "shape_of_alpha"), LARGE.values(), ids=LARGE.keys())
def test_large_tensors_are_summed_right(
    shape: tuple[int, ...], shape_of_alpha: tuple[int, ...], has_divisor: bool
) -> None:
    x, alpha = torch.randn(shape), torch.rand(shape_of_alpha) + 0.3
    check_against_float64(x, alpha, torch.rand(shape_of_alpha) + 0.5 if has_divisor else None)


@pytest.mark.parametrize("has_divisor", [False, True], ids=["", "divisor"])
def test_alphas_of_every_path_stand_side_by_side(has_divisor: bool) -> None:
    alpha = torch.tensor([0.3, 1.0, 1.0, 0.0, 1e-30, 0.7, 1e20, -0.4, 1.0, 2.0, 0.3, 0.3])
    divisor = torch.tensor([1.0, 1.0, 0.5, 1.0, 1.0, 1e-6, 1.0, 3.0, 1.0, 1.0, 1.0, 2.0])
    for shape in ((12,), (12, 1), (12, 1, 1)):
        x = torch.randn(100, *(12 if n == 12 else 80 for n in shape))
        at = [t.reshape(shape) for t in ((alpha, divisor) if has_divisor else (alpha,))]
        y = elu(x, *at)
        for channel in range(12):
            number = alpha[channel].item()
            input_scale = 1 / divisor[channel].item() if has_divisor else 1.0
            one = torch.ops.torch_elu.elu(x.select(1, channel), number, 1.0, input_scale)
            assert_same_bits(y.select(1, channel), one)
    check_against_float64(x[:, :, :, 0], alpha[:, None], divisor[:, None] if has_divisor else None)
    check_against_float64(x[:, :, 0, 0], alpha, divisor if has_divisor else None)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_layout_gives_the_same_bits_and_elus_strides(
    layout: Callable[[Dense], Tensor],
) -> None:
    x = layout(lambda *shape: torch.randn(shape))
    for alpha in (torch.tensor([0.3]), torch.rand(x.shape[-1:]) + 0.3, torch.rand(x.shape) + 0.3):
        y = elu(x, alpha)
        assert_same_bits(y, elu(x.clone(memory_format=torch.contiguous_format), alpha))
        if x.dim() > 0:
            assert y.stride() == torch_elu.elu(x).stride()
        grad = torch.randn_like(y)
        ours = elu_backward(grad, x, alpha, None, [True, True, False])
        dense = elu_backward(grad, x.contiguous(), alpha, None, [True, True, False])
        assert_same_bits(ours[0], dense[0])
        torch.testing.assert_close(ours[1], dense[1])


@pytest.mark.parametrize(("shape", "shape_of_alpha"), LARGE.values(), ids=LARGE.keys())
def test_gradients_are_the_same_on_any_number_of_threads(
    shape: tuple[int, ...], shape_of_alpha: tuple[int, ...]
) -> None:
    # In float64 no rounding hides the order of a sum.
    x, grad = (torch.randn(shape, dtype=torch.float64) for _ in range(2))
    alpha = torch.rand(shape_of_alpha, dtype=torch.float64) + 0.3
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 7):
            torch.set_num_threads(threads)
            results.append(elu_backward(grad, x, alpha, alpha, [True, True, True]))
    finally:
        torch.set_num_threads(before)
    for result in results[1:]:
        for ours, first in zip(result, results[0], strict=True):
            assert_same_bits(ours, first)


def test_the_sum_does_not_lose_what_float32_would() -> None:
    # 2^24 + 1 has no place in float32.
    x = torch.full((1 << 21,), -100.0)  # exp(x) - 1 is -1
    grad = torch.full_like(x, -1.0)
    grad[0] = -float(1 << 24)
    (_, alpha, _) = elu_backward(grad, x, torch.tensor([0.5]), None, [False, True, False])
    # Eight terms are added in float32: the seven beside 2^24 are lost, the others are not.
    assert alpha.item() == (1 << 24) + (1 << 21) - 8


def test_special_inputs() -> None:
    x = torch.tensor([-math.inf, -0.0, 0.0, math.inf, math.nan], requires_grad=True)
    alpha = torch.full((5,), 0.5, requires_grad=True)
    y = torch_elu.celu(x, alpha)
    expected = torch.tensor([-0.5, -0.0, 0.0, math.inf, math.nan])
    assert_same_bits(y, expected)
    y.sum().backward()
    assert x.grad is not None
    assert alpha.grad is not None
    assert_same_bits(x.grad, torch.tensor([0.0, 1.0, 1.0, 1.0, math.nan]))
    assert_same_bits(alpha.grad + 0.0, torch.tensor([-1.0, 0.0, 0.0, 0.0, math.nan]))


def test_celu_of_an_alpha_of_0_is_the_limit() -> None:
    x = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    alpha = torch.zeros(1, requires_grad=True)
    y = torch_elu.celu(x, alpha)
    assert (y == torch.tensor([0.0, 0.0, 3.0])).all()
    y.sum().backward()
    assert x.grad is not None
    assert alpha.grad is not None
    assert x.grad[0] == 0
    assert x.grad[2] == 1
    assert alpha.grad.item() == -1  # of alpha * (exp(-2 / alpha) - 1), from above


def test_empty_tensors() -> None:
    x, alpha = torch.randn(0, 3, requires_grad=True), torch.rand(3, requires_grad=True)
    torch_elu.elu(x, alpha).sum().backward()
    assert x.grad is not None
    assert alpha.grad is not None
    assert x.grad.shape == (0, 3)
    assert torch.equal(alpha.grad, torch.zeros(3))


WRONG = {
    "integer": (torch.ones(3), torch.ones(3, dtype=torch.int64), "alpha to have the dtype of self"),
    "other dtype": (torch.ones(3), torch.ones(3).double(), "Float, but got Double"),
    "other half": (
        torch.ones(3).half(),
        torch.ones(3).bfloat16(),
        "dtype of self, Half, or Float, but got BFloat16",
    ),
    "other device": (
        torch.ones(3),
        torch.ones(3, device="meta"),
        "self on cpu and alpha on meta",
    ),
    "shape": (
        torch.ones(2, 3),
        torch.ones(2),
        r"self of shape \[2, 3\] and alpha of shape \[2\].*\(channels, 1, 1\)",
    ),
}


@pytest.mark.parametrize(("x", "alpha", "message"), WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.celu])
def test_errors_name_what_does_not_fit(
    function: Callable[..., Tensor], x: Tensor, alpha: Tensor, message: str
) -> None:
    with pytest.raises(RuntimeError, match=rf"(?s)torch_elu::parametric_elu.*{message}"):
        function(x, alpha)


@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.celu])
def test_an_alpha_that_is_a_tensor_saves_the_input(function: Callable[..., Tensor]) -> None:
    for keywords in ({"inplace": True}, {"save": "output"}):
        with pytest.raises(ValueError, match=r"gradient of an alpha .* alpha.item\(\)"):
            function(torch.ones(3), torch.ones(3), **keywords)
    with pytest.raises(NotImplementedError, match="not implemented for 'Long'"):
        function(torch.ones(3).long(), torch.ones(3))
    with pytest.raises(TypeError, match="argument 'input' must be Tensor, not int"):
        function(3, torch.ones(3))

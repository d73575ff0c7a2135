"""elu_plus_one: its numbers, its bits in every layout, its derivatives and what they save."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import pytest
import torch
import torch.nn.functional as F
import torch_elu
from layouts import LAYOUTS, Dense
from references import (
    DTYPES,
    HALF_DTYPES,
    Coefficients,
    all_halves,
    assert_same_bits,
    away_from_zero,
    exact_curvature,
    exact_slope,
    in_range,
    largest_error,
    largest_mpmath_error,
    many_floats,
    rounded,
)
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

ops = torch.ops.torch_elu
elu_plus_one = torch_elu.elu_plus_one

INF, NAN = math.inf, math.nan
ELU = Coefficients()  # the slope of elu is the slope of elu + 1
parametrize_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
parametrize_layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())


def exact(x: Tensor) -> Tensor:
    x = x.double()
    return torch.where(x > 0, x + 1, torch.exp(x))


def gradient(x: Tensor, grad_output: Tensor | None = None) -> Tensor:
    x = x.detach().requires_grad_()
    y = elu_plus_one(x)
    (grad,) = torch.autograd.grad(y, x, torch.ones_like(y) if grad_output is None else grad_output)
    return grad


# Numbers


def test_float32_is_within_one_ulp_at_all_exponents_and_down_to_the_subnormals() -> None:
    x = torch.cat([many_floats(torch.float32, 500_000), in_range(torch.float32, 500_000, -105, 3)])
    assert largest_error(elu_plus_one(x), exact(x)) <= 1.0
    assert largest_error(gradient(x), exact_slope(x, ELU)) <= 1.0


def test_float64_is_within_one_ulp_of_mpmath() -> None:
    x = torch.cat(
        [
            in_range(torch.float64, 300, -40, 3),
            in_range(torch.float64, 300, -746, -40),
            -torch.logspace(-320, 0, 200, dtype=torch.float64),
            torch.logspace(-320, 3, 200, dtype=torch.float64),
        ]
    )
    with mpmath.workdps(60):
        value = [mpmath.mpf(v) + 1 if v > 0 else mpmath.exp(v) for v in x.tolist()]
        slope = [mpmath.mpf(1) if v > 0 else mpmath.exp(v) for v in x.tolist()]
    assert largest_mpmath_error(elu_plus_one(x), value) <= 1.0
    assert largest_mpmath_error(gradient(x), slope) <= 1.0


@pytest.mark.parametrize("dtype", HALF_DTYPES, ids=str)
def test_halves_are_correctly_rounded_at_every_input(dtype: torch.dtype) -> None:
    x = all_halves(dtype)
    assert_same_bits(elu_plus_one(x), rounded(exact(x), dtype))
    assert_same_bits(gradient(x), rounded(exact_slope(x, ELU), dtype))


@parametrize_dtypes
@pytest.mark.parametrize(
    ("x", "value", "slope"),
    [
        (0.0, 1.0, 1.0),
        (-0.0, 1.0, 1.0),
        (INF, INF, 1.0),
        (-INF, 0.0, 0.0),
        (NAN, NAN, NAN),
        (3.0, 4.0, 1.0),
        (-1000.0, 0.0, 0.0),
    ],
)
def test_special_inputs(dtype: torch.dtype, x: float, value: float, slope: float) -> None:
    # 37 copies: whole vectors and a rest
    input = torch.full((37,), x, dtype=dtype)
    assert_same_bits(elu_plus_one(input), torch.full_like(input, value))
    assert_same_bits(gradient(input), torch.full_like(input, slope))


# What the docstring says: elu(x) + 1 is 0 from the first one on, and exp(x) behind the second.
ZEROS = {
    torch.float64: (-37.5, -745.1),
    torch.float32: (-17.4, -103.9),
    torch.float16: (-8.4, -17.3),
    torch.bfloat16: (-6.3, -92.5),
}


@pytest.mark.parametrize(("dtype", "zeros"), ZEROS.items(), ids=str)
def test_it_is_positive_where_elu_plus_1_has_become_0(
    dtype: torch.dtype, zeros: tuple[float, float]
) -> None:
    of_sum, of_exp = zeros
    x = in_range(dtype, 10_000, of_exp, of_sum)
    assert (F.elu(x) + 1 == 0).all()
    assert (elu_plus_one(x) > 0).all()
    nearer = torch.tensor([of_sum + 0.2], dtype=dtype)
    elu_of_nearer = torch.tensor([float(mpmath.expm1(nearer.item()))], dtype=torch.float64)
    assert rounded(elu_of_nearer, dtype) + 1 > 0, "the sum is 0 further up than stated"
    assert elu_plus_one(torch.tensor([of_exp - 1], dtype=dtype)) == 0


@parametrize_dtypes
def test_it_is_elu_plus_1_where_nothing_cancels(dtype: torch.dtype) -> None:
    x = in_range(dtype, 10_000, -1, 100)
    expected = torch_elu.elu(x) + 1
    torch.testing.assert_close(elu_plus_one(x), expected, rtol=2 * torch.finfo(dtype).eps, atol=0)


# Layouts, threads


@parametrize_layouts
@parametrize_dtypes
def test_every_layout_gives_the_bits_of_a_contiguous_tensor_and_the_strides_of_elu(
    layout: Callable[[Dense], Tensor], dtype: torch.dtype
) -> None:
    x = layout(lambda *shape: (torch.randn(shape) * 9).to(dtype))
    y = elu_plus_one(x)
    assert y.stride() == F.elu(x).stride()
    assert_same_bits(y, elu_plus_one(x.contiguous()))
    grad = torch.randn_like(x)
    for of_grad in (grad, grad.contiguous(), torch.ones((), dtype=dtype).expand_as(x)):
        result = ops.elu_plus_one_backward(of_grad, x)
        assert result.stride() == F.elu(x).stride()
        # The same arithmetic as PyTorch's: a choice and a product, in float for the halves.
        product = of_grad.double() * x.double().clamp(max=1)
        assert_same_bits(result, rounded(product, dtype))


@parametrize_dtypes
def test_any_number_of_threads_gives_the_same_bits(
    dtype: torch.dtype, threads: Callable[[int], None]
) -> None:
    x = in_range(dtype, 700_001, -30, 3)
    strided = torch.stack([x, x], dim=1)[:, 0]
    threads(1)
    expected = elu_plus_one(x)
    for count in (2, 3):
        threads(count)
        assert_same_bits(elu_plus_one(x), expected)
        assert_same_bits(elu_plus_one(strided), expected)
        assert_same_bits(ops.elu_plus_one_backward(strided, expected), x * expected.clamp(max=1))


# Derivatives


def test_gradcheck_in_both_modes_and_batched() -> None:
    assert gradcheck(
        elu_plus_one,
        away_from_zero(2, 3),
        check_forward_ad=True,
        check_batched_grad=True,
        check_batched_forward_grad=True,
        check_undefined_grad=True,
    )
    assert gradgradcheck(
        elu_plus_one,
        away_from_zero(2, 3),
        check_fwd_over_rev=True,
        check_batched_grad=True,
        check_rev_over_rev=True,
    )


def test_four_derivatives_have_the_relative_precision_of_the_value() -> None:
    x = in_range(torch.float64, 401, -700, 4).requires_grad_()
    z = x.detach()
    derivative = elu_plus_one(x)
    for order in range(1, 5):
        (derivative,) = torch.autograd.grad(derivative.sum(), x, create_graph=True)
        expected = exact_slope(z, ELU) if order == 1 else exact_curvature(z, ELU)
        torch.testing.assert_close(derivative, expected, rtol=1e-15, atol=0)


@parametrize_dtypes
def test_the_gradient_has_the_bits_of_that_of_elu_from_its_input(dtype: torch.dtype) -> None:
    x = torch.cat([many_floats(dtype, 50_000), in_range(dtype, 50_000, -110, 3)])
    ones = torch.ones_like(x)
    assert_same_bits(gradient(x), ops.elu_backward(ones, 1, 1, 1, False, x))


def test_derivatives_at_zero_are_those_of_the_exponential() -> None:
    x = torch.tensor([0.0, -0.0], requires_grad=True)
    (first,) = torch.autograd.grad(elu_plus_one(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert torch.equal(first, torch.ones(2))
    assert torch.equal(second, torch.ones(2))


@pytest.mark.parametrize("shapes", [((2, 2), (2, 2)), ((1, 2), (3, 1)), ((), (3,))], ids=str)
def test_the_backward_is_differentiable_in_both_tensors(
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    grad_output = torch.randn(shapes[0], dtype=torch.float64, requires_grad=True)
    result = exact(away_from_zero(*shapes[1]).detach()).requires_grad_()
    for inputs in (
        (grad_output, result),
        (grad_output.detach(), result),
        (grad_output, result.detach()),
    ):
        backward = ops.elu_plus_one_backward
        assert gradcheck(backward, inputs, check_forward_ad=True, check_batched_grad=True)
        assert gradgradcheck(backward, inputs, check_fwd_over_rev=True)


@parametrize_dtypes
def test_forward_mode_agrees_with_the_formula(dtype: torch.dtype) -> None:
    x = torch.cat([in_range(dtype, 101, -16, 4), torch.tensor([INF, NAN, 1e4], dtype=dtype)])
    tangent = torch.randn_like(x)
    with torch.autograd.forward_ad.dual_level():
        dual = elu_plus_one(torch.autograd.forward_ad.make_dual(x, tangent))
        value, derivative = torch.autograd.forward_ad.unpack_dual(dual)
    assert derivative is not None
    info = torch.finfo(dtype)
    tolerance = {"rtol": 2 * info.eps, "atol": info.smallest_normal, "equal_nan": True}
    torch.testing.assert_close(value.double(), exact(x), **tolerance)
    torch.testing.assert_close(
        derivative.double(), exact_slope(x, ELU) * tangent.double(), **tolerance
    )


# What is saved


def test_the_output_is_saved_and_nothing_else() -> None:
    saved = []

    def pack(tensor: Tensor) -> Tensor:
        saved.append(tensor.data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = elu_plus_one(torch.randn(10, requires_grad=True))
        elu_plus_one(torch.randn(10))
    assert saved == [y.data_ptr()]


def test_a_changed_output_is_an_error_of_backward_and_a_changed_input_is_not() -> None:
    x = torch.randn(10, requires_grad=True)
    y = elu_plus_one(x * 1)
    y.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    z = x * 1
    y = elu_plus_one(z)
    z.zero_()
    y.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad.double(), exact_slope(x.detach(), ELU), rtol=1e-6, atol=0)


# Mistakes


@pytest.mark.parametrize(
    ("device", "error"), [("cpu", NotImplementedError), ("meta", RuntimeError)]
)
@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64], ids=str)
def test_other_dtypes_raise_an_error_naming_the_operator(
    dtype: torch.dtype, device: str, error: type[Exception]
) -> None:
    x = torch.zeros(3, dtype=dtype, device=device)
    for name, call in (
        ("elu_plus_one", lambda: elu_plus_one(x)),
        ("elu_plus_one_backward", lambda: ops.elu_plus_one_backward(x, x)),
    ):
        with pytest.raises(error, match=f'"torch_elu::{name}" not implemented for'):
            call()


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_backward_of_different_dtypes_or_shapes_is_an_error(device: str) -> None:
    x = torch.ones(3, device=device)
    with pytest.raises(
        RuntimeError, match="elu_plus_one_backward expected grad_output to have the dtype of result"
    ):
        ops.elu_plus_one_backward(x, x.double())
    with pytest.raises(RuntimeError, match="must match"):
        ops.elu_plus_one_backward(x, torch.ones(4, device=device))


@pytest.mark.parametrize("arguments", [(), ([1.0],), (1.0,), (None,), (torch.ones(1), 1.0)])
def test_wrong_arguments_are_type_errors(arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        elu_plus_one(*arguments)

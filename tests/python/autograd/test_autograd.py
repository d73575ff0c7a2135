"""Derivatives of every order are right, forwards and backwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from references import (
    DTYPES,
    PLUS_ONE,
    SELU,
    Coefficients,
    assert_same_bits,
    away_from_zero,
    celu,
    exact_curvature,
    exact_slope,
    exact_value,
    in_range,
)
from torch import Tensor
from torch.autograd import forward_ad, gradcheck, gradgradcheck

elu_backward = torch.ops.torch_elu.elu_backward


def in_place(function: Callable[..., Tensor], **keywords: float) -> Callable[[Tensor], Tensor]:
    # Not of a leaf, and the multiplication saves nothing that is overwritten.
    return lambda x: function(x * 1.0, inplace=True, **keywords)


FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], Coefficients]] = {
    "elu": (torch_elu.elu, Coefficients()),
    "elu(0.3)": (lambda x: torch_elu.elu(x, 0.3), Coefficients(0.3)),
    "elu(-0.7)": (lambda x: torch_elu.elu(x, -0.7), Coefficients(-0.7)),
    "elu(0)": (lambda x: torch_elu.elu(x, 0), Coefficients(0.0)),
    "elu, output saved": (lambda x: torch_elu.elu(x, 1.7, save="output"), Coefficients(1.7)),
    "elu in place": (in_place(torch_elu.elu, alpha=1.7), Coefficients(1.7)),
    "selu": (torch_elu.selu, SELU),
    "selu in place": (in_place(torch_elu.selu), SELU),
    "celu(0.3)": (lambda x: torch_elu.celu(x, 0.3), celu(0.3)),
    "celu(-2)": (lambda x: torch_elu.celu(x, -2.0), celu(-2.0)),
    "celu, output saved": (lambda x: torch_elu.celu(x, 1.7, save="output"), celu(1.7)),
    "celu in place": (in_place(torch_elu.celu, alpha=1.7), celu(1.7)),
    "elu_plus_one": (torch_elu.elu_plus_one, PLUS_ONE),
    "all three": (lambda x: torch.ops.torch_elu.elu(x, 0.4, 1.3, 0.6), Coefficients(0.4, 1.3, 0.6)),
}
parametrize_functions = pytest.mark.parametrize(
    ("function", "c"), FUNCTIONS.values(), ids=FUNCTIONS.keys()
)


@parametrize_functions
def test_gradcheck_in_both_modes_and_batched(
    function: Callable[[Tensor], Tensor], c: Coefficients
) -> None:
    assert gradcheck(
        function,
        away_from_zero(2, 3),
        check_forward_ad=True,
        check_backward_ad=True,
        check_batched_grad=True,
        check_batched_forward_grad=True,
        check_undefined_grad=True,
    )


@parametrize_functions
def test_gradgradcheck_backwards_and_forwards_over_backwards(
    function: Callable[[Tensor], Tensor], c: Coefficients
) -> None:
    assert gradgradcheck(
        function,
        away_from_zero(2, 3),
        check_fwd_over_rev=True,
        check_batched_grad=True,
        check_rev_over_rev=True,
    )


@parametrize_functions
def test_three_derivatives_are_those_of_the_formula(
    function: Callable[[Tensor], Tensor], c: Coefficients
) -> None:
    x = in_range(torch.float64, 201, -8, 4).requires_grad_()
    (first,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
    (third,) = torch.autograd.grad(second.sum(), x)
    # Where the result is saved, its rounding error is that of alpha, not that of the slope.
    tolerance = {"rtol": 3e-16, "atol": 0 if c is PLUS_ONE else abs(c.alpha) * 1e-15}
    x = x.detach()
    torch.testing.assert_close(first, exact_slope(x, c), **tolerance)
    torch.testing.assert_close(second, exact_curvature(x, c), **tolerance)
    torch.testing.assert_close(third, exact_curvature(x, c) * c.input_scale, **tolerance)


@pytest.mark.parametrize("is_result", [False, True])
@pytest.mark.parametrize("c", [Coefficients(0.4, 1.3, 0.6), SELU, celu(0.3), PLUS_ONE])
@pytest.mark.parametrize(
    "shapes", [((2, 2), (2, 2)), ((1, 2), (3, 1)), ((), (3,)), ((2, 1, 2), (2,))], ids=str
)
def test_the_backwards_are_differentiable_in_both_tensors(
    c: Coefficients, is_result: bool, shapes: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    grad_output = torch.randn(shapes[0], dtype=torch.float64, requires_grad=True)
    x = away_from_zero(*shapes[1])
    if c is PLUS_ONE and not is_result:
        pytest.skip("it has a backward of its result alone")
    tensor = exact_value(x.detach(), c).requires_grad_() if is_result else x
    for inputs in (
        (grad_output, tensor),
        (grad_output.detach(), tensor),
        (grad_output, tensor.detach()),
    ):

        def function(g: Tensor, t: Tensor) -> Tensor:
            if c is PLUS_ONE:
                return torch.ops.torch_elu.elu_plus_one_backward(g, t)
            return elu_backward(g, *c, is_result, t)

        assert gradcheck(function, inputs, check_forward_ad=True, check_batched_grad=True)
        assert gradgradcheck(function, inputs, check_fwd_over_rev=True)


@pytest.mark.parametrize(
    "view",
    [lambda y: y[:, ::2], lambda y: y.t()[1], lambda y: y.view(-1), lambda y: y.diagonal()],
    ids=["slice", "row of transposed", "flat", "diagonal"],
)
def test_gradient_flows_through_a_view_modified_in_place(view: Callable[[Tensor], Tensor]) -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 2.0
        torch_elu.elu(view(y), 0.5, inplace=True)
        return y

    x = away_from_zero(3, 4)
    assert gradcheck(function, x)
    assert gradgradcheck(function, x)


@pytest.mark.parametrize("name", ["elu", "selu", "celu(0.3)", "elu_plus_one"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_forward_mode_agrees_with_the_formula(name: str, dtype: torch.dtype) -> None:
    function, c = FUNCTIONS[name]
    x = torch.cat([in_range(dtype, 101, -8, 4), torch.tensor([torch.inf, torch.nan, 1e4])]).to(
        dtype
    )
    tangent = torch.randn_like(x)
    with forward_ad.dual_level():
        dual = function(forward_ad.make_dual(x, tangent))
        value, derivative = forward_ad.unpack_dual(dual)
    eps = torch.finfo(dtype).eps
    tolerance = {"rtol": 2 * eps, "atol": eps / 4, "equal_nan": True}
    torch.testing.assert_close(value.double(), exact_value(x, c), **tolerance)
    assert derivative is not None
    torch.testing.assert_close(
        derivative.double(), exact_slope(x, c) * tangent.double(), **tolerance
    )


VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "whole": lambda y: y,
    "slice": lambda y: y[:, ::2],
    "row of transposed": lambda y: y.t()[1],
    "flat": lambda y: y.view(-1),
}


@pytest.mark.parametrize(
    ("alpha", "requires_grad"), [(0.3, False), (0.3, True), (0.0, True), (-0.7, False)]
)
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_in_place_the_tangent_is_overwritten_too(
    view: Callable[[Tensor], Tensor], alpha: float, requires_grad: bool
) -> None:
    x, tangent = (torch.randn(4, 6, dtype=torch.float64) for _ in range(2))
    slope = torch.ones_like(x)
    view(slope).copy_(exact_slope(view(x), Coefficients(alpha)))
    leaf = x.clone().requires_grad_(requires_grad)
    with forward_ad.dual_level():
        base = forward_ad.make_dual(leaf, tangent) * 1.0
        before = forward_ad.unpack_dual(base).tangent
        viewed = view(base)
        assert torch_elu.elu(viewed, alpha, inplace=True) is viewed
        after = forward_ad.unpack_dual(base).tangent
        assert after is not None
        assert before is not None
        assert after.data_ptr() == before.data_ptr()
        torch.testing.assert_close(after.detach(), tangent * slope)
        of_view = forward_ad.unpack_dual(viewed).tangent
        torch.testing.assert_close(of_view, view(after))
        if requires_grad:  # reverse over forward: the tangent's own gradient
            (curvature,) = torch.autograd.grad(after.sum(), leaf)
            expected = torch.zeros_like(x)
            view(expected).copy_(view(tangent) * exact_curvature(view(x), Coefficients(alpha)))
            torch.testing.assert_close(curvature, expected)


@pytest.mark.parametrize(
    ("dtype", "of_tangent"),
    [
        (torch.bfloat16, torch.float32),  # as behind a norm whose weights are float32
        (torch.bfloat16, torch.float64),
        (torch.float32, torch.bfloat16),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("function", "theirs", "rtol"),
    [
        (torch_elu.elu, F.elu, 1e-6),
        (torch_elu.elu_plus_one, F.elu, 2**-8),  # from its result, a bfloat16
        # The tangent that is overwritten may be a bfloat16.
        (in_place(torch_elu.elu), in_place(F.elu), 2**-8),
    ],
    ids=["elu", "elu_plus_one", "in place"],
)
def test_a_tangent_may_have_another_dtype(
    function: Callable[[Tensor], Tensor],
    theirs: Callable[[Tensor], Tensor],
    rtol: float,
    dtype: torch.dtype,
    of_tangent: torch.dtype,
) -> None:
    x, tangent = in_range(dtype, 101, -8, 4), torch.randn(101).to(of_tangent)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, tangent)
        assert forward_ad.unpack_dual(dual).tangent.dtype == of_tangent, "PyTorch converts it"
        value, derivative = forward_ad.unpack_dual(function(dual))
        expected = forward_ad.unpack_dual(theirs(dual)).tangent
    assert_same_bits(value, function(x))
    assert derivative.dtype == expected.dtype
    exact = tangent.double() * exact_slope(x, Coefficients())
    torch.testing.assert_close(derivative.double(), exact, rtol=2 * rtol, atol=1e-7)
    # Forward over reverse: its tangent is that of the gradient.
    gradient = torch.func.grad(lambda x: function(x).sum())
    _, second = torch.func.jvp(gradient, (x,), (tangent,))
    exact = tangent.double() * exact_curvature(x, Coefficients())
    torch.testing.assert_close(second.double(), exact, rtol=2e-2, atol=1e-2)


def test_in_place_a_tangent_that_cannot_be_pushed_forward_changes_nothing() -> None:
    x = torch.full((3,), -1.0)
    tangent = torch.ones(3, dtype=torch.complex64)
    with forward_ad.dual_level():
        try:
            dual = forward_ad.make_dual(x, tangent)
        except RuntimeError:
            pytest.skip("this PyTorch takes no complex tangent of a real tensor")
        with pytest.raises(NotImplementedError, match="not implemented for 'ComplexFloat'"):
            torch_elu.elu(dual, inplace=True)
    assert torch.equal(x, torch.full((3,), -1.0))


def test_a_tangent_alone_needs_no_coefficient_of_a_sign() -> None:
    x, tangent = in_range(torch.float64, 101, -8, 4), torch.randn(101, dtype=torch.float64)
    for keywords in ({"save": "output"}, {"inplace": True}):
        with forward_ad.dual_level():
            dual = torch_elu.elu(forward_ad.make_dual(x.clone(), tangent.clone()), -0.7, **keywords)
            derivative = forward_ad.unpack_dual(dual).tangent
        torch.testing.assert_close(derivative, tangent * exact_slope(x, Coefficients(-0.7)))


def test_out_refuses_tangents_as_pytorchs_does() -> None:
    for out_variant in (torch.ops.torch_elu.elu.out, torch.ops.aten.elu.out):
        for dual_first in (True, False):
            with forward_ad.dual_level():
                pair = [forward_ad.make_dual(torch.ones(3), torch.ones(3)), torch.empty(3)]
                x, out = pair if dual_first else reversed(pair)
                with pytest.raises(NotImplementedError, match="forward AD with elu_out"):
                    out_variant(x, out=out)

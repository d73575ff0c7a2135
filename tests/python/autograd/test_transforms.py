"""torch.func: right derivatives, with the bits that the same calls have outside."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from references import (
    PLUS_ONE,
    SELU,
    Coefficients,
    assert_same_bits,
    celu,
    exact_curvature,
    exact_slope,
    exact_value,
    in_range,
)
from torch import Tensor
from torch.func import functionalize, grad, hessian, jacfwd, jacrev, jvp, linearize, vjp, vmap

pytestmark = pytest.mark.filterwarnings(
    "error::UserWarning",  # vmap warns where it has to loop
    "ignore:Attempted to insert a get_attr Node:UserWarning",  # linearize's own
)

FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], Coefficients]] = {
    "elu(0.3)": (lambda x: torch_elu.elu(x, 0.3), Coefficients(0.3)),
    "elu, output saved": (lambda x: torch_elu.elu(x, 0.3, save="output"), Coefficients(0.3)),
    "elu in place": (lambda x: torch_elu.elu(x * 1.0, 0.3, inplace=True), Coefficients(0.3)),
    "selu": (torch_elu.selu, SELU),
    "celu(0.3)": (lambda x: torch_elu.celu(x, 0.3), celu(0.3)),
    "elu_plus_one": (torch_elu.elu_plus_one, PLUS_ONE),
}
parametrize_functions = pytest.mark.parametrize(
    ("function", "c"), FUNCTIONS.values(), ids=FUNCTIONS.keys()
)


def inputs(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64) * 3


def assert_close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-15)


@parametrize_functions
def test_functional_derivatives_are_those_of_the_formula(
    function: Callable[[Tensor], Tensor], c: Coefficients
) -> None:
    # Where exp(x) overflows, its gradient must not come in.
    x = torch.cat([inputs(3), torch.tensor([800.0, -800.0], dtype=torch.float64)])
    tangent = inputs(5)
    slope, curvature = exact_slope(x, c), exact_curvature(x, c)

    assert_close(grad(lambda x: function(x).sum())(x), slope)
    value, pull = vjp(function, x)
    assert_close(value, exact_value(x, c))
    assert_close(pull(tangent)[0], slope * tangent)
    value, pushed = jvp(function, (x,), (tangent,))
    assert_close(value, exact_value(x, c))
    assert_close(pushed, slope * tangent)
    value, push = linearize(function, x)
    assert_close(value, exact_value(x, c))
    assert_close(push(tangent), slope * tangent)
    assert_close(jacrev(function)(x), slope.diag())
    assert_close(jacfwd(function)(x), slope.diag())
    assert_close(hessian(lambda x: function(x).sum())(x), curvature.diag())
    assert_close(jacrev(jacfwd(lambda x: function(x).sum()))(x), curvature.diag())
    assert_close(grad(grad(grad(lambda x: function(x).sum())))(x[0]), curvature[0] * c.input_scale)
    assert_close(vmap(grad(lambda x: function(x).sum()))(x.view(5, 1)), slope.view(5, 1))
    assert_close(grad(lambda x: vmap(function)(x).sum())(x), slope)
    assert_close(vmap(lambda t: jvp(function, (x,), (t,))[1])(torch.eye(5).double()), slope.diag())


@parametrize_functions
def test_values_gradients_and_tangents_have_the_bits_of_the_operators(
    function: Callable[[Tensor], Tensor], c: Coefficients
) -> None:
    dense = in_range(torch.float32, 10_000, -20, 2)
    for x in (dense, torch.stack([dense, dense], dim=1)[:, 0]):
        tangent = torch.randn_like(x)
        value = function(x)
        leaf = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(function(leaf), leaf, tangent)
        pushed = torch.ops.torch_elu.elu_backward(tangent, *c, False, x)
        if c is PLUS_ONE:
            pushed = torch.ops.torch_elu.elu_plus_one_backward(tangent, value)

        result, pull = vjp(function, x)
        assert_same_bits(result, value)
        assert_same_bits(pull(tangent)[0], gradient)
        result, derivative = jvp(function, (x,), (tangent,))
        assert_same_bits(result, value)
        assert_same_bits(derivative, pushed)
        rows = x.view(100, 100), tangent.view(100, 100)
        assert_same_bits(vmap(lambda x, t: vjp(function, x)[1](t)[0])(*rows).view(-1), gradient)
        assert_same_bits(vmap(lambda x, t: jvp(function, (x,), (t,))[1])(*rows).view(-1), pushed)


def test_in_place_on_what_a_transform_does_not_own_is_an_error_as_for_pytorch() -> None:
    captured = inputs(5)
    for activation in (torch_elu.elu, F.elu):
        before = captured.clone()
        with pytest.raises(RuntimeError, match="mutate a captured Tensor"):
            grad(lambda x: (activation(captured, inplace=True) * x).sum())(inputs(5))  # noqa: B023
        assert_same_bits(captured, before)


@pytest.mark.parametrize("in_dim", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("out_dim", [0, 1, -1])
@parametrize_functions
def test_vmap_gives_the_bits_of_one_call(
    function: Callable[[Tensor], Tensor], c: Coefficients, in_dim: int, out_dim: int
) -> None:
    x = inputs(3, 4, 5).float()
    batched = vmap(function, in_dims=in_dim, out_dims=out_dim)(x)
    assert_same_bits(batched, function(x).movedim(in_dim, out_dim))
    assert batched.movedim(out_dim, in_dim).stride() == function(x).stride()


@parametrize_functions
def test_nested_vmap_gives_the_bits_of_one_call(
    function: Callable[[Tensor], Tensor], c: Coefficients
) -> None:
    x = inputs(3, 4, 5).float()
    nested = vmap(vmap(function, in_dims=1, out_dims=1), in_dims=1, out_dims=1)(x)
    assert_same_bits(nested, function(x))


def test_vmap_in_place_writes_into_the_batched_tensor() -> None:
    x = inputs(3, 4).float()
    expected = torch_elu.elu(x)
    result = vmap(lambda x: torch_elu.elu(x, inplace=True), in_dims=1, out_dims=1)(x)
    assert_same_bits(x, expected)
    assert_same_bits(result, expected)


def elu_backward(grad_output: Tensor, x: Tensor) -> Tensor:
    return torch.ops.torch_elu.elu_backward(grad_output, 0.3, 1, 1, False, x)


BACKWARD_DIMS = [dims for dims in itertools.product([0, 1, None], repeat=2) if dims != (None, None)]
parametrize_backwards = pytest.mark.parametrize(
    "backward",
    [elu_backward, torch.ops.torch_elu.elu_plus_one_backward],
    ids=["elu", "elu_plus_one"],
)


@pytest.mark.parametrize("in_dims", BACKWARD_DIMS, ids=str)
@parametrize_backwards
def test_vmap_of_a_backward_for_all_dims(
    backward: Callable[[Tensor, Tensor], Tensor], in_dims: tuple[int | None, int | None]
) -> None:
    shapes = {0: (3, 4), 1: (4, 3), None: (4,)}
    tensors = [inputs(*shapes[dim]) for dim in in_dims]
    result = vmap(backward, in_dims=in_dims)(*tensors)
    slices = [
        [t if dim is None else t.select(dim, i) for t, dim in zip(tensors, in_dims, strict=True)]
        for i in range(3)
    ]
    assert_same_bits(result, torch.stack([backward(*pair) for pair in slices]))


@pytest.mark.parametrize(
    "shapes", [((), (4,)), ((4,), ()), ((2, 1), (4,)), ((4,), (2, 4))], ids=str
)
@parametrize_backwards
def test_vmap_of_a_backward_broadcasts_what_is_inside(
    backward: Callable[[Tensor, Tensor], Tensor],
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    tensors = [inputs(3, *shape) for shape in shapes]
    expected = torch.stack([backward(*pair) for pair in zip(*tensors, strict=True)])
    assert_same_bits(vmap(backward)(*tensors), expected)


def test_vmap_over_two_levels_of_different_arguments() -> None:
    grad_output, x = inputs(3, 5), inputs(4, 5)
    outer = vmap(lambda g: vmap(lambda x: elu_backward(g, x))(x))(grad_output)
    assert_close(outer, grad_output[:, None] * exact_slope(x, Coefficients(0.3)))


def test_vmap_of_out_does_what_it_does_for_pytorch() -> None:
    def call(out_variant: Callable[..., Tensor]) -> str | Tensor:
        x, out = torch.ones(3, 4), torch.empty(3, 4)
        try:
            vmap(lambda x, out: out_variant(x, out=out))(x, out)
        except RuntimeError as error:
            return type(error).__name__
        return out

    assert call(torch.ops.torch_elu.elu.out) == call(torch._C._nn.elu) == "RuntimeError"


def test_per_sample_gradients_of_a_model() -> None:
    weight, samples = inputs(6, 5), inputs(7, 5)

    def loss(weight: Tensor, x: Tensor) -> Tensor:
        return torch_elu.selu(torch_elu.elu(weight @ x, 0.5)).square().sum()

    each = vmap(grad(loss), in_dims=(None, 0))(weight, samples)
    for i, x in enumerate(samples):
        w = weight.clone().requires_grad_()
        F.selu(F.elu(w @ x, 0.5)).square().sum().backward()
        assert_close(each[i], w.grad)


def test_functionalize_replaces_in_place_and_out() -> None:
    def function(x: Tensor) -> Tensor:
        y = x.clone()
        torch_elu.elu(y[1:], 0.3, inplace=True)
        out = torch.empty_like(x)
        torch.ops.torch_elu.elu.out(x, 0.3, out=out)
        return y * out

    x = inputs(5)
    assert_same_bits(functionalize(function)(x), function(x))


def test_vmap_passes_save_on() -> None:
    x = inputs(3, 4).requires_grad_()
    with pytest.raises(RuntimeError, match="keeps its output for backward"):
        vmap(lambda x: torch_elu.elu(x, -0.5, save="output"))(x)


def test_functionalize_takes_over_what_views_have_written() -> None:
    def function(x: Tensor) -> Tensor:
        y, z = x.clone(), x.clone()
        y[1:].mul_(2)
        z[1:].mul_(2)
        torch_elu.elu(y, 0.3, inplace=True)
        out = torch.empty_like(x)
        torch.ops.torch_elu.elu.out(z, 0.3, out=out)
        return y * out

    x = inputs(5)
    assert_same_bits(functionalize(function)(x), function(x))


def test_functionalize_takes_tensors_that_it_does_not_own() -> None:
    captured, elu_out = inputs(5), torch.ops.torch_elu.elu.out

    def function(x: Tensor) -> Tensor:
        out, own, other = torch.empty_like(x), captured.clone(), torch.empty_like(captured)
        elu_out(captured, 0.3, out=out)
        torch_elu.elu(own, 0.3, inplace=True)
        elu_out(captured, 0.3, out=other)
        return x * out * own * other

    x = inputs(5)
    assert_same_bits(functionalize(function)(x), function(x))
    with pytest.raises(RuntimeError, match="cannot be written into one that is not"):
        functionalize(lambda x: elu_out(x, out=captured))(x)

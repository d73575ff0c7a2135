"""The gradients of an alpha that is a tensor: of any order, in every mode, and what is saved."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch_elu
from references import assert_same_bits, away_from_zero
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.autograd.graph import saved_tensors_hooks
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

elu = torch.ops.torch_elu.parametric_elu
elu_backward = torch.ops.torch_elu.parametric_elu_backward
FUNCTIONS = [torch_elu.elu, torch_elu.celu]
SHAPES = [(), (1,), (4,), (3, 1), (2, 3, 4), (2, 1, 1)]


def parameter(*shape: int) -> Tensor:
    return (torch.rand(shape, dtype=torch.float64) + 0.4).requires_grad_()


def in_pytorch(x: Tensor, alpha: Tensor, divisor: Tensor | None = None) -> Tensor:
    z = x if divisor is None else x / divisor
    return torch.where(x > 0, x, alpha * torch.expm1(torch.where(x > 0, 0, z)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("has_divisor", [False, True], ids=["", "divisor"])
def test_gradcheck_of_any_order_and_in_both_modes(
    has_divisor: bool, shape: tuple[int, ...]
) -> None:
    operands = [away_from_zero(2, 3, 4), parameter(*shape)]
    operands += [parameter(*shape)] if has_divisor else []
    assert gradcheck(elu, operands, check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(elu, operands, check_fwd_over_rev=True, check_batched_grad=True)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_three_derivatives_are_pytorchs(function: Callable[..., Tensor]) -> None:
    x, alpha = away_from_zero(5, 3), parameter(3)
    theirs = in_pytorch(x, alpha, alpha if function is torch_elu.celu else None)
    ours = function(x, alpha)
    for _ in range(3):
        ours, theirs = (
            sum((g.sin() for g in torch.autograd.grad(y.sum(), (x, alpha), create_graph=True)), 0)
            for y in (ours, theirs)
        )
        torch.testing.assert_close(ours, theirs)


def test_no_more_is_saved_than_self_and_alpha() -> None:
    x, alpha = torch.randn(4, 3, 5, requires_grad=True), torch.rand(3, 1, requires_grad=True)
    saved: set[int] = set()

    def pack(tensor: Tensor) -> Tensor:
        saved.add(tensor.data_ptr())
        return tensor

    for function in FUNCTIONS:
        saved.clear()
        with saved_tensors_hooks(pack, lambda tensor: tensor):
            function(x, alpha)
        assert saved == {x.data_ptr(), alpha.data_ptr()}


def test_only_what_is_asked_for_is_computed() -> None:
    x, alpha = torch.randn(4, 3), torch.rand(3)
    for mask in ([True, False, False], [False, True, False], [False, False, True]):
        result = elu_backward(torch.ones(4, 3), x, alpha, alpha, mask)
        assert [tensor is not None for tensor in result] == mask
    frozen = torch_elu.elu(x.requires_grad_(), alpha)
    frozen.sum().backward()
    assert alpha.grad is None


@pytest.mark.parametrize("function", FUNCTIONS)
def test_vmap_over_alpha_self_and_both_has_the_bits_of_a_loop(
    function: Callable[..., Tensor],
) -> None:
    x, alphas = torch.randn(4, 5, 6), torch.rand(4) + 0.3
    one = vmap(lambda a: function(x, a))(alphas)
    assert_same_bits(one, torch.stack([function(x, a.item()) for a in alphas]))
    rows = torch.rand(4, 6) + 0.3
    assert_same_bits(
        vmap(function)(x, rows), torch.stack([function(a, b) for a, b in zip(x, rows, strict=True)])
    )
    assert_same_bits(
        vmap(function, in_dims=(1, None))(x, rows[0]), function(x.movedim(1, 0), rows[0])
    )
    nested = vmap(lambda a: vmap(lambda row: function(row, a))(x))(alphas)
    assert_same_bits(nested, one)


@pytest.mark.parametrize("of_alpha", [None, 0, 1, -1], ids=str)
@pytest.mark.parametrize("of_self", [None, 0, 1, 2, -1], ids=str)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_vmap_takes_every_pair_of_in_dims(
    function: Callable[..., Tensor], of_self: int | None, of_alpha: int | None
) -> None:
    if of_self is None and of_alpha is None:
        pytest.skip("vmap wants a batch")
    # A batch of 4: of self (2, 5) and of alpha (5,), or without one as they are.
    x, alpha = torch.randn(2, 5), torch.rand(5) + 0.3
    xs, alphas = torch.randn(4, 2, 5), torch.rand(4, 5) + 0.3
    each = [
        (x if of_self is None else xs[i], alpha if of_alpha is None else alphas[i])
        for i in range(4)
    ]
    given = (
        x if of_self is None else xs.movedim(0, of_self),
        alpha if of_alpha is None else alphas.movedim(0, of_alpha),
    )
    got = vmap(function, in_dims=(of_self, of_alpha))(*given)
    assert_same_bits(got, torch.stack([function(*one) for one in each]))

    def gradients(x: Tensor, alpha: Tensor) -> tuple[Tensor, ...]:
        return grad(lambda x, a: function(x, a).square().sum(), argnums=(0, 1))(x, alpha)

    of_batch = vmap(gradients, in_dims=(of_self, of_alpha))(*given)
    for got, *expected in zip(of_batch, *(gradients(*one) for one in each), strict=True):
        torch.testing.assert_close(got, torch.stack(expected))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_per_sample_gradients_of_alpha(function: Callable[..., Tensor]) -> None:
    x, alpha = torch.randn(4, 5, 3), torch.rand(3) + 0.3

    def loss(a: Tensor, sample: Tensor) -> Tensor:
        return function(sample, a).square().sum()

    each = vmap(grad(loss), in_dims=(None, 0))(alpha, x)
    assert each.shape == (4, 3)
    torch.testing.assert_close(each, torch.stack([grad(loss)(alpha, sample) for sample in x]))
    # And of a number for each sample.
    numbers = torch.rand(4) + 0.3
    each = vmap(grad(loss))(numbers, x)
    torch.testing.assert_close(
        each, torch.stack([grad(loss)(a, s) for a, s in zip(numbers, x, strict=True)])
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_transforms_agree_with_pytorchs(function: Callable[..., Tensor]) -> None:
    x, alpha = away_from_zero(5, 3).detach(), parameter(3).detach()

    def ours(a: Tensor) -> Tensor:
        return function(x, a)

    def theirs(a: Tensor) -> Tensor:
        return in_pytorch(x, a, a if function is torch_elu.celu else None)

    for transform in (jacrev, jacfwd, hessian):
        torch.testing.assert_close(transform(ours)(alpha), transform(theirs)(alpha))
    tangent = torch.randn_like(alpha)
    torch.testing.assert_close(jvp(ours, (alpha,), (tangent,)), jvp(theirs, (alpha,), (tangent,)))
    cotangent = torch.randn_like(x)
    assert_same_bits(
        vjp(ours, alpha)[1](cotangent)[0],
        torch.autograd.grad(ours(alpha.requires_grad_()), alpha, cotangent)[0],
    )


def test_a_number_without_dimensions_learns_when_it_requires_grad() -> None:
    x, alpha = torch.randn(7), torch.tensor(0.7, requires_grad=True)
    y = torch_elu.elu(x, alpha)
    assert_same_bits(y, torch_elu.elu(x, alpha.item()))
    y.sum().backward()
    assert alpha.grad is not None
    torch.testing.assert_close(alpha.grad, torch.expm1(x.clamp(max=0)).sum())


def test_writing_to_alpha_before_backward_is_an_error() -> None:
    x, alpha = torch.randn(7, requires_grad=True), torch.rand(7, requires_grad=True)
    y = torch_elu.elu(x, alpha)
    with torch.no_grad():
        alpha.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_under_autocast_a_float32_alpha_learns_in_float32() -> None:
    layer = torch.nn.Sequential(torch.nn.Linear(4, 3), torch_elu.ParametricELU(3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(torch.randn(8, 4))
    assert y.dtype == torch.bfloat16
    y.sum().backward()
    assert layer[1].alpha.grad.dtype == torch.float32

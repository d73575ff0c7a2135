"""Derivatives of any order, forward and backward, and the transforms of torch.func."""

from __future__ import annotations

import pytest
import torch
import torch_elu
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, hessian, jacrev, jvp, vmap

ops = torch.ops.torch_elu


def away_from_zero(*shape: int) -> Tensor:
    """Finite differences need both ends of a step on the same side of the kink."""
    x = torch.randn(shape, dtype=torch.float64)
    return (x + torch.where(x < 0, -0.1, 0.1)).requires_grad_()


@pytest.mark.parametrize("alpha", [1.0, 0.3, -2.0])
def test_first_and_second_derivatives(alpha: float) -> None:
    def function(x: Tensor) -> Tensor:
        return torch_elu.elu(x, alpha)

    x = away_from_zero(4, 3)
    assert gradcheck(function, x, check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(function, x, check_fwd_over_rev=True, check_batched_grad=True)


@pytest.mark.parametrize("is_result", [False, True])
def test_derivatives_of_the_backward(is_result: bool) -> None:
    def function(grad_output: Tensor, saved: Tensor) -> Tensor:
        return ops.elu_backward(grad_output, 0.7, is_result, saved)

    operands = (torch.randn(5, dtype=torch.float64, requires_grad=True), away_from_zero(5))
    assert gradcheck(function, operands, check_forward_ad=True)
    assert gradgradcheck(function, operands)


def test_in_place_is_differentiable_twice() -> None:
    def function(x: Tensor) -> Tensor:
        return torch_elu.elu(x * 1, 0.7, inplace=True)

    x = away_from_zero(4, 3)
    assert gradcheck(function, x, check_forward_ad=True)
    assert gradgradcheck(function, x)


def test_an_output_that_was_overwritten_is_noticed() -> None:
    x = torch.randn(3, requires_grad=True)
    overwritten = x * 1
    result = torch_elu.elu(overwritten, inplace=True)
    result.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.sum().backward()


def test_transforms_are_the_loops_that_they_stand_for() -> None:
    x = torch.randn(5, 3, dtype=torch.float64)
    single = [torch_elu.elu(row, 0.7) for row in x.T]
    assert torch.equal(vmap(lambda row: torch_elu.elu(row, 0.7), in_dims=1)(x), torch.stack(single))

    def total(row: Tensor) -> Tensor:
        return torch_elu.elu(row, 0.7).square().sum()

    gradients = vmap(grad(total))(x)
    assert torch.equal(gradients, torch.stack([grad(total)(row) for row in x]))
    torch.testing.assert_close(hessian(total)(x[0]), jacrev(grad(total))(x[0]))
    value, tangent = jvp(total, (x[0],), (torch.ones(3, dtype=torch.float64),))
    torch.testing.assert_close(tangent, gradients[0].sum())
    assert torch.equal(value, total(x[0]))
    in_place = vmap(lambda row: torch_elu.elu(row, 0.7, inplace=True))(x.clone())
    assert torch.equal(in_place, torch_elu.elu(x, 0.7))


def test_vmap_unwraps_the_batch_once_and_does_not_loop() -> None:
    operators = ("elu", "elu_", "elu_backward")
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    assert all(has_kernel(f"torch_elu::{name}", "FuncTorchBatched") for name in operators)
    grad_output, x = torch.randn(4, 3), torch.randn(3)
    backward = vmap(lambda row: ops.elu_backward(row, 1.0, False, x))(grad_output)
    assert torch.equal(backward, ops.elu_backward(grad_output, 1.0, False, x.expand(4, 3)))

"""Operators called in a loop inside TorchScript's C++ interpreter, so that Python is not timed."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch_elu
from torch import Tensor
from torch.nn import functional


@functools.cache
def scripted(function: Callable[..., Tensor]) -> Callable[..., Any]:
    """What TorchScript makes of a function."""
    with warnings.catch_warnings():
        # PyTorch prefers torch.export by now, which LibTorch cannot load.
        warnings.filterwarnings("ignore", "`torch.jit")
        script: Callable[..., Any] = torch.jit.script(function)
        return script


def ours_into(x: Tensor, out: Tensor, times: int) -> Tensor:
    """Elu into a given output."""
    for _ in range(times):
        torch.ops.torch_elu.elu(x, out=out)
    return out


def pytorch_into(x: Tensor, out: Tensor, times: int) -> Tensor:
    """PyTorch's."""
    for _ in range(times):
        torch.ops.aten.elu(x, out=out)
    return out


def copy_into(x: Tensor, out: Tensor, times: int) -> Tensor:
    """As little as can be done."""
    for _ in range(times):
        out.copy_(x)
    return out


def ours_backward(grad: Tensor, x: Tensor, is_result: bool, times: int) -> Tensor:
    """The gradient, into a new tensor each time; a chain, or TorchScript would leave most out."""
    for _ in range(times):
        grad = torch.ops.torch_elu.elu_backward(grad, 1, 1, 1, is_result, x)
    return grad


def pytorch_backward(grad: Tensor, x: Tensor, is_result: bool, times: int) -> Tensor:
    """PyTorch's."""
    for _ in range(times):
        grad = torch.ops.aten.elu_backward(grad, 1, 1, 1, is_result, x)
    return grad


def pytorch_backward_into(grad: Tensor, x: Tensor, out: Tensor, times: int) -> Tensor:
    """PyTorch's, into a given output."""
    for _ in range(times):
        torch.ops.aten.elu_backward(grad, 1, 1, 1, False, x, grad_input=out)
    return out


def multiply_into(grad: Tensor, x: Tensor, out: Tensor, times: int) -> Tensor:
    """As little as can be done with two inputs."""
    for _ in range(times):
        torch.mul(grad, x, out=out)
    return out


def repeat_ours(x: Tensor, times: int) -> Tensor:
    """One elu after the other."""
    for _ in range(times):
        x = torch_elu.elu(x)
    return x


def repeat_pytorch(x: Tensor, times: int) -> Tensor:
    """PyTorch's."""
    for _ in range(times):
        x = functional.elu(x)
    return x


def repeat_relu(x: Tensor, times: int) -> Tensor:
    """The cheapest activation there is."""
    for _ in range(times):
        x = functional.relu(x)
    return x

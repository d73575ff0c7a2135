"""Rewrites the operators of this package in those of ATen, for torch.export and make_fx."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

_aten = torch.ops.aten
_ours = torch.ops.torch_elu


def decompositions() -> dict[OpOverload, Callable[..., Any]]:
    """A table that rewrites the operators of this package in those of ATen, for
    :meth:`torch.export.ExportedProgram.run_decompositions` and
    :func:`torch.fx.experimental.proxy_tensor.make_fx`.

    ``elu``, ``elu_``, ``elu.out`` and ``elu_backward`` become ATen's operators of the same names.
    SELU and CELU become ``where`` and ``expm1``, like PyTorch's own ``celu``, because some runtimes
    (XNNPACK and Core ML among them) read only alpha of ``aten.elu``. ``elu_plus_one`` becomes
    ``where`` and ``exp``; an alpha that is a tensor, ``where`` and ``expm1``. ``save`` is lost.

    Only what is in the table is decomposed. To decompose PyTorch's operators too, merge it with
    PyTorch's table, as below.

    Returns:
        A new dictionary of functions by operator.

    >>> import torch, torch_elu
    >>> program = torch.export.export(torch_elu.ELU(), (torch.randn(3),))
    >>> table = {**torch.export.default_decompositions(), **torch_elu.decompositions()}
    >>> [node.target for node in program.run_decompositions(table).graph.nodes][1]
    <OpOverload(op='aten.elu', overload='default')>
    """
    return {
        _ours.elu.default: _elu,
        _ours.elu_.default: _aten.elu_.default,
        _ours.elu.out: _aten.elu.out,
        _ours.elu_backward.default: _aten.elu_backward.default,
        _ours.elu_plus_one.default: _elu_plus_one,
        _ours.elu_plus_one_backward.default: _elu_plus_one_backward,
        _ours.parametric_elu.default: _parametric_elu,
        _ours.parametric_elu_backward.default: _parametric_elu_backward,
    }


def _elu(
    self: Tensor,
    alpha: float = 1.0,
    scale: float = 1.0,
    input_scale: float = 1.0,
    *,
    save_output: bool = False,
) -> Any:
    from torch.fx.experimental.symbolic_shapes import guard_or_false  # imports SymPy

    if guard_or_false(scale == 1) and guard_or_false(input_scale == 1):
        return _aten.elu.default(self, alpha)
    x = self.to(torch.promote_types(self.dtype, torch.float32))
    negative = torch.expm1(x * input_scale) * alpha * scale
    return torch.where(x > 0, x * scale, negative).to(self.dtype)


def _elu_plus_one(self: Tensor) -> Tensor:
    return torch.where(self > 0, self + 1, torch.exp(self))


def _elu_plus_one_backward(grad_output: Tensor, result: Tensor) -> Tensor:
    return grad_output * torch.where(result > 1, 1.0, result)


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _parametric_elu(self: Tensor, alpha: Tensor, input_divisor: Tensor | None = None) -> Tensor:
    x = _wide(self)
    z = x.clamp(max=0)  # where exp(x) is infinite its gradient would be NaN
    z = z if input_divisor is None else z / _wide(input_divisor)
    return torch.where(x > 0, x, _wide(alpha) * torch.expm1(z)).to(self.dtype)


def _parametric_elu_backward(
    grad_output: Tensor,
    self: Tensor,
    alpha: Tensor,
    input_divisor: Tensor | None,
    output_mask: list[bool],
) -> tuple[Tensor | None, ...]:
    grad, x = _wide(grad_output), _wide(self)
    inverse = 1.0 if input_divisor is None else 1 / _wide(input_divisor)
    z = torch.where(x > 0, 0.0, x * inverse)
    slope = _wide(alpha) * torch.exp(z) * inverse
    gradients = (
        (self, torch.where(x > 0, grad, grad * slope)),
        (alpha, grad * torch.expm1(z)),  # which is 0 where x > 0
        (input_divisor, -grad * slope * z),
    )
    return tuple(
        gradient.sum_to_size(operand.shape).to(operand.dtype)
        if is_asked_for and operand is not None
        else None
        for is_asked_for, (operand, gradient) in zip(output_mask, gradients, strict=True)
    )

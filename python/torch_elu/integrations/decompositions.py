"""The operators of this package in those of ATen, for torch.export and make_fx."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

_aten = torch.ops.aten
_ours = torch.ops.torch_elu


def decompositions() -> dict[OpOverload, Callable[..., Any]]:
    """The operators of this package in those of ATen: a table for
    :meth:`torch.export.ExportedProgram.run_decompositions` and
    :func:`torch.fx.experimental.proxy_tensor.make_fx`.

    ``elu``, in place and ``out=`` too, and ``elu_backward`` become ATen's of the same name. SELU
    and CELU become ``where`` and ``expm1``, as does PyTorch's own ``celu``: some runtimes read
    only alpha of ``aten.elu`` (XNNPACK and Core ML among them).
    ``elu_plus_one`` becomes ``where`` and ``exp``. ``save`` goes.

    A table says all that is decomposed: merge this one with PyTorch's for the rest, as below.

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

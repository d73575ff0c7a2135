"""How torch.compile's Inductor takes the operators: as the formula in its own operations, fused
with their neighbours (_inductor_lowering.py); and what its caches are told of that.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import SymFloat, SymInt, Tensor

from .._library import __version__

_operators = torch.ops.torch_elu


def register() -> None:
    """Once Inductor is there."""
    from torch._inductor import decomposition

    from . import _inductor_lowering

    _inductor_lowering.register()
    decompositions: dict[Any, Any] = {
        _operators.elu.default: _elu_of_tensors,
        _operators.elu_backward.default: _elu_backward_of_tensors,
    }
    for operator, function in decompositions.items():
        decomposition.register_decomposition([operator])(function)
    # What has been compiled so far took a copy of the table.
    decomposition.fast_random_decomps.cache_clear()


def register_with_partitioner() -> None:
    """Once the partitioner of AOTAutograd is there."""
    from torch._functorch import partitioners

    # Which operators the backward may compute once more rather than keep what they take and give.
    # PyTorch collects ATen's own, once.
    names = ("elu", "elu_backward", "elu_plus_one", "elu_plus_one_backward")
    partitioners.pointwise_ops().extend(getattr(_operators, name) for name in names)


# Inductor compiles a call of an operator with a symbolic float anew for each number, unless a
# tensor can be made of it. Which path of the formula it takes the kernel finds when it runs: guards
# on symbolic floats would not survive PyTorch's caches on disk.


def _elu_of_tensors(
    self: Tensor,
    alpha: float = 1.0,
    scale: float = 1.0,
    input_scale: float = 1.0,
    *,
    save_output: bool = False,
) -> Any:
    numbers = [alpha, scale, input_scale]
    if not any(isinstance(number, SymFloat) for number in numbers):
        return NotImplemented
    if any(map(_changes, numbers)):
        return _operators.elu_of_tensors(self, *map(_as_tensor, numbers))
    return _operators.elu(self, *map(float, numbers))


def _elu_backward_of_tensors(
    grad_output: Tensor,
    alpha: float,
    scale: float,
    input_scale: float,
    is_result: bool,
    saved: Tensor,
) -> Any:
    numbers = [alpha, scale, input_scale]
    if not any(isinstance(number, SymFloat) for number in numbers):
        return NotImplemented
    if any(map(_changes, numbers)):
        tensors = map(_as_tensor, numbers)
        return _operators.elu_backward_of_tensors(grad_output, *tensors, is_result, saved)
    return _operators.elu_backward(grad_output, *map(float, numbers), is_result, saved)


def _changes(number: float) -> bool:
    """Whether a symbolic number is to stay one. dynamic=True makes symbols of defaults and of
    modules' attributes, too: those count as fixed there.
    """
    from torch._dynamo import config
    from torch._dynamo.source import AttrSource, DefaultsSource

    if not isinstance(number, SymFloat | SymInt):
        return False
    symbols, environment = number.node.expr.free_symbols, number.node.shape_env
    sources = [environment.var_to_sources.get(symbol, [None])[0] for symbol in symbols]
    is_fixed = all(isinstance(source, AttrSource | DefaultsSource) for source in sources)
    return config.assume_static_by_default or not is_fixed


def _as_tensor(number: float) -> Tensor:
    return torch.mul(torch.ones((), dtype=torch.float64, device="cpu"), number)


def _digest() -> str:
    """Of the formula that Inductor gets: its source, and the numbers that the library reports."""
    digest = hashlib.sha256()
    for name in ("inductor.py", "_inductor_formula.py", "_inductor_lowering.py"):
        try:
            digest.update(Path(__file__).with_name(name).read_bytes())
        except OSError:  # not a file, as in an app that was made one file
            digest.update(__version__.encode())
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        for numbers in ((1, 1, 1), (0.7, 1.3, 1.9)):
            digest.update(repr(sorted(_operators.coefficients(*numbers, dtype).items())).encode())
    return digest.hexdigest()[:16]


# Inductor's caches know the graph but not how it is lowered; this tag is part of their keys.
torch.compiler.config.cache_key_tag += f"torch_elu-{__version__}-{_digest()}"

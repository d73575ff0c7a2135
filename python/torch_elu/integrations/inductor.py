"""How torch.compile's Inductor takes the operators: in formulas that it fuses with their neighbours
on CUDA (and wherever PyTorch's own elu would run), whole on the CPU, where our kernel is faster.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, exp, expm1, where

from .._library import __version__


def _stays_whole(tensor: Tensor, *coefficients: float) -> bool:
    """Whether Inductor should call our kernel rather than make one of the formula."""
    if any(isinstance(number, torch.SymFloat) for number in coefficients):
        # Inductor would compile a call anew for each number, but computes a formula with any.
        return False
    # One element is sooner computed than a kernel called; and flex_attention's functions of a score
    # cannot call one.
    if tensor.device.type == "cpu" and tensor.dim() > 0:
        return True
    # The formula is for what general.h is not needed for.
    largest = torch.finfo(torch.promote_types(tensor.dtype, torch.float32)).max
    return not all(
        isinstance(number, torch.SymInt) or 0 < abs(number) <= largest for number in coefficients
    )


def elu(
    self: Tensor,
    alpha: float = 1.0,
    scale: float = 1.0,
    input_scale: float = 1.0,
    *,
    save_output: bool = False,
) -> Tensor:
    """The value, as formula.h defines it, NaN and signed zeros included."""
    if _stays_whole(self, alpha, scale, input_scale):
        return NotImplemented
    x = _in_computation_dtype(self)
    negative = _times(expm1(_times(x, input_scale)), alpha, scale)
    return where(x < 0, negative, _times(x, scale)).to(self.dtype)


def elu_backward(
    grad_output: Tensor,
    alpha: float,
    scale: float,
    input_scale: float,
    is_result: bool,
    self_or_result: Tensor,
) -> Tensor:
    """The gradient: at 0 that of the exponential, at NaN NaN."""
    if _stays_whole(self_or_result, alpha, scale, input_scale):
        return NotImplemented
    from torch.fx.experimental.symbolic_shapes import guard_or_false

    if is_result and not all(guard_or_false(c >= 0) for c in (alpha, scale, input_scale)):
        return NotImplemented  # of one that only data will tell the kernel says whether it is
    grad, x = _in_computation_dtype(grad_output), _in_computation_dtype(self_or_result)
    if is_result:
        slope = _times(x + (alpha if scale == 1 else alpha * scale), input_scale)
    else:
        slope = _times(exp(_times(x, input_scale)), alpha, scale, input_scale)
    return where(x > 0, _times(grad, scale), grad * slope).to(self_or_result.dtype)


def elu_plus_one(self: Tensor) -> Tensor:
    """The value, as formula.h defines it."""
    if _stays_whole(self):
        return NotImplemented
    x = _in_computation_dtype(self)
    return where(x > 0, x + 1, exp(x)).to(self.dtype)


def elu_plus_one_backward(grad_output: Tensor, result: Tensor) -> Tensor:
    """The gradient, which takes two instructions: on the CPU, too, it is best fused."""
    grad, y = _in_computation_dtype(grad_output), _in_computation_dtype(result)
    return (grad * y.clamp(max=1)).to(result.dtype)


def _in_computation_dtype(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _times(tensor: Tensor, *factors: float) -> Tensor:
    # Symbolic factors one by one: Inductor makes a tensor of each, but not of their products.
    number = 1.0
    for factor in factors:
        if isinstance(factor, torch.SymFloat | torch.SymInt):
            tensor = torch.mul(tensor, factor)
        else:
            number *= factor
    return tensor if number == 1 else tensor * number


_operators = torch.ops.torch_elu
_FORMULAS: dict[Any, Callable[..., Tensor]] = {
    _operators.elu: elu,
    _operators.elu_backward: elu_backward,
    _operators.elu_plus_one: elu_plus_one,
    _operators.elu_plus_one_backward: elu_plus_one_backward,
}


def register() -> None:
    """Once Inductor is there."""
    from torch._inductor import decomposition, lowering

    for operator, formula in _FORMULAS.items():
        lowering.make_fallback(operator.default, override_decomp=True)
        decomposition.register_decomposition([operator.default])(formula)
    # What has been compiled so far took a copy of the table.
    decomposition.fast_random_decomps.cache_clear()


def register_with_partitioner() -> None:
    """Once the partitioner of AOTAutograd is there."""
    from torch._functorch import partitioners

    # Which operators the backward may compute once more rather than keep what they take and give.
    # PyTorch collects ATen's own, once.
    partitioners.pointwise_ops().extend(_FORMULAS)


# Inductor's caches know the graph but not how it is decomposed; this tag is part of their keys.
try:
    _source = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
except OSError:  # not a file, as in an app that was made one file
    _source = ""
torch.compiler.config.cache_key_tag += f"torch_elu-{__version__}-{_source[:16]}"

"""What ``_C`` has, through ``torch.ops``: for a Python that ``_C`` was not built for, with the same
results and errors. A call takes about twice as long."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

_ops = torch.ops.torch_elu
_SELU_ALPHA, _SELU_SCALE = _ops.selu_coefficients()


def _check_tensor(input: Any, function: str) -> None:
    if not isinstance(input, Tensor):
        raise TypeError(
            f"{function}(): argument 'input' must be Tensor, not {_type_name(input)}"
        )


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _double(value: Any, function: str) -> float:
    """A number as C's double, which float() of a string is not."""
    if isinstance(value, Tensor) and (value.dim() != 0 or value.requires_grad):
        raise TypeError(
            f"{function}(): argument 'alpha' must be Number, not {type(value).__name__} "
            "with dimensions or that requires grad"
        )
    try:
        return math.ldexp(value, 0)
    except TypeError:
        raise TypeError(
            f"{function}(): argument 'alpha' must be Number, not {_type_name(value)}"
        ) from None


def _call(
    input: Tensor,
    alpha: float,
    scale: float,
    input_scale: float,
    inplace: bool,
    save_output: bool,
) -> Tensor:
    if inplace:
        return _ops.elu_.default(input, alpha, scale, input_scale)
    return _ops.elu.default(input, alpha, scale, input_scale, save_output=bool(save_output))


def elu(input: Tensor, alpha: float, inplace: bool, save_output: bool, /) -> Tensor:
    _check_tensor(input, "elu")
    return _call(input, _double(alpha, "elu"), 1.0, 1.0, inplace, save_output)


def selu(input: Tensor, inplace: bool, /) -> Tensor:
    _check_tensor(input, "selu")
    return _call(input, _SELU_ALPHA, _SELU_SCALE, 1.0, inplace, False)


def celu(input: Tensor, alpha: float, inplace: bool, save_output: bool, /) -> Tensor:
    _check_tensor(input, "celu")
    alpha = _double(alpha, "celu")
    return _call(input, alpha, 1.0, _ops.celu_input_scale(alpha), inplace, save_output)


def elu_plus_one(input: Tensor, /) -> Tensor:
    _check_tensor(input, "elu_plus_one")
    return _ops.elu_plus_one.default(input)


def convert_script(module: Any, save_output: bool, /) -> tuple[Any, int]:
    return _ops.convert_script(module, save_output)


def revert_script(module: Any, /) -> tuple[Any, int]:
    return _ops.revert_script(module)


class OverrideAten:
    def __init__(self) -> None:
        _ops.begin_override_aten()

    def __del__(self, end: Any = _ops.end_override_aten) -> None:
        end()

"""What ``_C`` has, through ``torch.ops``: for a Python that ``_C`` was not built for.

Results and errors are the same; a call takes about twice as long.
"""

from __future__ import annotations

import math
import weakref
from typing import Any

import torch
from torch import Tensor

_ops = torch.ops.torch_elu
_SELU_ALPHA, _SELU_SCALE = _ops.selu_coefficients()


def elu(*arguments: Any) -> Tensor:
    """As ``_C.elu(input, alpha, inplace, save_output)``."""
    input, alpha, inplace, save_output = _checked("elu", 4, arguments)
    return _call(input, _double("elu", alpha), 1.0, 1.0, inplace, save_output)


def selu(*arguments: Any) -> Tensor:
    """As ``_C.selu(input, inplace)``."""
    input, inplace = _checked("selu", 2, arguments)
    return _call(input, _SELU_ALPHA, _SELU_SCALE, 1.0, inplace, False)


def celu(*arguments: Any) -> Tensor:
    """As ``_C.celu(input, alpha, inplace, save_output)``."""
    input, alpha, inplace, save_output = _checked("celu", 4, arguments)
    alpha = _double("celu", alpha)
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _call(input, alpha, 1.0, 1.0 / alpha, inplace, save_output)


def elu_plus_one(*arguments: Any) -> Tensor:
    """As ``_C.elu_plus_one(input)``."""
    return _ops.elu_plus_one.default(*_checked("elu_plus_one", 1, arguments))


def convert_script(module: Any, save_output: bool, /) -> tuple[Any, int]:
    """The converted model, and how many activations were replaced."""
    return _with_the_rest(module, *_ops.convert_script(module, save_output))


def revert_script(module: Any, /) -> tuple[Any, int]:
    """The reverted model, and how many activations were replaced."""
    return _with_the_rest(module, *_ops.revert_script(module))


class OverrideAten:
    """Puts the kernels under ``aten::elu`` for as long as it lives."""

    def __init__(self, cuda: bool) -> None:
        _ops.begin_override_aten(cuda)
        self._cuda = cuda

    def __del__(self, end: Any = _ops.end_override_aten) -> None:
        end(self._cuda)


def _with_the_rest(old: Any, new: Any, count: int) -> tuple[Any, int]:
    # An operator takes and returns the model's object alone. What else Python's handle holds: the
    # inputs of a trace, and the memory of a FlatBuffer, in which the parameters lie.
    if hasattr(old, "_retrieve_traced_inputs"):
        kept = new._retrieve_traced_inputs()  # the handle's own, not a copy
        for name, inputs in old._retrieve_traced_inputs().items():
            kept[name] = inputs
    weakref.finalize(new, id, old).atexit = False
    return new, count


def _checked(function: str, count: int, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(arguments) != count:
        raise TypeError(f"{function}() takes {count} arguments, but got {len(arguments)}")
    if not isinstance(arguments[0], Tensor):
        raise TypeError(
            f"{function}(): argument 'input' must be Tensor, not {_name_of_type(arguments[0])}"
        )
    return arguments


def _name_of_type(value: Any) -> str:
    kind = type(value)  # a class of C's has its module in its name, as C sees it
    is_of_python = kind.__flags__ & 1 << 9  # allocated on the heap
    return kind.__name__ if is_of_python or kind.__module__ == "builtins" else f"{kind}"[8:-2]


def _double(function: str, alpha: Any) -> float:
    problem = f"{function}(): argument 'alpha' must be Number, not {_name_of_type(alpha)}"
    try:
        return math.ldexp(alpha, 0)  # not float(), which takes a string
    except TypeError:
        raise TypeError(problem) from None


def _call(
    input: Tensor, alpha: float, scale: float, input_scale: float, inplace: Any, save_output: Any
) -> Tensor:
    if inplace:
        return _ops.elu_.default(input, alpha, scale, input_scale)
    return _ops.elu.default(input, alpha, scale, input_scale, save_output=bool(save_output))

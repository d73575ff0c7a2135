"""How torch.onnx.export(..., dynamo=True) writes the operators: as ONNX's Elu, Selu and Celu."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from . import _library  # noqa: F401  (loading the library registers the operators)
from ._after_import import after_import


def onnx_translations() -> dict[Any, Callable[..., Any]]:
    """What ``torch.onnx.export(..., custom_translation_table=...)`` may be given.

    It need not: onnxscript is told of the operators by itself. This is for versions of it where
    that fails, which is logged as a warning of the logger ``torch_elu``.

    Returns:
        The function that writes ``torch.ops.torch_elu.elu`` in operators of ONNX, by operator.

    >>> import torch, torch_elu
    >>> list(torch_elu.onnx_translations())
    [<OpOverload(op='torch_elu.elu', overload='default')>]
    """
    return {torch.ops.torch_elu.elu.default: _elu}


# Without annotations for tensors: onnxscript reads them, and knows only its own types.
def _elu(  # type: ignore[no-untyped-def]  # noqa: ANN202
    self,  # noqa: ANN001
    alpha: float = 1.0,
    scale: float = 1.0,
    input_scale: float = 1.0,
    save_output: bool = False,
):
    from onnxscript import opset18 as onnx
    from onnxscript.ir import DataType, tensor

    def formula(x: Any) -> Any:
        def number(value: float) -> Any:
            value_of_dtype: Any = tensor(value, dtype=x.dtype)
            return onnx.Constant(value=value_of_dtype)

        expm1 = onnx.Sub(onnx.Exp(onnx.Mul(x, number(input_scale))), number(1.0))
        negative = onnx.Mul(expm1, number(alpha * scale))
        return onnx.Where(onnx.Less(x, number(0.0)), negative, onnx.Mul(x, number(scale)))

    def in_float(write: Callable[[Any], Any], *dtypes: DataType) -> Any:
        """Casts to float32 and back, but for the dtypes that the node takes itself."""
        if self.dtype in (DataType.FLOAT, *dtypes):
            return write(self)
        return onnx.Cast(write(onnx.Cast(self, to=DataType.FLOAT)), to=self.dtype)

    if self.dtype == DataType.DOUBLE:
        # The nodes hold their numbers in float32, and onnxruntime does not have them in float64.
        return formula(self)
    if input_scale == 1 and scale == 1:
        return in_float(lambda x: onnx.Elu(x, alpha=alpha), DataType.FLOAT16)
    if input_scale == 1 and scale > 0:
        return in_float(lambda x: onnx.Selu(x, alpha=alpha, gamma=scale), DataType.FLOAT16)
    if scale == 1 and alpha != 0 and input_scale == 1 / alpha:
        return in_float(lambda x: onnx.Celu(x, alpha=alpha))
    return in_float(formula)


def _register() -> None:
    from onnxscript.function_libs.torch_lib.registration import torch_op

    for operator, translation in onnx_translations().items():
        torch_op(operator.name(), trace_only=True)(translation)


after_import("onnxscript.function_libs.torch_lib.registration", _register)

"""How torch.onnx.export writes the operators: as ONNX's Elu, Selu and Celu."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch

from . import _library  # noqa: F401  (loading the library registers the operators)
from ._after_import import after_import

# onnx.TensorProto.DataType
_FLOAT, _FLOAT16, _DOUBLE = 1, 10, 11


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


def _write(
    op: Callable[..., Any],
    self: Any,
    dtype: int,
    alpha: float,
    scale: float,
    input_scale: float,
    *,
    has_celu: bool = True,
) -> Any:
    """The nodes for one call; ``op`` makes one, with attributes named as the field they go to."""

    def formula(x: Any) -> Any:
        held_in = torch.float64 if dtype == _DOUBLE else torch.float32

        def number(value: float) -> Any:
            return op("Constant", value_t=torch.tensor(value, dtype=held_in))

        expm1 = op("Sub", op("Exp", op("Mul", x, number(input_scale))), number(1.0))
        negative = op("Mul", expm1, number(alpha * scale))
        return op("Where", op("Less", x, number(0.0)), negative, op("Mul", x, number(scale)))

    def in_float(write: Callable[[Any], Any], *dtypes: int) -> Any:
        """Casts to float32 and back, but for the dtypes that the node takes itself."""
        if dtype in (_FLOAT, *dtypes):
            return write(self)
        return op("Cast", write(op("Cast", self, to_i=_FLOAT)), to_i=dtype)

    if dtype == _DOUBLE:
        # The nodes hold their numbers in float32, and onnxruntime does not have them in float64.
        return formula(self)
    if input_scale == 1 and scale == 1:
        return in_float(lambda x: op("Elu", x, alpha_f=alpha), _FLOAT16)
    if input_scale == 1 and scale > 0:
        return in_float(lambda x: op("Selu", x, alpha_f=alpha, gamma_f=scale), _FLOAT16)
    if has_celu and scale == 1 and alpha != 0 and input_scale == 1 / alpha:
        return in_float(lambda x: op("Celu", x, alpha_f=alpha))
    return in_float(formula)


# dynamo=True. Without annotations for tensors: onnxscript reads them, and knows only its own types.
def _elu(  # type: ignore[no-untyped-def]  # noqa: ANN202
    self,  # noqa: ANN001
    alpha: float = 1.0,
    scale: float = 1.0,
    input_scale: float = 1.0,
    save_output: bool = False,
):
    from onnxscript import ir, opset18

    def op(name: str, *inputs: Any, **fields: Any) -> Any:
        attributes = {
            field[:-2]: ir.tensor(value.numpy()) if field == "value_t" else value
            for field, value in fields.items()
        }
        return getattr(opset18, name)(*inputs, **attributes)

    return _write(op, self, int(self.dtype), alpha, scale, input_scale)


def _register_for_dynamo() -> None:
    from onnxscript.function_libs.torch_lib.registration import torch_op

    for operator, translation in onnx_translations().items():
        torch_op(operator.name(), trace_only=True)(translation)


def _register_for_torchscript() -> None:
    onnx: Any = sys.modules["torch.onnx"]  # which does not tell mypy all that it exports

    @onnx.symbolic_helper.parse_args("v", "f", "f", "f", "none")  # type: ignore[untyped-decorator]
    def symbolic(
        graph: Any, self: Any, alpha: float, scale: float, input_scale: float, *_: Any
    ) -> Any:
        dtype = int(onnx.JitScalarType.from_value(self).onnx_type())
        has_celu = graph.opset >= 12
        return _write(graph.op, self, dtype, alpha, scale, input_scale, has_celu=has_celu)

    onnx.register_custom_op_symbolic("torch_elu::elu", symbolic, opset_version=9)


after_import("onnxscript.function_libs.torch_lib.registration", _register_for_dynamo)
after_import("torch.onnx", _register_for_torchscript)

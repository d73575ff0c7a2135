"""How torch.onnx.export writes the operators: as ONNX's Elu, Selu and Celu, or in a formula."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from .. import _library  # noqa: F401  (loading the library registers the operators)

if TYPE_CHECKING:
    from fractions import Fraction

# onnx.TensorProto.DataType
_FLOAT, _FLOAT16, _DOUBLE = 1, 10, 11


def onnx_translations(*, accurate: bool = False) -> dict[Any, Callable[..., Any]]:
    """A table for ``torch.onnx.export(..., custom_translation_table=...)``.

    Usually you do not need it, because ``import torch_elu`` registers the operators with
    onnxscript. Use it for values that are accurate near 0, or if registering fails in a new version
    of onnxscript, which the logger ``torch_elu`` warns of.

    Args:
        accurate: Write basic operators instead of ``Elu``, ``Selu`` and ``Celu``. A runtime may
            compute those as exp(x) - 1, which cancels near 0; onnxruntime does. The basic operators
            compute in float64 and take longer. Default: ``False``

    Returns:
        A function for each of ``torch.ops.torch_elu.elu``, ``elu_plus_one`` and
        ``parametric_elu``, which writes it in ONNX's operators.

    >>> import torch, torch_elu
    >>> sorted(operator.name() for operator in torch_elu.onnx_translations())
    ['torch_elu::elu', 'torch_elu::elu_plus_one', 'torch_elu::parametric_elu']
    """
    operators = torch.ops.torch_elu
    return {
        operators.elu.default: _elu(accurate=accurate),
        operators.elu_plus_one.default: _elu_plus_one,
        operators.parametric_elu.default: _parametric_elu,
    }


def _number(op: Callable[..., Any], value: float, dtype: int = _DOUBLE) -> Any:
    held_in = torch.float64 if dtype == _DOUBLE else torch.float32
    return op("Constant", value_t=torch.tensor(value, dtype=held_in))


def _in(
    op: Callable[..., Any], write: Callable[[Any], Any], self: Any, dtype: int, *dtypes: int
) -> Any:
    """What write(self) gives; where self has none of the dtypes, between casts to the first and
    back.
    """
    if dtype in dtypes:
        return write(self)
    return op("Cast", write(op("Cast", self, to_i=dtypes[0])), to_i=dtype)


def _write_plus_one(op: Callable[..., Any], self: Any, dtype: int) -> Any:
    """The nodes for one call of elu_plus_one; ``op`` makes one, as for :func:`_write`."""

    def formula(x: Any) -> Any:
        zero, one = _number(op, 0.0, dtype), _number(op, 1.0, dtype)
        return op("Where", op("Greater", x, zero), op("Add", x, one), op("Exp", x))

    return _in(op, formula, self, dtype, _FLOAT, _DOUBLE)


def _write_parametric(
    op: Callable[..., Any], self: Any, dtype: int, alpha: Any, divisor: Any
) -> Any:
    """The nodes for one call of parametric_elu: exp(z) - 1 is 2 t / (1 - t) with t = tanh(z / 2),
    where nothing cancels for z <= 0.
    """

    def cast(tensor: Any) -> Any:
        return tensor if dtype in (_FLOAT, _DOUBLE) else op("Cast", tensor, to_i=_FLOAT)

    def formula(x: Any) -> Any:
        of = dtype if dtype == _DOUBLE else _FLOAT
        zero, one, half, two = (_number(op, value, of) for value in (0.0, 1.0, 0.5, 2.0))
        z = x if divisor is None else op("Div", x, cast(divisor))
        t = op("Tanh", op("Mul", z, half))
        expm1 = op("Div", op("Mul", two, t), op("Sub", one, t))
        return op("Where", op("Greater", x, zero), x, op("Mul", cast(alpha), expm1))

    return _in(op, formula, self, dtype, _FLOAT, _DOUBLE)


def _is_moderate(coefficient: float) -> bool:
    """Whether nothing over- or underflows in :func:`_lost` that its guard does not see."""
    return 1e-290 < abs(coefficient) < 1e290


def _lost(op: Callable[..., Any], x: Any, product: Any, factor: float, rest: Fraction) -> Any:
    """What x * (factor + rest) has beyond product = x * factor, which was rounded to float64.

    Dekker, "A floating-point technique for extending the available precision", Numer. Math. 18
    (1971): x and factor are split into halves whose products are exact.
    """

    def times(a: Any, value: float) -> Any:
        return op("Mul", a, _number(op, value))

    mantissa, exponent = math.frexp(factor)
    if abs(mantissa) == 0.5 and rest == 0:  # a power of two
        return _number(op, 0.0)
    factor_high = math.ldexp(round(math.ldexp(mantissa, 26)), exponent - 26)
    factor_low = factor - factor_high
    shifted = times(x, 2.0**27 + 1)
    high = op("Sub", shifted, op("Sub", shifted, x))
    low = op("Sub", x, high)
    middle = op("Add", times(high, factor_low), times(low, factor_high))
    least = op("Add", times(low, factor_low), times(x, float(rest)))
    lost = op("Add", op("Add", op("Sub", times(high, factor_high), product), middle), least)
    return _where_ordinary(op, x, product, lost)


def _where_ordinary(op: Callable[..., Any], x: Any, product: Any, lost: Any) -> Any:
    """``lost``, but 0 where its parts may be subnormal, or to take x apart would overflow."""
    size = op("Abs", product)
    has_bits = op("Less", _number(op, 1e-280), size)
    is_finite = op("Less", size, _number(op, 1.797e308))
    has_halves = op("Less", op("Abs", x), _number(op, 1e300))
    is_ordinary = op("And", op("And", has_bits, is_finite), has_halves)
    return op("Where", is_ordinary, lost, _number(op, 0.0))


def _write(
    op: Callable[..., Any],
    self: Any,
    dtype: int,
    alpha: float,
    scale: float,
    input_scale: float,
    *,
    has_celu: bool = True,
    accurate: bool = False,
) -> Any:
    """The nodes for one call; ``op`` makes one, with attributes named as the field they go to."""

    def formula(x: Any) -> Any:  # in float64
        def number(value: float) -> Any:
            return _number(op, value)

        one, factor, slope = number(1.0), alpha * scale, alpha * scale * input_scale
        z = op("Mul", x, number(input_scale))
        # exp(z) - 1 cancels near 0: there, the power series, and slope * x rather than
        # factor * z, which may have lost bits. In float64, until what the series leaves out does
        # not count; else only where too few digits are left for the dtype.
        end_of_series, terms = (0.6, 16) if dtype == _DOUBLE else (0.001, 4)
        series = one
        for term in range(terms, 2, -1):  # nested: onnxruntime drops additions of small numbers
            series = op("Add", op("Mul", op("Div", z, number(term)), series), one)
        first, near_factor = (x, slope) if _is_moderate(slope) else (z, factor)
        curved = op("Mul", op("Mul", op("Mul", first, number(0.5)), z), series)
        expm1_near = op("Add", first, curved)
        exp = op("Exp", z)
        expm1_far = op("Sub", exp, one)
        near = op("Mul", expm1_near, number(near_factor))
        far = op("Mul", expm1_far, number(factor))
        is_moderate = all(map(_is_moderate, (input_scale, factor, slope)))
        if dtype == _DOUBLE and is_moderate:  # where what the products round off counts
            from fractions import Fraction  # not for every program that imports this package

            exact = Fraction(alpha) * Fraction(scale)
            lost_of_z = _lost(op, x, z, input_scale, Fraction(0))
            lost = op("Mul", op("Mul", lost_of_z, exp), number(factor))
            lost = _where_ordinary(op, x, far, lost)
            of_far = _lost(op, expm1_far, far, factor, exact - Fraction(factor))
            far = op("Add", far, op("Add", of_far, lost))
            exact *= Fraction(input_scale)
            near = op("Add", near, _lost(op, expm1_near, near, slope, exact - Fraction(slope)))
        is_near = op("Less", op("Abs", z), number(end_of_series))
        negative = op("Where", is_near, near, far) if factor != 0 else number(0.0)
        return op("Where", op("Less", x, number(0.0)), negative, op("Mul", x, number(scale)))

    # The nodes hold their numbers in float32, and onnxruntime does not have them in float64.
    if not accurate and dtype != _DOUBLE:
        if input_scale == 1 and scale == 1:
            return _in(op, lambda x: op("Elu", x, alpha_f=alpha), self, dtype, _FLOAT, _FLOAT16)
        if input_scale == 1 and scale > 0:

            def selu(x: Any) -> Any:
                return op("Selu", x, alpha_f=alpha, gamma_f=scale)

            return _in(op, selu, self, dtype, _FLOAT, _FLOAT16)
        if has_celu and scale == 1 and alpha != 0 and input_scale == 1 / alpha:
            return _in(op, lambda x: op("Celu", x, alpha_f=alpha), self, dtype, _FLOAT)
    return _in(op, formula, self, dtype, _DOUBLE)


# dynamo=True. Without annotations for tensors: onnxscript reads them, and knows only its own types.
def _elu(*, accurate: bool) -> Callable[..., Any]:
    def elu(  # type: ignore[no-untyped-def]  # noqa: ANN202
        self,  # noqa: ANN001
        alpha: float = 1.0,
        scale: float = 1.0,
        input_scale: float = 1.0,
        save_output: bool = False,
    ):
        op, dtype = _op_of_onnxscript, int(self.dtype)
        return _write(op, self, dtype, alpha, scale, input_scale, accurate=accurate)

    return elu


def _elu_plus_one(self):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return _write_plus_one(_op_of_onnxscript, self, int(self.dtype))


def _parametric_elu(self, alpha, input_divisor=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return _write_parametric(_op_of_onnxscript, self, int(self.dtype), alpha, input_divisor)


def _op_of_onnxscript(name: str, *inputs: Any, **fields: Any) -> Any:
    from onnxscript import ir, opset18

    attributes = {
        field[:-2]: ir.tensor(value.numpy()) if field == "value_t" else value
        for field, value in fields.items()
    }
    return getattr(opset18, name)(*inputs, **attributes)


def register_for_dynamo() -> None:
    """For ``torch.onnx.export(dynamo=True)``, once onnxscript is there."""
    from onnxscript.function_libs.torch_lib.registration import torch_op

    for operator, translation in onnx_translations().items():
        torch_op(operator.name(), trace_only=True)(translation)


def register_for_torchscript() -> None:
    """For ``torch.onnx.export(dynamo=False)``, once :mod:`torch.onnx` is there."""
    onnx: Any = sys.modules["torch.onnx"]  # which does not tell mypy all that it exports

    @onnx.symbolic_helper.parse_args("v", "f", "f", "f", "none")  # type: ignore[untyped-decorator]
    def symbolic(
        graph: Any, self: Any, alpha: float, scale: float, input_scale: float, *_: Any
    ) -> Any:
        dtype = int(onnx.JitScalarType.from_value(self).onnx_type())
        has_celu = graph.opset >= 12
        return _write(graph.op, self, dtype, alpha, scale, input_scale, has_celu=has_celu)

    @onnx.symbolic_helper.parse_args("v")  # type: ignore[untyped-decorator]
    def symbolic_plus_one(graph: Any, self: Any) -> Any:
        dtype = int(onnx.JitScalarType.from_value(self).onnx_type())
        return _write_plus_one(graph.op, self, dtype)

    @onnx.symbolic_helper.parse_args("v", "v", "v")  # type: ignore[untyped-decorator]
    def symbolic_parametric(graph: Any, self: Any, alpha: Any, divisor: Any) -> Any:
        dtype = int(onnx.JitScalarType.from_value(self).onnx_type())
        is_none = divisor is None or onnx.symbolic_helper._is_none(divisor)
        return _write_parametric(graph.op, self, dtype, alpha, None if is_none else divisor)

    for name, function in {
        "elu": symbolic,
        "elu_plus_one": symbolic_plus_one,
        "parametric_elu": symbolic_parametric,
    }.items():
        onnx.register_custom_op_symbolic(f"torch_elu::{name}", function, opset_version=9)

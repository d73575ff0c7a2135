"""The twin of csrc/math/formula.h, in Inductor's operations: the same functions with the same
operations in the same order, and so the same bits. The numbers come from the library.

Left out are operations that change no result: a product with 1, a step's low part of 0, a
last coefficient of 0.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import sympy  # type: ignore[import-untyped]
import torch
from torch._inductor.virtualized import ops

OPERATIONS = (
    "constant", "to_dtype", "to_dtype_bitcast", "bitwise_left_shift",
    "fma", "add", "sub", "mul", "minimum", "lt", "gt", "where",
)  # fmt: skip

_INTEGER = {torch.float32: torch.int32, torch.float64: torch.int64}
_FORMATS = {torch.float32: ("f", "i"), torch.float64: ("d", "q")}


@dataclass
class _Reduced:
    shifted_n: Any
    n: Any
    r: Any
    q: Any
    exact: Any


class Formula:
    """value and slope of one set of coefficients, of numbers in the type of the computation."""

    def __init__(self, report: dict[str, list[float]], dtype: torch.dtype) -> None:
        self.dtype = torch.promote_types(dtype, torch.float32)
        self.c = SimpleNamespace()
        for name, numbers in report.items():
            setattr(self.c, name, numbers if len(numbers) > 1 else numbers[0])

    def number(self, number: float) -> Any:
        return ops.constant(number, self.dtype)

    def times(self, x: Any, factor: float) -> Any:
        return x if factor == 1 else ops.mul(x, self.number(factor))

    def at_least(self, x: Any, low: float) -> Any:
        low = self.number(low)
        return ops.where(ops.lt(x, low), low, x)

    def bits(self, x: Any) -> Any:
        return ops.to_dtype_bitcast(x, _INTEGER[self.dtype], src_dtype=self.dtype)

    def bits_of_number(self, number: float) -> Any:
        of_float, of_integer = _FORMATS[self.dtype]
        (bits,) = struct.unpack(of_integer, struct.pack(of_float, number))
        return ops.constant(bits, _INTEGER[self.dtype])

    def from_bits(self, bits: Any) -> Any:
        return ops.to_dtype_bitcast(bits, self.dtype, src_dtype=_INTEGER[self.dtype])

    def negative_at_least(self, x: Any, low: float) -> Any:
        """at_least where x is negative; elsewhere a number that a selection drops. Of negative
        numbers the larger integer is the lower one: an operation where a comparison, a mask and a
        selection are four.
        """
        return self.from_bits(ops.minimum(self.bits(x), self.bits_of_number(low)))

    def low_bits_to_exponent(self, x: Any, number: float) -> Any:
        mantissa_bits = ops.constant(int(self.c.mantissa_bits), _INTEGER[self.dtype])
        shifted = ops.bitwise_left_shift(self.bits(x), mantissa_bits)
        return self.from_bits(ops.add(shifted, self.bits_of_number(number)))

    def polynomial_at(self, r: Any, polynomial: list[float]) -> Any:
        terms = len(polynomial) - (polynomial[-1] == 0)
        q = self.number(polynomial[terms - 1])
        for coefficient in reversed(polynomial[: terms - 1]):
            q = ops.fma(q, r, self.number(coefficient))
        return q

    def remainder(self, x: Any, step_high: float) -> tuple[Any, Any, Any]:
        shift = self.number(self.c.shift)
        shifted_n = ops.fma(x, self.number(self.c.steps_per_one), shift)
        n = ops.sub(shifted_n, shift)
        return shifted_n, n, ops.fma(n, self.number(-step_high), x)

    def rounded_product(self, n: Any, factor: float) -> Any:
        """A product that no compiler may make one operation with the sum that takes it."""
        return ops.fma(n, self.number(factor), self.number(0.0))

    def reduce(self, x: Any, step: list[float]) -> _Reduced:
        step_high, step_low = step
        shifted_n, n, exact = self.remainder(x, step_high)
        r = ops.fma(n, self.number(-step_low), exact) if step_low else exact
        return _Reduced(shifted_n, n, r, self.polynomial_at(r, self.c.polynomial), exact)

    def p_of(self, x: _Reduced, step_low: float) -> Any:
        if self.c.compensates_r:
            low = self.rounded_product(x.n, -step_low)
            return ops.add(x.exact, ops.fma(ops.mul(x.q, x.r), x.r, low))
        return ops.fma(ops.mul(x.q, x.r), x.r, x.r)

    def rounded_value(self, x: Any) -> Any:
        c = self.c
        reduced = self.reduce(self.negative_at_least(x, c.value_saturation), c.value_step)
        alpha_2n = self.low_bits_to_exponent(reduced.shifted_n, c.scaled_alpha)
        slope_2n = self.low_bits_to_exponent(reduced.shifted_n, c.slope)
        difference = ops.sub(alpha_2n, self.number(c.scaled_alpha))
        negative = ops.fma(self.p_of(reduced, c.value_step[1]), slope_2n, difference)
        return ops.where(ops.lt(x, self.number(0.0)), negative, self.times(x, c.scale))

    def guarded_rounded_slope(self, clamped: Any) -> Any:
        c = self.c
        reduced = self.reduce(clamped, c.slope_step)
        slope_2n = self.low_bits_to_exponent(reduced.shifted_n, c.guarded_slope)
        curvature_2n = self.low_bits_to_exponent(reduced.shifted_n, c.guarded_curvature)
        factor = ops.fma(reduced.q, reduced.r, self.number(1.0))
        return ops.fma(factor, ops.mul(reduced.r, curvature_2n), slope_2n)

    def value(self, x: Any) -> Any:
        c = self.c
        if not c.carries_rests:
            return self.rounded_value(x)
        clamped = self.negative_at_least(x, c.value_saturation)
        step_high, step_low = c.value_step
        shifted_n, n, exact = self.remainder(clamped, step_high)
        low = self.rounded_product(n, -step_low) if step_low else None
        r = ops.add(exact, low) if step_low else exact
        polynomial = self.polynomial_at(r, c.value_polynomial)
        bent = ops.fma(polynomial, r, self.number(c.slope_rest))
        bent = ops.fma(bent, r, low) if step_low else ops.mul(bent, r)
        slope_2n = self.low_bits_to_exponent(shifted_n, c.slope)
        part = ops.sub(self.number(1.0), self.low_bits_to_exponent(shifted_n, 1.0))
        rest_2n = self.low_bits_to_exponent(shifted_n, c.scaled_alpha_rest)
        part_of_rest = ops.sub(rest_2n, self.number(c.scaled_alpha_rest))
        total = ops.fma(exact, slope_2n, ops.fma(bent, slope_2n, part_of_rest))
        negative = ops.fma(part, self.number(-c.scaled_alpha), total)
        return ops.where(ops.lt(x, self.number(0.0)), negative, self.times(x, c.scale))

    def slope(self, x: Any) -> Any:
        c = self.c
        clamped = self.at_least(x, c.slope_saturation)
        if not c.carries_rests:
            guarded = self.guarded_rounded_slope(clamped)
        else:
            shifted_n, n, exact = self.remainder(clamped, c.slope_step[0])
            low = ops.fma(n, self.number(-c.slope_step[1]), self.number(c.slope_shift))
            r = ops.add(exact, low)
            input_scale = self.number(c.input_scale)
            polynomial = self.polynomial_at(r, c.slope_polynomial)
            rest_and_rq = ops.fma(polynomial, r, self.number(c.input_scale_rest))
            inner = ops.fma(rest_and_rq, r, ops.mul(low, input_scale))
            slope_2n = self.low_bits_to_exponent(shifted_n, c.guarded_slope)
            guarded = ops.fma(slope_2n, ops.fma(exact, input_scale, inner), slope_2n)
        negative = self.times(guarded, 1 / c.underflow_guard)
        return ops.where(ops.gt(x, self.number(0.0)), self.number(c.scale), negative)

    def slope_from_result(self, y: Any) -> Any:
        c = self.c
        negative = self.times(ops.add(y, self.number(c.scaled_alpha)), c.input_scale)
        return ops.where(ops.gt(y, self.number(0.0)), self.number(c.scale), negative)

    def plus_one(self, x: Any) -> Any:
        c = self.c
        zero = self.number(0.0)
        is_positive = ops.gt(x, zero)
        negative = ops.where(is_positive, zero, x)
        guarded = self.guarded_rounded_slope(self.at_least(negative, c.slope_saturation))
        positive = ops.where(is_positive, x, zero)
        return ops.fma(guarded, self.number(1 / c.underflow_guard), positive)


def plus_one_slope(y: Any, dtype: torch.dtype) -> Any:
    one = ops.constant(1.0, dtype)
    return ops.where(ops.gt(y, one), one, y)


class PyTorchsFormula:
    """What PyTorch computes, for any numbers."""

    def __init__(self, numbers: Any, dtype: torch.dtype) -> None:
        self.numbers = numbers
        self.dtype = torch.promote_types(dtype, torch.float32)

    def number(self, number: Any) -> Any:
        if isinstance(number, sympy.Expr):
            return ops.index_expr(number, self.dtype)
        return ops.constant(number, self.dtype)

    def product(self, x: Any, *factors: Any) -> Any:
        for factor in factors:
            x = ops.mul(x, self.number(factor))
        return x

    def choose(self, x: Any, positive: Any, negative: Any) -> Any:
        return ops.where(ops.gt(x, self.number(0)), positive, negative)

    def value(self, x: Any) -> Any:
        alpha, scale, input_scale = self.numbers
        negative = self.product(ops.expm1(self.product(x, input_scale)), alpha, scale)
        return self.choose(x, self.product(x, scale), negative)

    def slope(self, x: Any) -> Any:
        alpha, scale, input_scale = self.numbers
        exp = ops.exp(self.product(x, input_scale))
        return self.choose(x, self.number(scale), self.product(exp, alpha, scale, input_scale))

    def slope_from_result(self, y: Any) -> Any:
        alpha, scale, input_scale = self.numbers
        negative = self.product(ops.add(y, self.product(self.number(alpha), scale)), input_scale)
        return self.choose(y, self.number(scale), negative)

    def plus_one(self, x: Any) -> Any:
        return self.choose(x, ops.add(x, self.number(1)), ops.exp(x))

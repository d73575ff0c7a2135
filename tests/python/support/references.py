"""What the operators should return, computed without them: in float64, in mpmath, in ulps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import mpmath
import numpy as np
import torch
from torch import Tensor

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
HALF_DTYPES = (torch.float16, torch.bfloat16)

# arXiv:1706.02515, Appendix 1
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


class Coefficients(NamedTuple):
    alpha: float = 1.0
    scale: float = 1.0
    input_scale: float = 1.0


class PlusOne(Coefficients):
    """elu_plus_one: the slope of elu, and another value."""


ELU = Coefficients()
PLUS_ONE = PlusOne()
SELU = Coefficients(SELU_ALPHA, SELU_SCALE)


def celu(alpha: float) -> Coefficients:
    return Coefficients(alpha, 1.0, 1.0 / alpha)


class Products(NamedTuple):
    """What the elements are computed with."""

    scale: float
    value_factor: float
    slope_factor: float
    input_scale: float


def products(c: Coefficients, held_in: torch.dtype = torch.float64) -> Products:
    """The products in float64, the factors of the result rounded to the type that holds them."""
    factors = [c.scale, c.alpha * c.scale, c.alpha * c.scale * c.input_scale]
    return Products(*torch.tensor(factors, dtype=torch.float64).to(held_in).tolist(), c.input_scale)


def exact_value(x: Tensor, c: Coefficients, held_in: torch.dtype = torch.float64) -> Tensor:
    """f(x) in float64, with an error far below the rounding of float32."""
    x, p = x.double(), products(c, held_in)
    if isinstance(c, PlusOne):
        return torch.where(x > 0, x + 1, torch.exp(x))
    negative = p.value_factor * torch.expm1(p.input_scale * x)
    return torch.where(x > 0, p.scale * x, torch.where(x == 0, x, negative))


def exact_slope(x: Tensor, c: Coefficients, held_in: torch.dtype = torch.float64) -> Tensor:
    x, p = x.double(), products(c, held_in)
    return torch.where(x > 0, p.scale, p.slope_factor * torch.exp(p.input_scale * x))


def exact_curvature(x: Tensor, c: Coefficients) -> Tensor:
    return torch.where(x.double() > 0, 0.0, exact_slope(x, c) * c.input_scale)


def mpmath_value(x: Sequence[float], c: Coefficients) -> list[mpmath.mpf]:
    with mpmath.workdps(60):
        alpha, scale, input_scale = map(mpmath.mpf, c)
        if isinstance(c, PlusOne):
            return [mpmath.mpf(v) + 1 if v > 0 else mpmath.exp(v) for v in x]
        return [
            scale * mpmath.mpf(v) if v > 0 else alpha * scale * mpmath.expm1(input_scale * v)
            for v in x
        ]


def mpmath_slope(x: Sequence[float], c: Coefficients) -> list[mpmath.mpf]:
    with mpmath.workdps(60):
        alpha, scale, input_scale = map(mpmath.mpf, c)
        return [
            scale if v > 0 else alpha * scale * input_scale * mpmath.exp(input_scale * v) for v in x
        ]


def ulp(exact: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    """The distance of neighbouring numbers of the dtype around the exact value."""
    info = torch.finfo(dtype)
    lowest = np.log2(info.smallest_normal)
    exponent = np.frexp(exact)[1] - 1
    return info.eps * np.ldexp(1.0, np.maximum(exponent, int(lowest)))


def largest_error(actual: Tensor, exact: Tensor) -> float:
    """In ulps of the dtype of `actual`; infinite where one of the two is not finite."""
    got, want = actual.detach().double().numpy(), exact.detach().numpy()
    info = torch.finfo(actual.dtype)
    overflows = np.abs(want) >= info.max * (1 + info.eps / 4)
    want = np.where(overflows, np.copysign(np.inf, want), want)
    special = ~np.isfinite(got) | ~np.isfinite(want)
    if not np.array_equal(got[special], want[special], equal_nan=True):
        return float("inf")
    errors = np.subtract(got, want, where=~special, out=np.zeros_like(got))
    return float(
        np.max(np.abs(errors) / ulp(np.where(special, 1.0, want), actual.dtype), initial=0)
    )


def largest_mpmath_error(actual: Tensor, exact: Sequence[mpmath.mpf]) -> float:
    assert actual.dtype == torch.float64
    largest = torch.finfo(torch.float64).max
    with mpmath.workdps(60):
        errors = [
            float(abs(got - want) / mpmath.mpf(ulp(np.float64(want), torch.float64)))
            for got, want in zip(actual.tolist(), exact, strict=True)
            if abs(want) <= largest
        ]
    assert all(
        math.isinf(got) and (got > 0) == (want > 0)
        for got, want in zip(actual.tolist(), exact, strict=True)
        if abs(want) > largest
    )
    return max(errors)


def rounded(exact: Tensor, dtype: torch.dtype) -> Tensor:
    """float64 rounded once: PyTorch's own conversion to a half type goes through float32."""
    if dtype not in HALF_DTYPES:
        return exact.to(dtype)
    # Rounded to odd on the way, nothing is lost that the second rounding needs to know
    # (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
    wide = exact.numpy()
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float32)
    bits = narrow.view(np.int32)
    bits = np.where(np.abs(narrow) > np.abs(wide), bits - 1, bits)
    bits = np.where(narrow.astype(np.float64) != wide, bits | 1, bits)
    bits = np.where(np.isnan(wide), narrow.view(np.int32), bits)
    return torch.from_numpy(bits.view(np.float32)).to(dtype)


def all_halves(dtype: torch.dtype) -> Tensor:
    """All 65,536 numbers of a half type."""
    return torch.arange(-(2**15), 2**15).to(torch.int16).view(dtype)


def many_floats(dtype: torch.dtype, count: int) -> Tensor:
    """Numbers of every sign and exponent, NaN and the infinities among them, the same each time."""
    if dtype in HALF_DTYPES:
        return all_halves(dtype)
    bits, unsigned, signed = (
        (64, np.uint64, np.int64) if dtype == torch.float64 else (32, np.uint32, np.int32)
    )
    patterns = np.arange(0, 2**bits - 1, 2**bits // count | 1, dtype=unsigned)
    return torch.from_numpy(patterns.view(signed)).view(dtype)


def in_range(dtype: torch.dtype, count: int, low: float, high: float) -> Tensor:
    # Not torch.linspace, whose last bit depends on the instruction set.
    numbers = torch.from_numpy(low + np.arange(count) * ((high - low) / (count - 1)))
    # By float32: from float64 to float16 PyTorch rounds twice on x86-64, and once on aarch64.
    return numbers.to(torch.promote_types(dtype, torch.float32)).to(dtype)


def bits(tensor: Tensor) -> Tensor:
    """The bits of a float tensor as integers, all NaN made one, in a contiguous tensor."""
    integer = {8: torch.int64, 4: torch.int32, 2: torch.int16}[tensor.element_size()]
    dense = tensor.detach().resolve_neg().clone(memory_format=torch.contiguous_format)
    return torch.where(dense.isnan(), torch.nan, dense).view(integer)


def assert_same_bits(actual: Tensor, expected: Tensor) -> None:
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    got, want = bits(actual), bits(expected)
    if not torch.equal(got, want):
        where = (got != want).nonzero()
        first = tuple(where[0].tolist())
        raise AssertionError(
            f"{len(where)} of {got.numel()} elements differ, "
            f"the first at {first}: {actual[first]} and {expected[first]}"
        )


def away_from_zero(*shape: int) -> Tensor:
    """Finite differences need both ends of a step on the same side of the kink."""
    x = torch.randn(shape, dtype=torch.float64)
    return (x + torch.where(x < 0, -0.1, 0.1)).requires_grad_()

"""What the operators should return for any coefficients: in long double, which neither a float64
nor a product of several leaves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from references import Coefficients, ulp
from torch import Tensor

Wide = np.longdouble


class WideProducts(NamedTuple):
    """What the elements are computed with, in long double."""

    scale: np.longdouble
    value_factor: np.longdouble
    slope_factor: np.longdouble
    input_scale: np.longdouble


def number_type(dtype: torch.dtype) -> type[np.floating]:
    """The type that the elements are computed in."""
    return np.float64 if dtype == torch.float64 else np.float32


def wide_products(c: Coefficients, dtype: torch.dtype) -> WideProducts:
    """alpha * scale has the range of a float64, as by PyTorch, and all its digits. An infinite
    input_scale counts as the largest double."""
    with np.errstate(all="ignore"):
        largest = np.finfo(np.float64).max
        input_scale = Wide(np.clip(c.input_scale, -largest, largest))
        product = Wide(np.float64(c.alpha) * np.float64(c.scale))
        exact = Wide(c.alpha) * Wide(c.scale)
        value_factor = exact if np.abs(exact - product) <= 2.0**-53 * np.abs(product) else product
        scale = Wide(number_type(dtype)(c.scale))
        return WideProducts(scale, value_factor, value_factor * input_scale, input_scale)


def wide(x: Tensor) -> np.ndarray:
    return x.detach().resolve_neg().double().numpy().astype(Wide)


def wide_value(x: Tensor, c: Coefficients) -> np.ndarray:
    p, elements = wide_products(c, x.dtype), wide(x)
    with np.errstate(all="ignore"):
        negative = p.value_factor * np.expm1(p.input_scale * elements)
        return np.where(elements < 0, negative, p.scale * elements)


def wide_slope(x: Tensor, c: Coefficients) -> np.ndarray:
    p, elements = wide_products(c, x.dtype), wide(x)
    with np.errstate(all="ignore"):
        negative = p.slope_factor * np.exp(p.input_scale * elements)
        return np.where(elements > 0, p.scale, negative)


def wide_slope_from_result(y: Tensor, c: Coefficients) -> np.ndarray:
    """For finite coefficients >= 0."""
    p, elements = wide_products(c, y.dtype), wide(y)
    number = number_type(y.dtype)
    alpha, input_scale = (
        np.where(np.isnan(elements), elements, Wide(number(factor)))
        for factor in (p.value_factor, p.input_scale)
    )
    with np.errstate(all="ignore"):
        return np.where(elements > 0, p.scale, input_scale * (elements + alpha))


def ulps(exact: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    """references.ulp of whatever can be represented, and of the largest number beyond."""
    largest = torch.finfo(dtype).max
    with np.errstate(all="ignore"):
        return ulp(np.clip(np.nan_to_num(exact), -largest, largest).astype(np.float64), dtype)


def assert_within(
    actual: Tensor, exact: np.ndarray, bound: np.ndarray, undefined: np.ndarray
) -> None:
    """|actual - exact| <= bound. Where the formula has 0 * infinity in it, its own NaN or its limit
    is right, but no other number."""
    got = wide(actual)
    largest = Wide(torch.finfo(actual.dtype).max)
    assert got.shape == exact.shape
    with np.errstate(all="ignore"):
        close = np.abs(got - exact) <= bound
        both_nan = np.isnan(got) & np.isnan(exact)
        # Rounded, the exact result is infinite, or may be so within the bound.
        overflows = np.isinf(got) & (got * exact > 0) & (np.abs(exact) + bound >= largest)
        is_limit = undefined & (np.isnan(got) | np.isinf(got) | (got == 0))
    wrong = ~(close | both_nan | overflows | is_limit | (got == exact))
    if wrong.any():
        first = tuple(np.argwhere(wrong)[0])
        raise AssertionError(
            f"{wrong.sum()} of {wrong.size} elements are wrong, the first at {first}: "
            f"{got[first]!r}, not {exact[first]!r} +- {float(bound[first]):.3g}"
        )

"""The numbers themselves, value and slope, against float64 and mpmath."""

from __future__ import annotations

import math
import struct

import mpmath
import pytest
import torch
import torch.nn.functional as F
import torch_elu
from conftest import RunPython, available_capabilities
from references import (
    DTYPES,
    ELU,
    HALF_DTYPES,
    PLUS_ONE,
    SELU,
    Coefficients,
    all_halves,
    assert_same_bits,
    celu,
    exact_slope,
    exact_value,
    in_range,
    largest_error,
    largest_mpmath_error,
    many_floats,
    mpmath_slope,
    mpmath_value,
    rounded,
)
from torch import Tensor

elu = torch.ops.torch_elu.elu

INF, NAN = math.inf, math.nan
UNIT = {"elu": ELU, "elu_plus_one": PLUS_ONE}
FAMILY = {
    "elu(0.1)": Coefficients(0.1),
    "elu(0.7)": Coefficients(0.7),
    "elu(3)": Coefficients(3.0),
    "selu": SELU,
    "celu(0.1)": celu(0.1),
    "celu(0.5)": celu(0.5),
    "celu(1.3)": celu(1.3),
    "celu(7)": celu(7.0),
}
# The coefficients that the fast formula leaves to a slower one.
EXTREME = {
    "elu(-1)": Coefficients(-1.0),
    "elu(-0.3)": Coefficients(-0.3),
    "elu(1e-30)": Coefficients(1e-30),
    "elu(1e+30)": Coefficients(1e30),
    "celu(-0.5)": celu(-0.5),
    "celu(-3)": celu(-3.0),
    "celu(1e-9)": celu(1e-9),
    "celu(1e+9)": celu(1e9),
    "input_scale=0": Coefficients(1.0, 1.0, 0.0),
    "scale=-2": Coefficients(1.0, -2.0, 1.0),
}


def parametrize_coefficients(*tables: dict[str, Coefficients]) -> pytest.MarkDecorator:
    together = {name: c for table in tables for name, c in table.items()}
    return pytest.mark.parametrize("c", together.values(), ids=together.keys())


def value(x: Tensor, c: Coefficients) -> Tensor:
    return torch_elu.elu_plus_one(x) if c is PLUS_ONE else elu(x, *c)


def slope(x: Tensor, c: Coefficients) -> Tensor:
    if c is PLUS_ONE:
        return torch.ops.torch_elu.elu_plus_one_backward(torch.ones_like(x), value(x, c))
    return torch.ops.torch_elu.elu_backward(torch.ones_like(x), *c, False, x)


@parametrize_coefficients(UNIT)
def test_float32_is_within_one_ulp_at_all_exponents(c: Coefficients) -> None:
    x = torch.cat([many_floats(torch.float32, 500_000), in_range(torch.float32, 500_000, -105, 3)])
    assert largest_error(value(x, c), exact_value(x, c)) <= 1.0
    assert largest_error(slope(x, c), exact_slope(x, c)) <= 1.0


@parametrize_coefficients(FAMILY)
def test_float32_counts_the_coefficients_as_they_were_given(c: Coefficients) -> None:
    """Within the bounds of csrc/math/bounds.h."""
    x = torch.cat([many_floats(torch.float32, 100_000), in_range(torch.float32, 300_000, -150, 3)])
    assert largest_error(elu(x, *c), exact_value(x, c)) <= 1.5
    assert largest_error(slope(x, c), exact_slope(x, c)) <= 1.1
    x = x[x < -(2.0**-100)]
    assert largest_error(elu(x, *c), exact_value(x, c)) <= (1.1 if c.input_scale == 1 else 1.25)


@parametrize_coefficients(EXTREME)
def test_float32_is_within_1_6_ulp_at_extreme_coefficients(c: Coefficients) -> None:
    x = torch.cat([many_floats(torch.float32, 100_000), in_range(torch.float32, 300_000, -150, 3)])
    assert largest_error(elu(x, *c), exact_value(x, c, torch.float32)) <= 1.6
    assert largest_error(slope(x, c), exact_slope(x, c, torch.float32)) <= 1.6


@pytest.mark.parametrize("dtype", HALF_DTYPES, ids=str)
@parametrize_coefficients(UNIT)
def test_halves_are_correctly_rounded_at_every_input(dtype: torch.dtype, c: Coefficients) -> None:
    x = all_halves(dtype)
    assert_same_bits(value(x, c), rounded(exact_value(x, c), dtype))
    assert_same_bits(slope(x, c), rounded(exact_slope(x, c), dtype))


@pytest.mark.parametrize("dtype", HALF_DTYPES, ids=str)
@parametrize_coefficients(FAMILY, EXTREME)
def test_halves_are_rounded_once_at_other_coefficients(dtype: torch.dtype, c: Coefficients) -> None:
    # A rounding, and what the polynomial is off by: at most 2^-15.3 (tools/constants.py), where a
    # place of a bfloat16 is worth 2^-8.
    limit = 0.5 + 2**-7.3 if dtype == torch.bfloat16 else 0.501
    x = all_halves(dtype)
    x = x[x.isfinite()]
    assert largest_error(elu(x, *c), exact_value(x, c)) <= limit
    assert largest_error(slope(x, c), exact_slope(x, c)) <= limit


@parametrize_coefficients(UNIT, FAMILY, EXTREME)
def test_float64_is_within_the_same_bounds_of_mpmath(c: Coefficients) -> None:
    of_value, of_slope = (
        (1.0, 1.0) if c == ELU else (1.5, 1.1) if c in FAMILY.values() else (1.6, 1.6)
    )
    x = torch.cat(
        [
            in_range(torch.float64, 300, -40, 3),
            in_range(torch.float64, 300, -746, -40),
            -torch.logspace(-320, 0, 200, dtype=torch.float64),
            torch.logspace(-320, 3, 200, dtype=torch.float64),
        ]
    )
    assert largest_mpmath_error(value(x, c), mpmath_value(x.tolist(), c)) <= of_value
    assert largest_mpmath_error(slope(x, c), mpmath_slope(x.tolist(), c)) <= of_slope


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("x", "of_elu", "of_plus_one"),
    [  # value and slope of elu(x, 0.5), and of elu_plus_one(x)
        (0.0, (0.0, 0.5), (1.0, 1.0)),
        (-0.0, (-0.0, 0.5), (1.0, 1.0)),
        (INF, (INF, 1.0), (INF, 1.0)),
        (-INF, (-0.5, 0.0), (0.0, 0.0)),
        (NAN, (NAN, NAN), (NAN, NAN)),
        (3.0, (3.0, 1.0), (4.0, 1.0)),
        (-1000.0, (-0.5, 0.0), (0.0, 0.0)),
    ],
)
def test_special_inputs(
    dtype: torch.dtype, x: float, of_elu: tuple[float, float], of_plus_one: tuple[float, float]
) -> None:
    # 37 copies: whole vectors and a rest
    input = torch.full((37,), x, dtype=dtype)
    for c, numbers in ((Coefficients(0.5), of_elu), (PLUS_ONE, of_plus_one)):
        assert_same_bits(value(input, c), torch.full_like(input, numbers[0]))
        assert_same_bits(slope(input, c), torch.full_like(input, numbers[1]))


# What the docstring says: elu(x) + 1 is 0 from the first one on, and exp(x) behind the second.
ZEROS = {
    torch.float64: (-37.5, -745.1),
    torch.float32: (-17.4, -103.9),
    torch.float16: (-8.4, -17.3),
    torch.bfloat16: (-6.3, -92.5),
}


@pytest.mark.parametrize(("dtype", "zeros"), ZEROS.items(), ids=str)
def test_elu_plus_one_is_positive_where_elu_plus_1_has_become_0(
    dtype: torch.dtype, zeros: tuple[float, float]
) -> None:
    of_sum, of_exp = zeros
    x = in_range(dtype, 10_000, of_exp, of_sum)
    assert (F.elu(x) + 1 == 0).all()
    assert (torch_elu.elu_plus_one(x) > 0).all()
    nearer = torch.tensor([of_sum + 0.2], dtype=dtype)
    elu_of_nearer = torch.tensor([float(mpmath.expm1(nearer.item()))], dtype=torch.float64)
    assert rounded(elu_of_nearer, dtype) + 1 > 0, "the sum is 0 further up than stated"
    assert torch_elu.elu_plus_one(torch.tensor([of_exp - 1], dtype=dtype)) == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_subnormal_inputs_come_out_unchanged(dtype: torch.dtype) -> None:
    smallest = torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps
    x = (torch.arange(-200, 200, dtype=torch.float64) * smallest).to(dtype)
    assert x.count_nonzero() == 399
    assert_same_bits(elu(x), torch.where(x == 0, 0.0, x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_alpha_zero_gives_zero_for_negative_input_and_a_slope_of_zero(dtype: torch.dtype) -> None:
    x = torch.tensor([-INF, -700.0, -3.0, -1e-7, 0.0, 2.0, INF], dtype=dtype)
    expected = torch.tensor([0, 0, 0, 0, 0, 2, INF], dtype=dtype)
    assert torch.equal(elu(x, 0), expected)
    assert torch.equal(slope(x, Coefficients(0.0)), torch.tensor([0, 0, 0, 0, 0, 1, 1]).to(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_zero_coefficient_gives_zeros_of_the_sign_of_the_product(dtype: torch.dtype) -> None:
    x = in_range(dtype, 1000, -30, -1e-3)
    for zero in (0.0, -0.0):
        assert_same_bits(elu(x, zero), torch.full_like(x, -zero))
        assert_same_bits(slope(x, Coefficients(zero)), torch.full_like(x, zero))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_negative_celu_alpha_overflows_to_infinity_not_to_nan(dtype: torch.dtype) -> None:
    x = torch.tensor([-1e4, -3e4, -INF], dtype=dtype)
    assert torch.equal(torch_elu.celu(x, -0.5), torch.full_like(x, -INF))
    assert torch.equal(slope(x, celu(-0.5)), torch.full_like(x, INF))


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinite_and_nan_alpha(dtype: torch.dtype) -> None:
    x = torch.tensor([-INF, -1.0, 2.0, INF], dtype=dtype)
    for alpha in (INF, -INF, NAN):
        assert_same_bits(elu(x, alpha), torch.tensor([-alpha, -alpha, 2.0, INF], dtype=dtype))


@pytest.mark.parametrize(("dtype", "alpha"), [(torch.float64, 1e300), (torch.float32, 1e30)])
def test_an_input_scale_of_zero_gives_zero_however_large_alpha_and_input_are(
    dtype: torch.dtype, alpha: float
) -> None:
    x = torch.tensor([-1e30, -1.0], dtype=dtype)
    assert torch.equal(elu(x, alpha, 1.0, 0.0), torch.zeros_like(x))


def test_in_float32_too_an_exponential_leaves_the_smallest_alpha_behind() -> None:
    x = torch.tensor([-1e30, -2e3])
    assert torch.equal(elu(x, 1e-320, 1.0, -1.0), torch.full_like(x, INF))
    assert torch.equal(slope(x, Coefficients(1e-320, 1.0, -1.0)), torch.full_like(x, -INF))


def test_the_smallest_inputs_overflow_where_alpha_is_large_enough() -> None:
    x = torch.tensor([-1e-40, -1e-45])
    assert torch.equal(elu(x, 3e38, 3e38, 1e17), torch.full_like(x, -INF))


@pytest.mark.parametrize("name", ["alpha", "scale", "input_scale"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_coefficient_that_overflows_float32_is_an_error(dtype: torch.dtype, name: str) -> None:
    x = torch.zeros(3, dtype=dtype)
    with pytest.raises(
        RuntimeError,
        match=f"elu: {name}=1e\\+300 cannot be converted to type float, .*without overflow",
    ):
        elu(x, **{name: 1e300})
    assert torch.equal(elu(x.double(), **{name: 1e300}), x.double())


def test_alpha_may_be_the_largest_float() -> None:
    largest = torch.finfo(torch.float32).max
    assert torch_elu.elu(torch.tensor(-INF), largest).item() == -largest


def test_a_coefficient_may_be_any_nan() -> None:
    (nan,) = struct.unpack("<d", b"\xff" * 7 + b"\x7f")
    for dtype in DTYPES:
        x = torch.tensor([-1.0, 2.0], dtype=dtype)
        for c, expected in (((nan, 1, 1), [NAN, 2]), ((1, nan, 1), [NAN, NAN])):
            assert torch.equal(elu(x, *c).isnan(), torch.tensor(expected).isnan()), (dtype, c)


def test_functions_have_the_coefficients_of_their_papers() -> None:
    x = in_range(torch.float64, 1001, -10, 10)
    for function, c in (
        (torch_elu.elu(x, 0.7), Coefficients(0.7)),
        (torch_elu.selu(x), SELU),
        (torch_elu.celu(x, 0.7), celu(0.7)),
    ):
        torch.testing.assert_close(function, exact_value(x, c), rtol=4e-16, atol=0)


FLUSHED = """
import torch, torch_elu

for dtype, bits in [(torch.float32, torch.int32), (torch.float64, torch.int64),
                    (torch.float16, torch.int16), (torch.bfloat16, torch.int16)]:
    smallest = torch.finfo(dtype).smallest_normal
    generator = torch.Generator().manual_seed(1)
    # Subnormals, numbers of every kind, and inputs whose slopes are subnormal.
    x = torch.cat([
        torch.linspace(-smallest, smallest, 333, dtype=torch.float64),
        torch.randn(1000, generator=generator, dtype=torch.float64) * 5,
        torch.linspace(-760, -80, 999, dtype=torch.float64),
    ]).to(dtype)
    ones = torch.ones_like(x)

    def run(x, c):
        return torch.stack([
            torch.ops.torch_elu.elu(x, *c), torch.ops.torch_elu.elu_backward(ones, *c, False, x)
        ]).view(bits)

    def zeros_like(x):
        return torch.zeros_like(x).copysign(x)

    for c in [(1, 1, 1), (1.5, 2, 0.5)]:
        assert torch.set_flush_denormal(False)
        usual = run(x, c)
        of_zero = run(torch.where(x.abs() < smallest, zeros_like(x), x), c)
        values = usual.view(dtype)
        zero = torch.where(values.abs() < smallest, zeros_like(values), values).view(bits)
        assert torch.set_flush_denormal(True)
        flushed = run(x, c)
        assert torch.set_flush_denormal(False)
        expected = (flushed == usual) | (flushed == of_zero) | (flushed == zero)
        assert bool(expected.all()), (dtype, c)
print(torch.ops.torch_elu.cpu_capability())
"""


@pytest.mark.parametrize("capability", available_capabilities())
def test_flush_denormal_takes_nothing_but_subnormals_for_zeros(
    run_python: RunPython, capability: str
) -> None:
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor cannot flush subnormals")
    assert run_python("-c", FLUSHED, ATEN_CPU_CAPABILITY=capability).stdout.strip()

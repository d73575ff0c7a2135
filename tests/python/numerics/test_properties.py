"""Random tensors and coefficients against long double and against PyTorch.

hypothesis makes 2,002 examples in all, and `make properties` 100,002.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torch_elu
from hypothesis import example, given
from hypothesis import strategies as st
from layouts import views
from references import DTYPES, HALF_DTYPES, Coefficients, assert_same_bits, bits, many_floats
from torch import Tensor
from views_of_views import POOL_SIZE, views_of_views
from wide_references import (
    assert_within,
    number_type,
    ulps,
    wide,
    wide_slope,
    wide_slope_from_result,
    wide_value,
)

ops = torch.ops.torch_elu
aten_elu = torch._C._nn.elu

View = Callable[[Tensor], Tensor]
INF, NAN = math.inf, math.nan
SPECIAL = (0.0, -0.0, 1.0, -1.0, 1e-320, 1e-40, 1e-9, 1e9, 3e38, 1e300, -1e300, INF, -INF, NAN)

dtypes = st.sampled_from(DTYPES)
any_view = st.one_of(views(), views_of_views())
usual_number = st.floats(2**-6, 2**6)
any_number = st.one_of(st.sampled_from(SPECIAL), st.floats(-5, 5), st.floats())
any_coefficients = st.builds(Coefficients, any_number, any_number, any_number)
# What the fast formula is laid out for: most people's.
usual_coefficients = st.builds(Coefficients, usual_number, usual_number, usual_number)
coefficients = st.one_of(any_coefficients, usual_coefficients)


@cache
def pool(dtype: torch.dtype) -> Tensor:
    """Elements of every exponent, special ones, and many of usual size, in no order."""
    generator = torch.Generator().manual_seed(1)
    special = torch.tensor([0.0, -0.0, INF, -INF, NAN, 1e-320, -1e-320, -1e-45, -104.0, -746.0])
    every_exponent = many_floats(dtype, 5000)
    usual = torch.randn(POOL_SIZE, generator=generator, dtype=torch.float64) * 8
    together = torch.cat([special.repeat(60).to(dtype), usual[:3500].to(dtype), every_exponent])
    together = together[: 60 * len(special) + 3500 + 900]
    return together[torch.randperm(len(together), generator=generator)][:POOL_SIZE].clone()


def fits(c: Coefficients, dtype: torch.dtype) -> bool:
    largest = float(np.finfo(number_type(dtype)).max)
    return all(abs(number) <= largest or not math.isfinite(number) for number in c)


def ulp_limit(dtype: torch.dtype) -> float:
    return {torch.float16: 0.502, torch.bfloat16: 0.507}.get(dtype, 2.0)


def undefined(x: Tensor, c: Coefficients, exact: np.ndarray) -> np.ndarray:
    """Where the formula itself makes a NaN of numbers."""
    return np.isnan(exact) & ~np.isnan(wide(x)) & (not any(map(math.isnan, c)))


def without_data(tensor: Tensor) -> Tensor:
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")


def assert_same_layout(actual: Tensor, expected: Tensor) -> None:
    assert (actual.shape, actual.stride()) == (expected.shape, expected.stride())
    assert (actual.dtype, actual.device) == (expected.dtype, expected.device)


@given(dtype=dtypes, view=any_view, c=coefficients)
@example(
    dtype=torch.float32,
    view=torch._neg_view,
    c=Coefficients(3.8700498027044468, 4.847213076886645, 116369617.0),
)
def test_value_is_right_in_any_view_with_any_coefficients(
    dtype: torch.dtype, view: View, c: Coefficients
) -> None:
    x = view(pool(dtype))
    before = bits(pool(dtype))
    if not fits(c, dtype):
        with pytest.raises(RuntimeError, match="cannot be converted to type float"):
            ops.elu(x, *c)
        return
    y = ops.elu(x, *c)
    assert torch.equal(bits(pool(dtype)), before)
    assert_same_layout(y, aten_elu(x))
    # Kernels get the tensor that a negative bit stands for.
    on_meta = ops.elu(without_data(x.resolve_neg()), *c)
    assert_same_layout(on_meta, without_data(y))
    exact = wide_value(x, c)
    assert_within(y, exact, ulp_limit(dtype) * ulps(exact, dtype), undefined(x, c, exact))


@given(dtype=dtypes, view=any_view, of_grad=any_view, broadcasts=st.booleans(), c=coefficients)
def test_gradient_is_right_in_any_view_with_any_coefficients(
    dtype: torch.dtype, view: View, of_grad: View, broadcasts: bool, c: Coefficients
) -> None:
    x, grad_output = view(pool(dtype)), of_grad(pool(dtype))
    if not broadcasts:
        grad_output = pool(dtype)[: x.numel()].view(x.shape)
    try:
        shape = torch.broadcast_shapes(grad_output.shape, x.shape)
    except RuntimeError:
        shape = None
    if shape is None or not fits(c, dtype):
        message = "must match" if shape is None else "cannot be converted to type float"
        with pytest.raises(RuntimeError, match=message):
            ops.elu_backward(grad_output, *c, False, x)
        return
    result = ops.elu_backward(grad_output, *c, False, x)
    assert result.shape == shape
    on_meta = ops.elu_backward(
        without_data(grad_output.resolve_neg()), *c, False, without_data(x.resolve_neg())
    )
    assert_same_layout(on_meta, without_data(result))
    slope = np.broadcast_to(wide_slope(x, c), shape)
    assert_product(result, grad_output.expand(shape), slope, x.expand(shape), c)


@given(
    dtype=dtypes, view=any_view, of_grad=any_view, c=usual_coefficients, alpha_is_0=st.booleans()
)
def test_gradient_from_the_result_is_right_in_any_view(
    dtype: torch.dtype, view: View, of_grad: View, c: Coefficients, alpha_is_0: bool
) -> None:
    c = c._replace(alpha=0.0) if alpha_is_0 else c
    y = ops.elu(view(pool(dtype)), *c)
    grad_output = pool(dtype)[1 : y.numel() + 1].view(y.shape)
    result = ops.elu_backward(grad_output, *c, True, y)
    assert_product(result, grad_output, wide_slope_from_result(y, c), y, c, from_result=True)
    # Through autograd, where the operator keeps its result.
    x = view(pool(dtype)).detach().requires_grad_()
    (grad,) = torch.autograd.grad(ops.elu(x, *c, save_output=True), x, grad_output)
    assert_same_bits(grad, result)


def assert_product(
    result: Tensor,
    grad_output: Tensor,
    slope: np.ndarray,
    x: Tensor,
    c: Coefficients,
    from_result: bool = False,
) -> None:
    """The slope, rounded to the type of the computation, times grad_output."""
    number = number_type(result.dtype)
    computed_in = torch.float64 if number is np.float64 else torch.float32
    grad = wide(grad_output)
    with np.errstate(all="ignore"):
        rounded = slope.astype(number).astype(np.longdouble)
        exact = rounded * grad
        # What the slope is off by, the product is too. A half's polynomial is good to 2^-15.3.
        relative = 2.0 * ulps(rounded, computed_in)
        if result.dtype in HALF_DTYPES:
            relative = relative + np.abs(np.nan_to_num(rounded, posinf=0, neginf=0)) * 2**-15.3
        if from_result:  # y + alpha is rounded before it is multiplied
            of_sum = ulps(np.full_like(slope, c.alpha * c.scale), computed_in)
            relative = relative + abs(c.input_scale) * of_sum
        bound = np.abs(np.nan_to_num(grad, posinf=0, neginf=0)) * relative
        bound = bound + 1.5 * ulps(exact, result.dtype)
    assert_within(result, exact, bound, undefined(x, c, slope) | undefined(grad_output, c, exact))


@given(dtype=dtypes, view=any_view, of_grad=any_view)
def test_elu_plus_one_and_its_gradient_are_right_in_any_view(
    dtype: torch.dtype, view: View, of_grad: View
) -> None:
    x = view(pool(dtype)).detach().requires_grad_()
    y = torch_elu.elu_plus_one(x)
    assert_same_layout(y, aten_elu(x))
    elements = wide(x)
    with np.errstate(all="ignore"):
        exact = np.where(elements > 0, elements + 1, np.exp(elements))
    never = np.zeros(exact.shape, bool)
    assert_within(y, exact, ulp_limit(dtype) * ulps(exact, dtype), never)

    grad_output = of_grad(pool(dtype))
    if grad_output.shape != x.shape:
        grad_output = pool(dtype)[: x.numel()].view(x.shape)
    (grad,) = torch.autograd.grad(y, x, grad_output)
    # From the result, which is rounded.
    with np.errstate(all="ignore"):
        exact = np.minimum(wide(y), 1) * wide(grad_output)
    assert_within(grad, exact, ulp_limit(dtype) * ulps(exact, dtype), never)


# Writing: in place and out


def outcome(function: Callable[[], object]) -> type[Exception] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            function()
        except (RuntimeError, TypeError, OverflowError) as error:
            return type(error)
    return None


@given(dtype=dtypes, view=any_view, c=usual_coefficients)
def test_in_place_writes_its_view_and_nothing_else_or_raises_as_pytorch_does(
    dtype: torch.dtype, view: View, c: Coefficients
) -> None:
    ours, theirs = pool(dtype).clone(), pool(dtype).clone()
    expected = ops.elu(view(pool(dtype)), *c)
    error = outcome(lambda: ops.elu_(view(ours), *c))
    assert error is outcome(lambda: torch._C._nn.elu_(view(theirs), *c))
    if error is not None:
        assert_same_bits(ours, pool(dtype))
        return
    if writes_twice(view):
        untouched = torch.ones(POOL_SIZE, dtype=torch.bool)
        untouched[places(view).flatten()] = False
        assert_same_bits(ours[untouched], pool(dtype)[untouched])
        return
    right = pool(dtype).clone()
    view(right).copy_(expected)
    assert_same_bits(ours, right)


def places(view: View) -> Tensor:
    """Which elements of the pool a view sees."""
    return view(torch.arange(POOL_SIZE, dtype=torch.float64)).abs().long()


def writes_twice(view: View) -> bool:
    """Whether the view overlaps itself in a way that PyTorch does not look for."""
    return places(view).unique().numel() < places(view).numel()


@st.composite
def outs(draw: st.DrawFn) -> Callable[[Tensor, Tensor], Tensor]:
    """Makes an `out` for an input: its second argument is the memory that the input views."""
    kind = draw(st.sampled_from(["fresh", "view", "overlapping", "shape", "dtype", "device"]))
    other = draw(any_view)
    dtype = draw(st.sampled_from([*DTYPES, torch.int64, torch.bool, torch.complex64]))
    shift = draw(st.integers(-3, 3))

    def make(x: Tensor, memory: Tensor) -> Tensor:
        if kind == "fresh":
            return torch.empty_like(x)
        if kind == "view":
            return other(torch.zeros(POOL_SIZE, dtype=x.dtype))
        if kind == "overlapping":
            offset = max(0, x.storage_offset() + shift)
            return memory.as_strided(x.shape, x.stride(), offset)
        if kind == "shape":
            return x.new_empty([size + shift % 2 for size in x.shape] + [2] * (shift % 3))
        if kind == "dtype":
            return torch.empty_like(x, dtype=dtype)
        return torch.empty_like(x, device="meta")

    return make


@given(dtype=dtypes, view=any_view, make_out=outs())
def test_out_is_written_resized_or_refused_as_by_pytorch(
    dtype: torch.dtype, view: View, make_out: Callable[[Tensor, Tensor], Tensor]
) -> None:
    memories = pool(dtype).clone(), pool(dtype).clone()
    exact = wide_value(view(memories[0]), Coefficients(0.5))
    results = []
    for elu, memory in zip((ops.elu.out, aten_elu), memories, strict=True):
        x = view(memory)
        out = make_out(x, memory)
        results.append((outcome(lambda: elu(x, 0.5, out=out)), out))  # noqa: B023
    (error, out), (their_error, their_out) = results
    assert error is their_error
    assert_same_layout(out, their_out)
    if error is None and overlaps_unseen(out, view(memories[0])):
        return
    if error is None:
        assert_within(
            out, exact, ulp_limit(dtype) * ulps(exact, dtype), np.zeros(exact.shape, bool)
        )
    else:
        assert_same_bits(memories[0], pool(dtype))


def overlaps_unseen(out: Tensor, x: Tensor) -> bool:
    """Whether out overlaps itself or the input in a way that PyTorch does not look for."""
    size = out.untyped_storage().nbytes() // out.element_size()
    places = torch.arange(size).as_strided(out.shape, out.stride(), out.storage_offset())
    if places.unique().numel() < places.numel():
        return True
    shares = out.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    return shares and not out.is_set_to(x)


# The functions that people call

any_alpha = st.one_of(
    any_number,
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.sampled_from([None, "1", 1j, np.float32(0.5), np.int64(3), torch.tensor(0.5), [1.0]]),
)
FUNCTIONS = {"elu": (torch_elu.elu, F.elu), "celu": (torch_elu.celu, F.celu)}


@given(
    name=st.sampled_from(sorted(FUNCTIONS)),
    dtype=st.sampled_from([*DTYPES, torch.int32, torch.bool, torch.complex64]),
    view=any_view,
    alpha=any_alpha,
    inplace=st.booleans(),
)
def test_functions_take_and_refuse_what_pytorchs_do(
    name: str, dtype: torch.dtype, view: View, alpha: object, inplace: bool
) -> None:
    source = torch.float64 if dtype == torch.float64 else torch.float32
    before = pool(source).nan_to_num(0, 9, -9).to(dtype)
    memories = before.clone(), before.clone()
    errors = [
        outcome(lambda: function(view(memory), alpha, inplace))  # noqa: B023
        for function, memory in zip(FUNCTIONS[name], memories, strict=True)
    ]
    if dtype not in DTYPES:
        assert None not in errors  # of two mistakes either may be named
        return
    if errors[0] is not errors[1]:
        assert is_known_difference(name, dtype, alpha), errors
        return
    if errors[0] is not None or (inplace and writes_twice(view)):
        return
    c = (
        Coefficients(float(alpha))
        if name == "elu"
        else Coefficients(float(alpha), 1, 1 / float(alpha))
    )
    x = view(before)
    y = view(memories[0]) if inplace else FUNCTIONS[name][0](x, alpha)
    exact = wide_value(x, c)
    assert_within(y, exact, ulp_limit(dtype) * ulps(exact, dtype), undefined(x, c, exact))


def is_known_difference(name: str, dtype: torch.dtype, alpha: object) -> bool:
    """A complex alpha is a TypeError here, as other things that are no numbers, and PyTorch's celu
    passes 1 / alpha through a float."""
    return isinstance(alpha, complex) or (
        name == "celu" and dtype == torch.float64 and isinstance(alpha, (int, float))
    )

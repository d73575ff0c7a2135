"""The registration: schemas, dispatch keys, opcheck, and what other kinds of tensors get."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf, nan

import pytest
import torch
import torch_elu
from layouts import LAYOUTS, Dense
from references import DTYPES, SELU, in_range
from torch import Tensor
from torch.library import opcheck

ops = torch.ops.torch_elu
parametrize_layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())


def dense(dtype: torch.dtype = torch.float32) -> Dense:
    return lambda *shape: torch.randn(shape, dtype=dtype)


def operands(
    x: Tensor,
) -> Iterator[tuple[torch._ops.OpOverload, tuple[object, ...], dict[str, object]]]:
    yield ops.elu.default, (x, 0.3), {}
    yield ops.elu.default, (x, *SELU), {"save_output": True}
    yield ops.elu.out, (x.detach(), 0.3), {"out": torch.empty_like(x.detach())}
    yield ops.elu_backward.default, (torch.randn_like(x), *SELU, False, x), {}
    yield ops.elu_backward.default, (torch.randn_like(x).requires_grad_(), *SELU, True, x), {}
    yield ops.elu_plus_one.default, (x,), {}
    yield ops.elu_plus_one_backward.default, (torch.randn_like(x).requires_grad_(), x), {}


@parametrize_layouts
def test_opcheck_passes_for_every_layout(layout: Callable[[Dense], Tensor]) -> None:
    x = layout(dense()).detach()
    without_compiling = ("test_schema", "test_autograd_registration", "test_faketensor")
    if torch._debug_has_internal_overlap(x) == 0:
        clone = x.clone(memory_format=torch.preserve_format)
        opcheck(ops.elu_.default, (clone, 0.3), test_utils=without_compiling)
    for op, arguments, keywords in operands(x.requires_grad_()):
        opcheck(op, arguments, keywords, test_utils=without_compiling)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_opcheck_passes_for_every_dtype(dtype: torch.dtype) -> None:
    x = dense(dtype)(3, 4)
    opcheck(ops.elu_.default, (x.clone(), 0.3))
    for op, arguments, keywords in operands(x.requires_grad_()):
        opcheck(op, arguments, keywords)


SCHEMAS = [
    ("elu", torch.ops.aten.elu.default, ops.elu.default, {"save_output": False}),
    ("elu_", torch.ops.aten.elu_.default, ops.elu_.default, {}),
    ("elu.out", torch.ops.aten.elu.out, ops.elu.out, {}),
    ("elu_backward", torch.ops.aten.elu_backward.default, ops.elu_backward.default, {}),
]


@pytest.mark.parametrize(("name", "theirs", "ours", "more"), SCHEMAS, ids=[s[0] for s in SCHEMAS])
def test_schema_mirrors_atens(
    name: str, theirs: torch._ops.OpOverload, ours: torch._ops.OpOverload, more: dict[str, object]
) -> None:
    def arguments(op: torch._ops.OpOverload) -> list[object]:
        return [
            (
                a.name,
                str(a.type),
                a.default_value,
                a.kwarg_only,
                a.alias_info and a.alias_info.is_write,
            )
            for a in op._schema.arguments
        ]

    expected = arguments(theirs) + [
        (name, "bool", value, True, None) for name, value in more.items()
    ]
    assert arguments(ours) == expected
    assert [str(r.type) for r in ours._schema.returns] == ["Tensor"]
    assert [bool(r.alias_info) for r in ours._schema.returns] == [
        bool(r.alias_info) for r in theirs._schema.returns
    ]
    assert ours._schema.is_mutable == theirs._schema.is_mutable


def test_schema_is_the_documented_one() -> None:
    assert str(ops.elu.default._schema) == (
        "torch_elu::elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1, *, "
        "bool save_output=False) -> Tensor"
    )
    assert set(ops.elu.overloads()) == {"default", "out"}
    assert str(ops.elu_plus_one.default._schema) == "torch_elu::elu_plus_one(Tensor self) -> Tensor"
    assert str(ops.elu_plus_one_backward.default._schema) == (
        "torch_elu::elu_plus_one_backward(Tensor grad_output, Tensor result) -> Tensor"
    )


NAMES = ["elu", "elu_", "elu_backward", "elu_plus_one", "elu_plus_one_backward"]
OVERLOADS = [ops.elu.out, *(getattr(ops, name).default for name in NAMES)]


@pytest.mark.parametrize("op", OVERLOADS, ids=str)
def test_operators_are_tagged_pointwise_and_ready_for_compile(op: torch._ops.OpOverload) -> None:
    assert torch.Tag.pointwise in op.tags
    assert torch.Tag.pt2_compliant_tag in op.tags


def test_writing_overloads_are_tagged_as_such_where_pytorch_has_the_tags() -> None:
    for op, name in ((ops.elu_.default, "inplace"), (ops.elu.out, "out")):
        if hasattr(torch.Tag, name):
            assert getattr(torch.Tag, name) in op.tags


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_device_without_a_kernel_here_gets_pytorchs_operators(dtype: torch.dtype) -> None:
    """As it would be there: the kernel for such devices, called on the CPU."""
    x = torch.cat([in_range(dtype, 1000, -100, 3), torch.tensor([inf, nan, -inf], dtype=dtype)])
    fallback = torch._C.DispatchKeySet(torch._C.DispatchKey.CompositeExplicitAutograd)
    for op, arguments in (
        (ops.elu.default, (x, 0.3)),
        (ops.elu_backward.default, (x, 0.3, 1, 1, False, x)),
        (ops.elu_plus_one.default, (x,)),
        (ops.elu_plus_one_backward.default, (x, torch_elu.elu_plus_one(x))),
    ):
        result = op.redispatch(fallback, *arguments)
        assert result.dtype == dtype
        numbers = slice(None) if "plus_one" in str(op) else x == x
        torch.testing.assert_close(result[numbers], op(*arguments)[numbers], equal_nan=True)

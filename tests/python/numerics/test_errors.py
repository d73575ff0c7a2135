"""Mistakes raise the errors that torch.nn.functional.elu raises, and name the operator."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from references import Coefficients, exact_value
from torch import Tensor

ops = torch.ops.torch_elu

UNSUPPORTED = {
    torch.int8: "Char",
    torch.uint8: "Byte",
    torch.int32: "Int",
    torch.int64: "Long",
    torch.bool: "Bool",
    torch.complex64: "ComplexFloat",
    torch.complex128: "ComplexDouble",
    torch.float8_e4m3fn: "Float8_e4m3fn",
}
CALLS: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "elu": ("elu", torch_elu.elu),
    "selu": ("elu", torch_elu.selu),
    "celu": ("elu", torch_elu.celu),
    "elu in place": ("elu_", lambda x: torch_elu.elu(x, inplace=True)),
    "elu.out": ("elu.out", lambda x: ops.elu.out(x, out=torch.empty_like(x))),
    "elu_backward": ("elu_backward", lambda x: ops.elu_backward(x, 1, 1, 1, False, x)),
    "elu_plus_one": ("elu_plus_one", torch_elu.elu_plus_one),
    "its backward": ("elu_plus_one_backward", lambda x: ops.elu_plus_one_backward(x, x)),
}


@pytest.mark.parametrize(
    ("device", "error"), [("cpu", NotImplementedError), ("meta", RuntimeError)]
)
@pytest.mark.parametrize(("dtype", "name"), UNSUPPORTED.items(), ids=UNSUPPORTED.values())
@pytest.mark.parametrize(("operator", "call"), CALLS.values(), ids=CALLS.keys())
def test_other_dtypes_raise_pytorchs_error_naming_operator_and_dtype(
    operator: str,
    call: Callable[[Tensor], Tensor],
    dtype: torch.dtype,
    name: str,
    device: str,
    error: type[Exception],
) -> None:
    for numel in (0, 3):
        x = torch.zeros(numel).to(dtype).to(device)
        with pytest.raises(
            error, match=f"\"torch_elu::{operator}\" not implemented for '{name}'"
        ) as raised:
            call(x)
        assert raised.type is error


def test_what_exports_or_compiles_integers_says_why_it_does_not() -> None:
    x = torch.arange(3)
    torch.compiler.reset()
    for call in (
        lambda: torch.export.export(torch_elu.ELU(), (x,)),
        lambda: torch.compile(torch_elu.elu, backend="eager", fullgraph=True)(x),
        lambda: torch.compile(torch_elu.elu, backend="eager")(x),
    ):
        with pytest.raises(RuntimeError, match=r"not implemented for .*Long.*: expected float64"):
            call()


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_elu_backward_of_different_dtypes_is_an_error(device: str) -> None:
    grad_output, x = torch.ones(3, device=device), torch.ones(3, device=device, dtype=torch.float64)
    with pytest.raises(
        RuntimeError, match="elu_backward expected grad_output to have the dtype of self_or_result"
    ):
        ops.elu_backward(grad_output, 1, 1, 1, False, x)
    with pytest.raises(RuntimeError, match="elu_plus_one_backward expected grad_output to have"):
        ops.elu_plus_one_backward(grad_output, x)


def test_elu_backward_of_different_devices_is_an_error() -> None:
    for operator, *numbers in ((ops.elu_backward, 1, 1, 1, False), (ops.elu_plus_one_backward,)):
        with pytest.raises(RuntimeError, match=r"grad_output on cpu and .* on meta"):
            operator(torch.ones(3), *numbers, torch.ones(3, device="meta"))


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("c", [(-1, 1, 1), (1, -1, 1), (1, 1, -1)], ids=str)
def test_elu_backward_of_a_result_that_does_not_tell_the_slope_is_an_error(
    c: tuple[float, float, float], device: str
) -> None:
    y = torch.ones(3, device=device)
    with pytest.raises(RuntimeError, match=f"only if .* >= 0, but got alpha={c[0]}, scale={c[1]}"):
        ops.elu_backward(y, *c, True, y)
    ops.elu_backward(y, *c, False, y)


def test_elu_backward_of_a_result_refuses_nan() -> None:
    for c in ((math.nan, 1, 1), (1, math.nan, 1), (1, 1, math.nan)):
        with pytest.raises(RuntimeError, match=r"only if .* >= 0"):
            ops.elu_backward(torch.ones(3), *c, True, torch.ones(3))


def test_an_undefined_tensor_is_an_error_that_says_so() -> None:
    calls = (
        lambda: ops.elu(None),
        lambda: ops.elu_(None),
        lambda: ops.elu.out(None, out=torch.empty(3)),
        lambda: ops.elu.out(torch.ones(3), out=None),
        lambda: ops.elu.out(torch.ones(3, device="meta"), out=None),
        lambda: ops.elu_backward(None, 1, 1, 1, False, None),
        lambda: ops.elu_plus_one(None),
        lambda: ops.elu_plus_one_backward(None, None),
    )
    for call in calls:
        with pytest.raises(RuntimeError, match=r"torch_elu::elu.* expected a tensor, but got None"):
            call()


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_an_undefined_operand_of_a_backward_is_named(device: str) -> None:
    x = torch.ones(3, device=device)
    for call, name in (
        (lambda: ops.elu_backward(None, 1, 1, 1, False, x), "grad_output"),
        (lambda: ops.elu_backward(x, 1, 1, 1, False, None), "self_or_result"),
        (lambda: ops.elu_plus_one_backward(None, x), "grad_output"),
        (lambda: ops.elu_plus_one_backward(x, None), "result"),
    ):
        with pytest.raises(RuntimeError, match=rf"torch_elu::elu.* got None .* as {name}\."):
            call()


def test_celu_of_alpha_zero_is_pytorchs_error() -> None:
    for function in (F.celu, torch_elu.celu, torch.jit.script(torch_elu.celu)):
        with pytest.raises((RuntimeError, torch.jit.Error), match="alpha cannot be 0 for CELU"):
            function(torch.ones(3), 0.0)


def converted_celu(x: Tensor, alpha: float) -> Tensor:
    class Model(torch.nn.Module):
        def forward(self, x: Tensor, alpha: float) -> Tensor:
            return torch.celu(x, alpha)

    return torch_elu.convert(torch.jit.script(Model()))(x, alpha)


CELU_CALLS: dict[str, Callable[..., Tensor]] = {
    "eager": torch_elu.celu,
    "in place": lambda x, alpha: torch_elu.celu(x, alpha, inplace=True),
    "module": lambda x, alpha: torch_elu.CELU(alpha)(x),
    "save": lambda x, alpha: torch_elu.celu(x.requires_grad_(), abs(alpha), save="output"),
    "script": torch.jit.script(torch_elu.celu),
    "converted script": converted_celu,
    "compiled": torch.compile(torch_elu.celu, backend="eager"),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("call", CELU_CALLS.values(), ids=CELU_CALLS.keys())
def test_an_alpha_that_celu_cannot_take_is_an_error_in_the_words_of_the_call(
    call: Callable[..., Tensor], dtype: torch.dtype
) -> None:
    for alpha, what, remedy in (
        (1e-300, "1 / alpha", "an alpha farther from 0"),
        (1e300, "alpha", "a smaller value"),
    ):
        message = (
            f"torch_elu::celu(alpha={alpha:g}): {what} cannot be converted to type float, in which "
            f"this tensor is computed, without overflow. Use a float64 tensor or {remedy}."
        )
        with pytest.raises((RuntimeError, torch.jit.Error), match=re.escape(message)) as raised:
            call(torch.ones(3, dtype=dtype), alpha)
        assert "input_scale=" not in str(raised.value)
        # In float64 there is nothing to refuse.
        x = torch.ones(3, dtype=torch.float64)
        assert torch.equal(call(x, alpha), torch.ones_like(x))


WRONG_ARGUMENTS: dict[str, tuple[tuple[object, ...], dict[str, object]]] = {
    "no arguments": ((), {}),
    "a list": (([1.0, 2.0],), {}),
    "a number": ((1.0,), {}),
    "None": ((None,), {}),
    "alpha a string": ((torch.ones(3), "a"), {}),
    "alpha None": ((torch.ones(3), None), {}),
    "unknown keyword": ((torch.ones(3),), {"beta": 1.0}),
}


@pytest.mark.parametrize(
    ("arguments", "keywords"), WRONG_ARGUMENTS.values(), ids=WRONG_ARGUMENTS.keys()
)
@pytest.mark.parametrize(
    ("ours", "theirs"), [(torch_elu.elu, F.elu), (torch_elu.celu, F.celu)], ids=["elu", "celu"]
)
def test_wrong_arguments_raise_pytorchs_type_of_error(
    ours: Callable[..., Tensor],
    theirs: Callable[..., Tensor],
    arguments: tuple[object, ...],
    keywords: dict[str, object],
) -> None:
    for function in (theirs, ours):
        with pytest.raises(TypeError):
            function(*arguments, **keywords)


def test_an_alpha_that_is_no_number_is_named() -> None:
    with pytest.raises(TypeError, match=r"must be Number, not str$"):
        torch_elu.elu(torch.ones(3), "a")


@pytest.mark.parametrize("name", ["elu", "selu", "celu", "elu_plus_one"])
def test_errors_of_arguments_name_the_function(name: str) -> None:
    function = getattr(torch_elu, name)
    with pytest.raises(TypeError, match=rf"^{name}\(\): argument 'input' must be Tensor, not int$"):
        function(3)
    if name in ("elu", "celu"):
        with pytest.raises(TypeError, match=rf"^{name}\(\): argument 'alpha' must be Number"):
            function(torch.ones(3), "a")


@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.celu])
def test_minus_1_is_an_alpha_and_no_sign_of_an_error(function: Callable[..., Tensor]) -> None:
    x = torch.linspace(-3, 3, 13)
    theirs = F.elu if function is torch_elu.elu else F.celu
    torch.testing.assert_close(function(x, -1.0), theirs(x, -1.0))


class Broken:
    def __float__(self) -> float:
        raise ZeroDivisionError("inside")

    def __bool__(self) -> bool:
        raise ZeroDivisionError("inside")


@pytest.mark.parametrize("keyword", ["alpha", "inplace"])
@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.celu])
def test_an_error_of_an_arguments_own_conversion_comes_through(
    function: Callable[..., Tensor], keyword: str
) -> None:
    with pytest.raises(ZeroDivisionError, match="inside"):
        function(torch.ones(3), **{keyword: Broken()})


def test_the_direct_calls_count_their_arguments() -> None:
    for name, count in {"elu": 4, "selu": 2, "celu": 4, "elu_plus_one": 1}.items():
        with pytest.raises(TypeError, match=rf"{name}\(\) takes {count} arguments, but got 0"):
            getattr(torch_elu._C, name)()


@pytest.mark.filterwarnings("ignore")  # that the graph breaks
@pytest.mark.parametrize("fullgraph", [False, True])
@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.celu])
@pytest.mark.parametrize("alpha", ["1", b"1"], ids=repr)
def test_a_compiled_function_takes_no_alpha_that_is_no_number(
    function: Callable[..., Tensor], alpha: object, fullgraph: bool
) -> None:
    torch.compiler.reset()
    compiled = torch.compile(function, backend="eager", fullgraph=fullgraph)
    error = torch._dynamo.exc.Unsupported if fullgraph else TypeError
    with pytest.raises(error, match="argument 'alpha' must be Number, not"):
        compiled(torch.ones(3), alpha)


@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.celu])
def test_save_takes_two_words(function: Callable[..., Tensor]) -> None:
    with pytest.raises(ValueError, match='save must be "input" or "output", but got "result"'):
        function(torch.ones(3), save="result")
    for call in (function, torch.jit.script(function)):
        with pytest.raises((ValueError, torch.jit.Error), match='but got "result"'):
            call(torch.ones(3), inplace=True, save="result")
    with pytest.raises(TypeError):
        function(torch.ones(3), 1.0, False, "input")  # by keyword only


# As numbers; what becomes of them in tracers is in test_symbolic_alpha.py.
ALPHAS = {
    "int": 2,
    "bool": True,
    "0-dim tensor": torch.tensor(2.0),
    "0-dim integer tensor": torch.tensor(2),
    "numpy float32": torch.tensor(2.0).numpy()[()],
}


@pytest.mark.parametrize("alpha", ALPHAS.values(), ids=ALPHAS.keys())
def test_alpha_may_be_whatever_pytorch_takes_as_a_number(alpha: float) -> None:
    x = torch.linspace(-3, 3, 13, dtype=torch.float64)
    exact = exact_value(x, Coefficients(float(alpha)))
    torch.testing.assert_close(torch_elu.elu(x, alpha), exact)
    torch.testing.assert_close(F.elu(x, alpha), exact)

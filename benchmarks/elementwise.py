"""Cases in which elu runs over many elements, by direction, dtype, size, layout and threads."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch_elu  # noqa: F401  (registers torch.ops.torch_elu)
from torch import Tensor
from torch.nn import functional

from . import peers
from .timing import Case, Contender

DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64]
IN_CACHE, IN_MEMORY = 1 << 16, 1 << 24

COPY = "copy_"
MEMCPY = "memcpy"
OURS = "torch_elu"
PYTORCH = "F.elu"
COMPILED = "torch.compile(F.elu)"
PYTORCH_BACKWARD = "aten::elu_backward"
PYTORCH_BACKWARD_OUT = "aten::elu_backward, out="


def size_name(numel: int) -> str:
    """1024 as 1 Ki, and so on."""
    for power, prefix in ((20, " Mi"), (10, " Ki")):
        if numel >= 1 << power and numel % (1 << power) == 0:
            return f"{numel >> power}{prefix}"
    return str(numel)


def dtype_name(dtype: torch.dtype) -> str:
    """torch.float32 as float32."""
    return str(dtype).removeprefix("torch.")


def make_input(dtype: torch.dtype, numel: int) -> Tensor:
    """Normally distributed, as what comes out of a layer; repeated, to be made quickly."""
    generator = torch.Generator().manual_seed(20151123)
    pattern = torch.randn(min(numel, IN_CACHE), generator=generator).to(dtype)
    return pattern.repeat(-(-numel // IN_CACHE))[:numel]


@functools.cache
def compiled_elu() -> Callable[[Tensor, Tensor], None]:
    """torch.compile(F.elu) into a given output."""

    def elu(x: Tensor, out: Tensor) -> None:
        out.copy_(functional.elu(x))

    return torch.compile(elu, dynamic=True)


@functools.cache
def compiled_backward() -> Callable[[Tensor, Tensor, Tensor], None]:
    """The backward of F.elu, compiled, into a given output."""

    def backward(grad: Tensor, x: Tensor, out: Tensor) -> None:
        out.copy_(torch.ops.aten.elu_backward(grad, 1, 1, 1, False, x))

    return torch.compile(backward, dynamic=True)


def run_once(contenders: Iterable[Contender], out: Tensor, expected: Tensor) -> None:
    """Makes sure that each of those that write to `out` does what it is timed for."""
    for contender in contenders:
        out.zero_()
        exec(contender.statement, contender.names)
        if not torch.allclose(out, expected, rtol=1e-2, atol=1e-5):
            raise RuntimeError(f"{contender.name} gives another result")


def forward_contenders(
    dtype: torch.dtype, numel: int, compiled: bool, with_peers: bool
) -> list[Contender]:
    """All of them on contiguous tensors, with outputs that exist already."""
    x = make_input(dtype, numel)
    out = torch.empty_like(x)
    names: dict[str, object] = {"x": x, "out": out}
    elu = "elu(x, out=out)"
    contenders = [
        Contender(OURS, elu, {**names, "elu": torch.ops.torch_elu.elu.out}),
        Contender(PYTORCH, elu, {**names, "elu": torch.ops.aten.elu.out}),
    ]
    if compiled:
        contenders.append(Contender(COMPILED, "elu(x, out)", {**names, "elu": compiled_elu()}))
    if numel <= IN_CACHE:
        run_once(contenders, out, functional.elu(x))
    if with_peers and dtype == torch.float32:
        contenders += peers.contenders(x)
    address = {"memmove": ctypes.memmove, "to": out.data_ptr(), "source": x.data_ptr()}
    contenders += [
        Contender(COPY, "out.copy_(x)", names),
        Contender(MEMCPY, f"memmove(to, source, {x.nbytes})", {**names, **address}),
    ]
    return contenders


def backward_contenders(dtype: torch.dtype, numel: int, compiled: bool) -> list[Contender]:
    """elu_backward of the input, and of the result; torch_elu's always allocates its output."""
    x, grad = make_input(dtype, numel), make_input(dtype, numel).flip(0)
    out = torch.empty_like(x)
    names: dict[str, object] = {"x": x, "grad": grad, "out": out, "y": functional.elu(x)}
    ours, aten = torch.ops.torch_elu.elu_backward, torch.ops.aten.elu_backward
    of_input = "backward(grad, 1, 1, 1, False, x)"
    of_result = "backward(grad, 1, 1, 1, True, y)"
    into_out = "backward(grad, 1, 1, 1, False, x, grad_input=out)"
    with_out = [Contender(PYTORCH_BACKWARD_OUT, into_out, {**names, "backward": aten.grad_input})]
    if compiled:
        backward = {**names, "backward": compiled_backward()}
        with_out.append(Contender("compiled, out=", "backward(grad, x, out)", backward))
    if numel <= IN_CACHE:
        run_once(with_out, out, ours(grad, 1, 1, 1, False, x))
    return [
        Contender(OURS, of_input, {**names, "backward": ours.default}),
        Contender(f"{OURS}, of the result", of_result, {**names, "backward": ours.default}),
        Contender(PYTORCH_BACKWARD, of_input, {**names, "backward": aten.default}),
        *with_out,
        Contender("mul, out=", "mul(grad, x, out=out)", {**names, "mul": torch.mul}),
    ]


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "every second row": lambda x: x.repeat(2, 1)[::2],
    "every second column": lambda x: x.repeat(1, 2)[:, ::2],
    "a row expanded": lambda x: x[0].expand_as(x),
    "a column expanded": lambda x: x[:, :1].expand_as(x),
    "transposed": lambda x: x.t(),
}


def strided_contenders(layout: Callable[[Tensor], Tensor]) -> list[Contender]:
    """256 x 256 numbers out of a larger or smaller tensor, into a contiguous one."""
    x = layout(make_input(torch.float32, IN_CACHE).view(256, 256))
    out = torch.empty(x.shape)
    names: dict[str, object] = {"x": x, "out": out}
    elu = "elu(x, out=out)"
    contenders = [
        Contender(OURS, elu, {**names, "elu": torch.ops.torch_elu.elu.out}),
        Contender(PYTORCH, elu, {**names, "elu": torch.ops.aten.elu.out}),
    ]
    run_once(contenders, out, functional.elu(x))
    return [*contenders, Contender(COPY, "out.copy_(x)", names)]


def threads_contenders(numel: int, counts: list[int]) -> list[Contender]:
    """The same work by one thread and by several."""
    x = make_input(torch.float32, numel)
    names: dict[str, object] = {"x": x, "out": torch.empty_like(x)}
    statements: dict[str, tuple[str, Any]] = {
        OURS: ("elu(x, out=out)", torch.ops.torch_elu.elu.out),
        PYTORCH: ("elu(x, out=out)", torch.ops.aten.elu.out),
        COPY: ("out.copy_(x)", None),
    }
    return [
        Contender(threads_name(name, count), statement, {**names, "elu": elu}, count)
        for name, (statement, elu) in statements.items()
        for count in counts
    ]


def threads_name(name: str, count: int) -> str:
    """A contender on so many threads."""
    return f"{name}, {count} thread{'s' * (count > 1)}"


def case(
    group: str,
    what: str,
    numel: int,
    build: Callable[[], list[Contender]],
    dtype: torch.dtype = torch.float32,
) -> Case:
    """A case whose times are given per element."""
    facts: dict[str, int | str] = {"dtype": dtype_name(dtype), "numel": numel}
    name = f"{what}, {size_name(numel)}"
    return Case(group, name, build, amount=numel, facts=facts)


def forward_case(
    dtype: torch.dtype, numel: int, compiled: bool = True, with_peers: bool = True
) -> Case:
    """A forward over contiguous tensors."""
    build = functools.partial(forward_contenders, dtype, numel, compiled, with_peers)
    return case("forward", dtype_name(dtype), numel, build, dtype)


def backward_case(dtype: torch.dtype, numel: int, compiled: bool = True) -> Case:
    """A backward over contiguous tensors."""
    build = functools.partial(backward_contenders, dtype, numel, compiled)
    return case("backward", dtype_name(dtype), numel, build, dtype)


def strided_cases() -> list[Case]:
    """Inputs that are parts or expansions of other tensors."""
    return [
        case("strided", name, IN_CACHE, functools.partial(strided_contenders, layout))
        for name, layout in LAYOUTS.items()
    ]


def threads_case(numel: int, counts: list[int]) -> Case:
    """A forward on one and more threads."""
    build = functools.partial(threads_contenders, numel, counts)
    return case("threads", dtype_name(torch.float32), numel, build)

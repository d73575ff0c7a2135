"""Cases in which elu runs over many elements, by direction, dtype, size, layout and threads."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import functional
from torch_elu.doctor.timing import Contender

from . import peers, torchscript
from .timing import Case
from .torchscript import scripted

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


def repeats_for(numel: int) -> int:
    """How often a loop does the work: Python's part gets small, and the execution not long."""
    return 10 if numel <= 1 << 20 else 1


def loop(
    name: str, function: Callable[..., Tensor], *arguments: object, threads: int = 1
) -> Contender:
    """A loop of torchscript.py; its first argument is a tensor of the size in question."""
    repeats = repeats_for(arguments[0].numel())  # type: ignore[attr-defined]
    names: dict[str, object] = {"loop": scripted(function), "arguments": (*arguments, repeats)}
    return Contender(name, "loop(*arguments)", names, threads, repeats)


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
    contenders = [
        loop(OURS, torchscript.ours_into, x, out),
        loop(PYTORCH, torchscript.pytorch_into, x, out),
    ]
    if compiled:
        names: dict[str, object] = {"elu": compiled_elu(), "x": x, "out": out}
        contenders.append(Contender(COMPILED, "elu(x, out)", names))
    if numel <= IN_CACHE:
        run_once(contenders, out, functional.elu(x))
    if with_peers and dtype == torch.float32:
        contenders += peers.contenders(x)
    memmove: dict[str, object] = {
        "memmove": ctypes.memmove,
        "to": out.data_ptr(),
        "source": x.data_ptr(),
        "kept": (x, out),
    }
    contenders += [
        loop(COPY, torchscript.copy_into, x, out),
        Contender(MEMCPY, f"memmove(to, source, {x.nbytes})", memmove),
    ]
    return contenders


def backward_contenders(dtype: torch.dtype, numel: int, compiled: bool) -> list[Contender]:
    """elu_backward of the input, and of the result; torch_elu's always allocates its output."""
    x, grad = make_input(dtype, numel), make_input(dtype, numel).flip(0)
    out = torch.empty_like(x)
    y = functional.elu(x)
    with_out = [loop(PYTORCH_BACKWARD_OUT, torchscript.pytorch_backward_into, grad, x, out)]
    if compiled:
        names: dict[str, object] = {"f": compiled_backward(), "grad": grad, "x": x, "out": out}
        with_out.append(Contender("compiled, out=", "f(grad, x, out)", names))
    if numel <= IN_CACHE:
        run_once(with_out, out, torch.ops.torch_elu.elu_backward(grad, 1, 1, 1, False, x))
    return [
        loop(OURS, torchscript.ours_backward, grad, x, False),
        loop(f"{OURS}, of the result", torchscript.ours_backward, grad, y, True),
        loop(PYTORCH_BACKWARD, torchscript.pytorch_backward, grad, x, False),
        *with_out,
        loop("mul, out=", torchscript.multiply_into, grad, x, out),
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
    contenders = [
        loop(OURS, torchscript.ours_into, x, out),
        loop(PYTORCH, torchscript.pytorch_into, x, out),
    ]
    run_once(contenders, out, functional.elu(x))
    return [*contenders, loop(COPY, torchscript.copy_into, x, out)]


def threads_contenders(numel: int, counts: list[int]) -> list[Contender]:
    """The same work by one thread and by several."""
    x = make_input(torch.float32, numel)
    out = torch.empty_like(x)
    loops = {
        OURS: torchscript.ours_into,
        PYTORCH: torchscript.pytorch_into,
        COPY: torchscript.copy_into,
    }
    return [
        loop(threads_name(name, count), function, x, out, threads=count)
        for name, function in loops.items()
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

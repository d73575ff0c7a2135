"""Tables of README.md and docs/ in which PyTorch's functions and ours are called from Python.

python -m benchmarks.from_python
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch_elu
from torch.nn import functional
from torch_elu.doctor import bench
from torch_elu.doctor.timing import ENDLESS, Contender, Timed, time_in_turn

from . import record
from .elementwise import DTYPES, OURS, PYTORCH, dtype_name
from .tables import format_table

Names = dict[str, object]
BLOCK_SECONDS = 5e-3


class Call(NamedTuple):
    """A statement, and the names in it: those of both and those of each."""

    name: str
    statement: str
    both: Names
    ours: Names
    pytorch: Names


class Table(NamedTuple):
    """Where it stands, and its rows."""

    page: str
    calls: Callable[[], Iterator[Call]]


ELU: tuple[Names, Names] = {"elu": torch_elu.elu}, {"elu": functional.elu}
GRAD = "grad(elu(x), x, g)"


def calls_of_bench() -> Iterator[Call]:
    """What `python -m torch_elu bench` calls on the CPU."""
    for row in bench.CPU_ROWS:
        x = torch.randn(row.numel).to(row.dtype).requires_grad_(row.statement == bench.TRAINING)
        both: Names = {"x": x, "grad": torch.ones_like(x, requires_grad=False)}
        yield Call(
            f"{row.statement}, {dtype_name(row.dtype)}, {row.numel}", row.statement, both, *ELU
        )


def transforms() -> Iterator[Call]:
    """A tangent, and per-sample gradients."""
    x = torch.randn(1 << 20)
    both: Names = {"jvp": torch.func.jvp, "x": x, "t": torch.ones_like(x)}
    yield Call("jvp", "jvp(elu, (x,), (t,))", both, *ELU)
    rows: list[Names] = [
        {"f": torch.func.vmap(torch.func.grad(lambda row, elu=elu: elu(row).sum()))}
        for elu in (torch_elu.elu, functional.elu)
    ]
    yield Call("per-sample gradients of 1,024 rows", "f(x)", {"x": x.view(1024, 1024)}, *rows)


def columns() -> Iterator[Call]:
    """Two of three columns."""
    x, g = torch.randn(1 << 19, 3)[:, :2], torch.ones(1 << 19, 2)
    yield Call("forward", "elu(x)", {"x": x}, *ELU)
    both: Names = {"grad": torch.autograd.grad, "x": x.requires_grad_(), "g": g}
    yield Call("forward and backward", GRAD, both, *ELU)


def coefficients() -> Iterator[Call]:
    """The operators themselves, forward into a given output."""
    ours, pytorch = torch.ops.torch_elu, torch.ops.aten
    for dtype in DTYPES:
        x = torch.randn(1 << 16).to(dtype)
        both: Names = {"x": x, "g": torch.ones_like(x), "out": torch.empty_like(x)}
        for name, *numbers in (
            *(("alpha 1", 1.0, 1.0, 1.0), ("alpha 0.3", 0.3, 1.0, 1.0)),
            *(("alpha 0", 0.0, 1.0, 1.0), ("CELU of -1", -1.0, 1.0, -1.0)),
        ):
            arguments: Names = {**both, "c": numbers}
            of_dtype = f"{dtype_name(dtype)}, {name}"
            forward: list[Names] = [{"elu": of.elu.out} for of in (ours, pytorch)]
            yield Call(f"{of_dtype}, forward", "elu(x, *c, out=out)", arguments, *forward)
            backward: list[Names] = [{"f": of.elu_backward.default} for of in (ours, pytorch)]
            yield Call(f"{of_dtype}, backward", "f(g, *c, False, x)", arguments, *backward)


TABLES = {
    "bench": Table("index.md", calls_of_bench),
    "torch.func": Table("performance.md#torchfunc", transforms),
    "slices of few columns": Table("performance.md#slices-of-few-columns", columns),
    "coefficients": Table("exactness.md#special-inputs", coefficients),
}


def measure(call: Call, seconds: float) -> list[str]:
    """The row: the least of each in microseconds, and the speedup."""
    contenders = [
        Timed(Contender(name, call.statement, {**call.both, **names}))
        for name, names in ((PYTORCH, call.pytorch), (OURS, call.ours))
    ]
    times = time_in_turn(contenders, ENDLESS, BLOCK_SECONDS, seconds)
    pytorch, ours = (min(times[name]) * 1e6 for name in (PYTORCH, OURS))
    return [call.name, f"{pytorch:.4g}", f"{ours:.4g}", f"{pytorch / ours:.2f}"]


def main() -> None:
    """Measures on one thread and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.from_python", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="for a row (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES), metavar="TABLE")
    record.add_option(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    header = ["microseconds", PYTORCH, OURS, "speedup"]
    for name in arguments.only:
        rows = [measure(call, arguments.seconds) for call in TABLES[name].calls()]
        print(f"{name}:\n\n{format_table(header, rows)}\n", flush=True)
        record.save(arguments.json, f"From Python: {name}", TABLES[name].page, header, rows)


if __name__ == "__main__":
    main()

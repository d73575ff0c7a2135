"""``python -m torch_elu bench``: the speed of this package's elu and of PyTorch's, as called."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

from ..functional import elu
from .timing import ENDLESS, Contender, Timed, time_after_cuda, time_in_turn

OURS, PYTORCH = "torch_elu.elu", "F.elu"
FUNCTIONS = {OURS: elu, PYTORCH: functional.elu}

FORWARD = "elu(x)"
TRAINING = "elu(x).backward(grad)"
IN_PLACE = "elu(x, inplace=True)"


@dataclass(frozen=True)
class Row:
    """A call to be timed, and the tensor it is made with."""

    statement: str
    numel: int
    dtype: torch.dtype = torch.float32
    device: str = "cpu"


CPU_ROWS = [
    Row(FORWARD, 16),
    Row(TRAINING, 16),
    Row(FORWARD, 1 << 16),
    Row(TRAINING, 1 << 16),
    Row(FORWARD, 1 << 16, torch.bfloat16),
    Row(FORWARD, 1 << 16, torch.float16),
    Row(FORWARD, 1 << 16, torch.float64),
    Row(FORWARD, 1 << 24),
    Row(IN_PLACE, 1 << 24),
]
CUDA_ROWS = [
    Row(FORWARD, 16, device="cuda"),
    Row(FORWARD, 1 << 24, device="cuda"),
    Row(TRAINING, 1 << 24, device="cuda"),
    Row(FORWARD, 1 << 24, torch.bfloat16, "cuda"),
]

BLOCK_SECONDS = 1e-3


def measure(row: Row, seconds: float) -> dict[str, float]:
    """The shortest time of a call of each function, in microseconds."""
    generator = torch.Generator().manual_seed(20151123)
    numbers = torch.randn(row.numel, generator=generator).to(row.dtype)
    x = numbers.to(row.device).requires_grad_(row.statement == TRAINING)
    names: dict[str, object] = {"x": x, "grad": torch.ones_like(x, requires_grad=False)}
    clock = time_after_cuda if row.device == "cuda" else time.perf_counter
    contenders = [
        Timed(Contender(name, row.statement, {**names, "elu": function}), clock)
        for name, function in FUNCTIONS.items()
    ]
    times = time_in_turn(contenders, ENDLESS, BLOCK_SECONDS, seconds)
    return {name: min(samples) * 1e6 for name, samples in times.items()}


def table(seconds: float) -> Iterator[str]:
    """The lines of the table, each as soon as it is known; it takes so many seconds in all."""
    rows = CPU_ROWS + (CUDA_ROWS if torch.cuda.is_available() else [])
    columns = "| {:22} | {:>6} | {:8} | {:>9} | {:>13} | {:>9} | {:>7} |"
    header = ["call", "device", "dtype", "elements", f"{OURS}, us", f"{PYTORCH}, us", "speedup"]
    load, cpus = os.getloadavg()[0], os.cpu_count() or 1
    yield (
        f"PyTorch {torch.__version__}, {torch.ops.torch_elu.cpu_capability()}, "
        f"CPU threads: {torch.get_num_threads()}, load: {load:.1f} on {cpus} CPUs"
    )
    if load > cpus / 2:
        yield "Other work is running and takes part of these times: repeat this without it."
    yield ""
    yield columns.format(*header)
    yield columns.format(*("-" * len(name) for name in header))
    for row in rows:
        times = measure(row, seconds / len(rows))
        ours, pytorch = times[OURS], times[PYTORCH]
        yield columns.format(
            row.statement,
            row.device,
            str(row.dtype).removeprefix("torch."),
            row.numel,
            f"{ours:.2f}",
            f"{pytorch:.2f}",
            f"{pytorch / ours:.2f}",
        )
    yield ""
    yield "Each time is the shortest of blocks of calls that took turns."
    yield "Results are new tensors, those of inplace=True aside."

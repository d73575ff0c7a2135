"""Times contenders in turn: on the GPU with events and a cold L2 cache, on the CPU by its clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

import torch
from torch_elu.doctor.timing import Contender, Timed, in_turn, time_in_turn

OURS, PYTORCH, COPY, RELU = "torch_elu", "F.elu", "copy_", "relu"
NUMBER = f"{OURS}, a number"  # as alpha, beside one that is a tensor

Run = Callable[[], object]


@dataclass(frozen=True)
class Measured:
    """The times of all contenders for the same work, in microseconds."""

    group: str
    name: str
    times: dict[str, list[float]]
    dtype: str = ""
    numel: int = 0
    # Read and written by one execution of each contender, where that is what bounds it.
    bytes_moved: dict[str, int] = field(default_factory=dict)
    # Where threads of the CPU wake each other (an eager training step), the shortest time is luck.
    by_median: bool = False

    def time(self, contender: str) -> float:
        """What counts: the minimum, as everything else that a machine does only adds to a time, or
        the median.
        """
        return (median if self.by_median else min)(self.times[contender])

    def bandwidth(self, contender: str) -> float:
        """Bytes per second at the time that counts."""
        return self.bytes_moved[contender] / self.time(contender) * 1e6

    def speedup(self, contender: str, against: str) -> float:
        """How many times as fast the contender is."""
        return self.time(against) / self.time(contender)


class L2Flush:
    """Fills the L2 cache with other data, which also keeps the GPU busy while work is queued."""

    def __init__(self) -> None:
        size = torch.cuda.get_device_properties().L2_cache_size
        self.memory = torch.empty(max(4 * size, 256 << 20), dtype=torch.uint8, device="cuda")

    def __call__(self) -> None:
        """Queued as any other work."""
        self.memory.zero_()


def time_on_gpu(contenders: dict[str, Run], rounds: int, flush: Run) -> dict[str, list[float]]:
    """Microseconds between an event before and one behind, each contender once in each round.

    While the flush runs, events and kernels are queued: what is timed is the GPU alone.
    """
    for run in contenders.values():
        for _ in range(3):
            run()
    torch.cuda.synchronize()
    names = list(contenders)
    events: dict[str, list[tuple[torch.cuda.Event, torch.cuda.Event]]] = {n: [] for n in names}
    for turns in in_turn(names, rounds):
        for name in turns:
            before, behind = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            flush()
            before.record()
            contenders[name]()
            behind.record()
            events[name].append((before, behind))
        torch.cuda.synchronize()
    return {
        name: [before.elapsed_time(behind) * 1e3 for before, behind in pairs]
        for name, pairs in events.items()
    }


def time_by_clock(
    contenders: dict[str, Run],
    rounds: int,
    block_seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Microseconds of an execution, as many in a row as take that long: those of the CPU, which
    does not wait for the GPU, or with `time_after_cuda` those until the GPU is done.
    """
    timed = [
        Timed(Contender(name, "run()", {"run": run}), clock, torch.cuda.synchronize)
        for name, run in contenders.items()
    ]
    times = time_in_turn(timed, rounds, block_seconds, math.inf)
    return {name: [seconds * 1e6 for seconds in samples] for name, samples in times.items()}

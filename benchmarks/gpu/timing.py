"""Times contenders in turn: on the GPU with events and a cold L2 cache, on the CPU by its clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

import torch
from torch_elu.doctor.timing import in_turn

OURS, PYTORCH, COPY, RELU = "torch_elu", "F.elu", "copy_", "relu"

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


def time_on_cpu(contenders: dict[str, Run], rounds: int, repeats: int) -> dict[str, list[float]]:
    """Microseconds that the CPU takes for each of `repeats` calls, without waiting for the GPU."""
    for run in contenders.values():
        for _ in range(repeats):
            run()
    names = list(contenders)
    times: dict[str, list[float]] = {name: [] for name in names}
    for turns in in_turn(names, rounds):
        for name in turns:
            run = contenders[name]
            torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(repeats):
                run()
            times[name].append((time.perf_counter() - start) / repeats * 1e6)
    torch.cuda.synchronize()
    return times


def time_until_done(
    contenders: dict[str, Run], rounds: int, repeats: int
) -> dict[str, list[float]]:
    """Microseconds for one of `repeats` executions in a row, until the GPU is done with them."""
    for run in contenders.values():
        for _ in range(5):
            run()
    names = list(contenders)
    times: dict[str, list[float]] = {name: [] for name in names}
    for turns in in_turn(names, rounds):
        for name in turns:
            torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(repeats):
                contenders[name]()
            torch.cuda.synchronize()
            times[name].append((time.perf_counter() - start) / repeats * 1e6)
    return times

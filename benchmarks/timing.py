"""Times contenders in turn on pinned threads, and keeps every sample."""

from __future__ import annotations

import functools
import math
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from torch_elu.doctor.timing import Contender, Timed, time_in_turn
from tqdm import tqdm

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def fastest(
    contenders: dict[str, Callable[[], object]], rounds: int, clock: str = "wall"
) -> dict[str, float]:
    """Milliseconds of the fastest block of each, of so many in turn: 5 ms, or one run."""
    timed = [
        Timed(Contender(name, "run()", {"run": run}), CLOCKS[clock])
        for name, run in contenders.items()
    ]
    times = time_in_turn(timed, rounds, 5e-3, math.inf)
    return {name: min(seconds) * 1e3 for name, seconds in times.items()}


@dataclass(frozen=True, eq=False)
class Case:
    """Contenders for the same work; `amount` times the unit passes in one execution."""

    group: str
    name: str
    build: Callable[[], list[Contender]]
    unit: str = "ns per element"
    amount: float = 1
    facts: dict[str, int | str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """How goals refer to this case."""
        return f"{self.group}, {self.name}"


@dataclass(frozen=True)
class Effort:
    """All cases are visited `passes` times, each with so many rounds of blocks of this length."""

    passes: int
    rounds: int
    block_seconds: float
    case_seconds: float


FULL = Effort(passes=6, rounds=10, block_seconds=3e-3, case_seconds=4)
QUICK = Effort(passes=1, rounds=3, block_seconds=2e-4, case_seconds=0.2)


class Moods(NamedTuple):
    """The medians of samples that fall into a fast and a slow group, and the share of the slow."""

    fast: float
    slow: float
    share: float


class Samples(list[float]):
    """The times of one contender in one case, in the unit of the case."""

    @property
    def minimum(self) -> float:
        """What counts: everything else that runs on a machine only adds to a time."""
        return min(self)

    @property
    def moods(self) -> Moods | None:
        """Two groups of at least a tenth of the samples each, with a gap of half between them."""
        ordered = sorted(self)
        least = max(3, len(self) // 10)
        splits = range(least, len(self) - least + 1)
        gaps = ((ordered[split] / ordered[split - 1], split) for split in splits)
        gap, split = max(gaps, default=(1.0, 0))
        if gap < 1.5:
            return None
        share = 1 - split / len(self)
        return Moods(median(ordered[:split]), median(ordered[split:]), share)


Results = dict[Case, dict[str, Samples]]


class Pinned:
    """Threads of this process that stay on one CPU each."""

    def __init__(self) -> None:
        # The first CPU is where the system's own work tends to be.
        self.cpus = sorted(os.sched_getaffinity(0), reverse=True)
        os.sched_setaffinity(0, self.cpus[:1])
        self.use(1)

    def use(self, threads: int) -> None:
        """Lets PyTorch run on so many threads, and pins those that are new."""
        if threads == torch.get_num_threads():
            return
        torch.set_num_threads(threads)
        if threads == 1:
            return
        tasks = Path("/proc/self/task")
        before = {task.name for task in tasks.iterdir()}
        torch.ones(threads << 20).neg_()
        new = sorted({task.name for task in tasks.iterdir()} - before, key=int)
        workers = range(threads - len(new), threads)
        for worker, thread in zip(workers, new, strict=True):
            os.sched_setaffinity(int(thread), {self.cpus[worker % len(self.cpus)]})


def measure_case(case: Case, effort: Effort, clock: str, pinned: Pinned) -> dict[str, Samples]:
    """One pass: block by block in turn, starting with another contender in each round."""
    contenders = [
        Timed(
            contender,
            # Time on the CPU adds up over threads.
            CLOCKS[clock if contender.threads == 1 else "wall"],
            before_block=functools.partial(pinned.use, contender.threads),
        )
        for contender in case.build()
    ]
    times = time_in_turn(contenders, effort.rounds, effort.block_seconds, effort.case_seconds)
    pinned.use(1)
    return {
        name: Samples(seconds * 1e9 / case.amount for seconds in of_contender)
        for name, of_contender in times.items()
    }


def measure(cases: Iterable[Case], effort: Effort, clock: str, pinned: Pinned) -> Results:
    """Visits all cases again and again, so that each is seen in every mood of the machine."""
    cases = list(cases)
    results: Results = {}
    with tqdm(total=effort.passes * len(cases), unit="case") as progress:
        for _ in range(effort.passes):
            for case in cases:
                progress.set_postfix_str(case.key)
                of_case = results.setdefault(case, defaultdict(Samples))
                for name, samples in measure_case(case, effort, clock, pinned).items():
                    of_case[name].extend(samples)
                progress.update()
    return results

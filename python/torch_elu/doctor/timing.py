"""Times contenders in turn, for ``python -m torch_elu bench`` and the repository's benchmarks."""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

T = TypeVar("T")

# More than fit into the time of time_in_turn: the clock ends it.
ENDLESS = 1_000_000


@dataclass(frozen=True)
class Contender:
    """What is timed: a statement as for timeit, the names in it, the threads it may use, and how
    often it does the work.
    """

    name: str
    statement: str
    names: dict[str, object]
    threads: int = 1
    repeats: int = 1


def time_after_cuda() -> float:
    """The time when all that was sent to the GPU is done."""
    torch.cuda.synchronize()
    return time.perf_counter()


class Timed:
    """A contender, the clock it is timed by, and how many executions fill a block."""

    def __init__(
        self,
        contender: Contender,
        clock: Callable[[], float] = time.perf_counter,
        before_block: Callable[[], object] = lambda: None,
    ) -> None:
        self.contender = contender
        self.timer = timeit.Timer(contender.statement, timer=clock, globals=contender.names)
        self.before_block = before_block
        self.number = 1

    def fill(self, seconds: float) -> None:
        """Lets a block last that long, after a first execution for what is done only once."""
        self.before_block()
        self.block()
        of_one = max(self.block(), 1e-7) * self.contender.repeats
        self.number = max(1, round(seconds / of_one))

    def block(self) -> float:
        """Seconds for doing the work once, after a time that brings the caches back."""
        if self.number > 1:
            self.timer.timeit(1)
        return self.timer.timeit(self.number) / self.number / self.contender.repeats


def in_turn(contenders: Sequence[T], rounds: int) -> Iterator[list[T]]:
    """All of them in each round, starting with another one each time."""
    for number in range(rounds):
        first = number % len(contenders)
        yield [*contenders[first:], *contenders[:first]]


def time_in_turn(
    contenders: Sequence[Timed], rounds: int, block_seconds: float, seconds: float
) -> dict[str, list[float]]:
    """Seconds for doing the work once, block by block; two rounds at least, whatever they take."""
    for timed in contenders:
        timed.fill(block_seconds)
    samples: dict[str, list[float]] = {timed.contender.name: [] for timed in contenders}
    start = time.perf_counter()
    for number, turns in enumerate(in_turn(contenders, rounds)):
        if number >= 2 and time.perf_counter() - start > seconds:
            break
        for timed in turns:
            timed.before_block()
            samples[timed.contender.name].append(timed.block())
    return samples

"""In which order contenders take their turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_turn(contenders: Sequence[T], rounds: int) -> Iterator[list[T]]:
    """All of them in each round, starting with another one each time."""
    for number in range(rounds):
        first = number % len(contenders)
        yield [*contenders[first:], *contenders[:first]]

"""What torch_elu sets out to reach on an H200 or H100, as ratios of times of one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..tables import Verdict
from .timing import COPY, NUMBER, OURS, PYTORCH, Measured

# "At least as fast": two times of the same work differ by that much.
NOISE = 1.02
# From here on a copy runs at the memory's speed.
LARGE = 64 << 20

Compiled = dict[str, dict[str, int]]


def judge(results: Iterable[Measured], compiled: Compiled) -> list[Verdict]:
    """Every goal, each with the case that comes off worst."""
    results = list(results)

    def of(group: str) -> list[Measured]:
        return [m for m in results if m.group == group]

    halves = [m for m in of("forward") if m.dtype in ("float16", "bfloat16")]
    verdicts = [
        *(
            at_least(
                1 / NOISE, f"{group}, {dtype}, {span(cases)}: as fast as {PYTORCH}", cases, speed
            )
            for group in ("forward", "backward")
            for dtype in ("float32", "bfloat16", "float16", "float64")
            for cases in [[m for m in of(group) if m.dtype == dtype]]
        ),
        at_least(
            1.4,
            f"forward, halves, from 2^24 up: 1.4 x as fast as {PYTORCH}",
            [m for m in halves if m.numel >= 1 << 24],
            speed,
        ),
        *(
            at_least(
                0.92,
                f"{group}, from 64 MiB up: 92 % of the bandwidth of {COPY}",
                [m for m in of(group) if m.bytes_moved[COPY] // 2 >= LARGE],
                share_of_copy,
            )
            for group in ("forward", "backward")
        ),
        at_least(
            1 / 1.3,
            "learnt alpha, forward and backward: at most 1.3 x a number's time",
            of("learnt alpha"),
            lambda m: m.speedup(OURS, NUMBER),
        ),
        *(
            at_least(1 / NOISE, f"{m.group}, {m.name}: as fast as {PYTORCH}", [m], speed)
            for m in of("call")[:1] + of("training step")
        ),
    ]
    return [*verdicts, *judge_compiled(compiled)]


def span(cases: list[Measured]) -> str:
    """The sizes that were measured: those that fit into the memory."""
    if not cases:
        return "every size"
    powers = [m.numel.bit_length() - 1 for m in cases]
    return f"every size from 2^{min(powers)} to 2^{max(powers)}"


def speed(measured: Measured) -> float:
    """Against PyTorch."""
    return measured.speedup(OURS, PYTORCH)


def share_of_copy(measured: Measured) -> float:
    """Of the bandwidth."""
    return measured.bandwidth(OURS) / measured.bandwidth(COPY)


def at_least(
    least: float, goal: str, cases: list[Measured], value: Callable[[Measured], float]
) -> Verdict:
    """The worst of the cases."""
    if not cases:
        return Verdict(goal, None, False)
    worst = min(cases, key=value)
    where = f" (worst: {worst.name})" if len(cases) > 1 else ""
    return Verdict(goal + where, value(worst), value(worst) >= least)


def judge_compiled(compiled: Compiled) -> list[Verdict]:
    """No more kernels than PyTorch's own; none at all: the profiler saw nothing."""
    goal = f"compiled, {{}}: no more kernels than {PYTORCH}, {{}}"
    return [
        Verdict(goal.format(name, of[PYTORCH]), of[OURS], 0 < of[OURS] <= of[PYTORCH])
        for name, of in compiled.items()
    ] or [Verdict(goal.format("any", "?"), None, False)]

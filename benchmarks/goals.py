"""What torch_elu sets out to reach, as ratios of times of one run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from .calls import FEW
from .compiled import COMPILED_MODELS, NO_ACTIVATION, STEP, chain_name
from .elementwise import (
    COPY,
    MEMCPY,
    OURS,
    PYTORCH,
    PYTORCH_BACKWARD,
    threads_name,
)
from .tables import Verdict
from .timing import Results

# Two times of the same work differ by that much.
NOISE = 1.05


@dataclass(frozen=True)
class Goal:
    """The contender takes at most `ratio` times as long as the other, or is `speedup` as fast."""

    case: str
    against: str
    ratio: float
    contender: str = OURS
    is_speedup: bool = False

    def __str__(self) -> str:
        who = "" if self.contender == OURS else f"{self.contender}: "
        if self.is_speedup:
            return f"{self.case}: {who}at least {self.ratio:g} x as fast as {self.against}"
        return f"{self.case}: {who}at most {self.ratio:g} x the time of {self.against}"


def faster(case: str, speedup: float, against: str = PYTORCH, contender: str = OURS) -> Goal:
    """The contender is so many times as fast."""
    return Goal(case, against, speedup, contender, is_speedup=True)


def within(case: str, ratio: float, against: str) -> Goal:
    """torch_elu takes at most so many times as long."""
    return Goal(case, against, ratio)


ONE, TWO = threads_name(OURS, 1), threads_name(OURS, 2)

# What a compiled chain may take of the time with F.elu, by size.
COMPILED = {16: 1.05, 256: 1.05, 1 << 12: 0.75, 1 << 16: 0.4, 1 << 20: 0.35, 1 << 24: 0.75}

# Set on a Zen 4 core, some of them for one instruction set. Backward is compared with what also
# allocates its output.
GOALS = {
    "avx512": [
        faster("forward, float32, 64 Ki", 7),
        within("forward, float32, 64 Ki", 2.8, MEMCPY),
        within("forward, float32, 64 Ki", 1, "LiteRT"),
        faster("forward, bfloat16, 64 Ki", 7),
        faster("forward, float16, 64 Ki", 6),
        faster("forward, float64, 64 Ki", 4),
        faster("backward, float32, 64 Ki", 2.2, PYTORCH_BACKWARD),
        faster("backward, bfloat16, 64 Ki", 2.5, PYTORCH_BACKWARD),
        faster("backward, float16, 64 Ki", 2.5, PYTORCH_BACKWARD),
        faster("backward, float64, 64 Ki", 2, PYTORCH_BACKWARD),
        within("forward, float32, 16 Mi", 0.85, COPY),
        within("forward, bfloat16, 16 Mi", 1.5, COPY),
        within("forward, float16, 16 Mi", 1.5, COPY),
        within("forward, float64, 16 Mi", 1.5, COPY),
        *(
            within(f"compiled, {chain_name(numel, alpha)}", ratio, PYTORCH)
            for alpha in (1.0, 0.3)
            for numel, ratio in COMPILED.items()
        ),
    ],
    "avx2": [faster("forward, float32, 64 Ki", 5)],
    "": [
        faster("strided, every second row, 64 Ki", 3),
        faster("strided, every second column, 64 Ki", 1.5),
        faster("strided, a row expanded, 64 Ki", 3),
        faster("strided, a column expanded, 64 Ki", 1.5),
        within(f"call, {FEW} elements, no grad", 0.85, PYTORCH),
        within(f"call, {FEW} elements, with grad", 1, PYTORCH),
        within(f"call, {FEW} elements, forward + backward", 1.1, PYTORCH),
        within(f"call, {FEW} elements, module call", 0.9, PYTORCH),
        within("TorchScript, 1 x 32", 1, PYTORCH),
        faster("threads, float32, 1 Mi", 1.8, ONE, contender=TWO),
        within(f"compiled, {STEP}", 1, PYTORCH),
        within(f"compiled, {STEP}", 1.08, NO_ACTIVATION),
        *(within(f"compiled, {name}", NOISE, PYTORCH) for name in COMPILED_MODELS),
    ],
}


def judge(results: Results, instruction_set: str) -> list[Verdict]:
    """The goals whose groups were measured."""
    groups = {case.group for case in results}
    verdicts = [
        judge_goal(goal, results, "" if set_for == instruction_set else set_for)
        for set_for, goals in GOALS.items()
        for goal in goals
        if goal.case.partition(",")[0] in groups
    ]
    return [*verdicts, *judge_threads(results), *judge_steps(results)]


def judge_goal(goal: Goal, results: Results, set_for: str) -> Verdict:
    """Compares the minima."""
    of_case = next((results[case] for case in results if case.key == goal.case), {})
    if not {goal.contender, goal.against} <= of_case.keys():
        return Verdict(str(goal), None, False, set_for)
    ratio = of_case[goal.contender].minimum / of_case[goal.against].minimum
    measured = 1 / ratio if goal.is_speedup else ratio
    reached = measured >= goal.ratio if goal.is_speedup else measured <= goal.ratio
    return Verdict(str(goal), measured, reached, set_for)


def judge_threads(results: Results) -> list[Verdict]:
    """Two threads are never slower than one: the size where they are slowest."""
    ratios = [
        (of_case[TWO].minimum / of_case[ONE].minimum, case.name)
        for case, of_case in results.items()
        if case.group == "threads" and TWO in of_case
    ]
    if not ratios:
        return []
    worst, name = max(ratios)
    goal = f"threads, any size: 2 threads at most {NOISE:g} x the time of 1 thread (worst: {name})"
    return [Verdict(goal, worst, worst <= NOISE)]


def judge_steps(results: Results) -> list[Verdict]:
    """From size to size, the time per element rises no more than that of a copy does."""
    sizes = sorted(
        (int(case.facts["numel"]), case.name, of_case[OURS].minimum, of_case[COPY].minimum)
        for case, of_case in results.items()
        if case.group == "forward" and case.facts["dtype"] == "float32"
    )
    steps = [
        (ours / ours_before / max(1, copy / copy_before), f"{before} to {name}")
        for (_, before, ours_before, copy_before), (_, name, ours, copy) in pairwise(sizes)
    ]
    if not steps:
        return []
    worst, name = max(steps)
    limit = 1.15
    goal = f"forward, by size: a step up at most {limit:g} x that of {COPY} (worst: {name})"
    return [Verdict(goal, worst, worst <= limit)]

"""The results as tables and as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from statistics import quantiles
from typing import Any

from ..tables import Verdict, format_goals, format_table
from .timing import Measured

METHOD = """\
Contenders in turn. Forward, backward, layouts and learnt alpha: microseconds on the GPU between
two events, with a cold L2 cache, minima. Calls: microseconds on the CPU, minima. Training steps:
microseconds until the GPU is done, medians, of single eager steps and of 5 ms of replays of a CUDA
graph."""


def format_group(results: Iterable[Measured], group: str) -> str:
    """The times of all cases of a group, a column for each contender."""
    cases = [m for m in results if m.group == group]
    contenders = list(dict.fromkeys(name for m in cases for name in m.times))
    rows = [
        [m.name, *(f"{m.time(name):.2f}" if name in m.times else "" for name in contenders)]
        for m in cases
    ]
    return f"{group}, us:\n\n{format_table(['', *contenders], rows)}"


def format_kernels(compiled: dict[str, dict[str, int]]) -> str:
    """How many kernels compiled functions start."""
    if not compiled:
        return "compiled, kernels: not measured"
    rows = [[name, *map(str, of.values())] for name, of in compiled.items()]
    return f"compiled, kernels:\n\n{format_table(['', *next(iter(compiled.values()))], rows)}"


def format_report(
    machine: dict[str, str],
    results: list[Measured],
    compiled: dict[str, dict[str, int]],
    verdicts: list[Verdict],
    steps: dict[str, str],
) -> str:
    """Machine, tables, goals and what ran."""
    groups = dict.fromkeys(m.group for m in results)
    parts = [
        "\n".join(f"{name}: {value}" for name, value in machine.items()),
        METHOD,
        *(format_group(results, group) for group in groups),
        format_kernels(compiled),
        format_goals(verdicts),
    ]
    if steps:
        parts.append("Steps:\n\n" + format_table(["step", ""], list(map(list, steps.items()))))
    return "\n\n".join(parts)


def to_json(
    machine: dict[str, str],
    results: Iterable[Measured],
    compiled: dict[str, dict[str, int]],
    verdicts: Iterable[Verdict],
    steps: dict[str, str],
) -> str:
    """Everything; of the samples, the minimum and the quartiles."""

    def case(m: Measured) -> dict[str, Any]:
        times = {
            name: {
                "minimum": round(min(samples), 3),
                "quartiles": [round(q, 3) for q in quantiles(samples, method="inclusive")],
            }
            for name, samples in m.times.items()
        }
        return {**dataclasses.asdict(m), "times": times}

    document = {
        "machine": machine,
        "steps": steps,
        "goals": [dataclasses.asdict(verdict) for verdict in verdicts],
        "compiled_kernels": compiled,
        "cases": list(map(case, results)),
    }
    return json.dumps(document, indent=1)

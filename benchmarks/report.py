"""The results as Markdown tables and as JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from .tables import Verdict, format_goals, format_table
from .timing import Case, Results, Samples

METHOD = """\
Each time is the minimum of all samples, contenders in turn, on one pinned thread where nothing else
is said. Inputs are normally distributed. Outputs exist beforehand, but for torch_elu's backward and
where no `out=` is named in backward, which allocate theirs, and for calls, training steps and
shapes. But for the latter three, PyTorch's and torch_elu's operators are called from TorchScript,
up to ten times in a row, so that Python takes no part; compiled functions, other frameworks and
memcpy are called from Python, which costs them about a microsecond."""


def format_time(samples: Samples | None) -> str:
    """Three digits, and a mark if there are two moods."""
    if samples is None:
        return ""
    value = samples.minimum
    digits = 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f}{' *' if samples.moods else ''}"


def group_table(results: Results, group: str) -> tuple[list[str], list[list[str]]]:
    """The minima of all cases of a group, a column for each contender."""
    cases = [case for case in results if case.group == group]
    contenders = list(dict.fromkeys(name for case in cases for name in results[case]))
    rows = [
        [case.name, *(format_time(results[case].get(name)) for name in contenders)]
        for case in cases
    ]
    return [cases[0].unit if cases else "", *contenders], rows


def format_group(results: Results, group: str) -> str:
    """As Markdown."""
    return f"{group}:\n\n{format_table(*group_table(results, group))}"


def format_moods(results: Results) -> str:
    """Which contenders had two moods, or were disturbed."""
    lines = [
        f"- {case.key}: {name} took {moods.fast:.3g} or {moods.slow:.3g} {case.unit}, "
        f"the slow time in {moods.share:.0%} of its samples"
        for case, of_case in results.items()
        for name, samples in of_case.items()
        if (moods := samples.moods)
    ]
    if not lines:
        return "No contender's times fall into two groups."
    heading = (
        "* Two moods, if no other work disturbed them: these times fall into two groups. Ratios "
        "count the fast one."
    )
    return "\n".join([heading, "", *lines])


def format_report(machine: dict[str, str], results: Results, verdicts: list[Verdict]) -> str:
    """Machine, tables, moods and goals."""
    groups = dict.fromkeys(case.group for case in results)
    return "\n\n".join(
        [
            "\n".join(f"{name}: {value}" for name, value in machine.items()),
            METHOD,
            *(format_group(results, group) for group in groups),
            format_moods(results),
            *([format_goals(verdicts)] if verdicts else []),
        ]
    )


def to_json(
    machine: dict[str, str], settings: dict[str, Any], results: Results, verdicts: list[Verdict]
) -> str:
    """Everything, with the sorted samples."""
    cases = [
        {
            "group": case.group,
            "name": case.name,
            "unit": case.unit,
            **case.facts,
            "contenders": {
                name: {
                    "minimum": samples.minimum,
                    "moods": samples.moods and samples.moods._asdict(),
                    "samples": sorted(samples),
                }
                for name, samples in of_case.items()
            },
        }
        for case, of_case in results.items()
    ]
    goals = [dataclasses.asdict(verdict) for verdict in verdicts]
    document = {"machine": machine, "settings": settings, "cases": cases, "goals": goals}
    return json.dumps(document, indent=1)


def load(path: Path) -> tuple[dict[str, str], Results]:
    """The machine and the results of what `to_json` wrote; the cases have nothing to run."""
    document = json.loads(path.read_text(encoding="utf-8"))
    results: Results = {}
    for of_case in document["cases"]:
        contenders = of_case.pop("contenders")
        group, name, unit = (of_case.pop(key) for key in ("group", "name", "unit"))
        results[Case(group, name, build=list, unit=unit, facts=of_case)] = {
            contender: Samples(times["samples"]) for contender, times in contenders.items()
        }
    return document["machine"], results

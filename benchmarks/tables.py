"""Markdown tables, and the verdicts on what was to be reached."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """A goal, what was measured, and for which instruction set the goal is if not the one used."""

    goal: str
    measured: float | None
    reached: bool
    set_for: str = ""


def format_table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, padded so that it reads as plain text too."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(map(str.ljust, cells, widths)) + " |" for cells in lines)


def format_goal(verdict: Verdict) -> list[str]:
    """What was to be reached, and whether it was."""
    if verdict.measured is None:
        return [verdict.goal, "", "not measured: a contender is missing"]
    reached = "reached" if verdict.reached else "NOT reached"
    set_for = verdict.set_for and f"; set for {verdict.set_for}"
    return [verdict.goal, f"{verdict.measured:.2f}", reached + set_for]


def format_goals(verdicts: list[Verdict]) -> str:
    """A row for each goal."""
    table = format_table(["goal", "measured", ""], list(map(format_goal, verdicts)))
    return f"Goals:\n\n{table}"

"""Tables for docs/measurements.md: --json docs/measured/MACHINE.json."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from .machine import first_line, instruction_set

REPOSITORY = Path(__file__).parents[1]
VARIABLES = ("ATEN_CPU_CAPABILITY", "TORCH_ELU_HUGE_PAGES", "THP_MEM_", "MALLOC_")


def add_option(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="adds the table to docs/measured/MACHINE.json"
    )


def variables() -> list[str]:
    """What the environment says of speed."""
    return sorted(f"{name}={os.environ[name]}" for name in os.environ if name.startswith(VARIABLES))


def command() -> str:
    """What was called, as one would type it, without --json."""
    program, *arguments = sys.argv
    if "--json" in arguments:
        place = arguments.index("--json")
        del arguments[place : place + 2]
    module = f"benchmarks.{Path(program).stem}"
    return " ".join([*variables(), shlex.join(["python", "-m", module, *arguments])])


def commit() -> str:
    """The one that is checked out; "+" where sources differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True
        ).stdout.strip()

    return git("rev-parse", "--short=7", "HEAD") + "+" * bool(
        git("status", "--porcelain", "--untracked-files=no", "csrc", "python", "benchmarks")
    )


def save(path: Path | None, what: str, page: str, header: list[str], rows: list[list[str]]) -> None:
    """Puts the table in the place of the one of that name, or at the end."""
    if path is None:
        return
    machine = first_line("/proc/cpuinfo", "model name", "an unknown processor")
    document: dict[str, Any] = {"machine": f"{machine}, {instruction_set()}", "measurements": []}
    if path.exists():
        document = json.loads(path.read_text(encoding="utf-8"))
    new = {
        "what": ", ".join([what, *variables()]),
        "page": page,
        "note": f"PyTorch {torch.__version__}, threads: {torch.get_num_threads()}",
        "commands": [command()],
        "commit": commit(),
        "header": header,
        "rows": rows,
    }
    old = document["measurements"]
    place = next((i for i, each in enumerate(old) if each["what"] == new["what"]), len(old))
    document["measurements"] = [*old[:place], new, *old[place + 1 :]]
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

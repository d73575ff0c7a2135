"""docs/measurements.md has the commands and commits of the figures; benchmarks add to it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from benchmarks import record
from docs import measurements

DOCS = Path(measurements.__file__).parent


def test_the_page_is_what_the_script_writes() -> None:
    assert measurements.PAGE.read_text(encoding="utf-8") == measurements.format_page()


def test_commits_of_measurements_stand_on_their_page_alone() -> None:
    pages = [DOCS.parent / "README.md", *DOCS.glob("*.md"), DOCS / "gpu" / "README.md"]
    with_commits = {
        page.name for page in pages if re.search(r"commit [0-9a-f]{7}", page.read_text())
    }
    assert with_commits == {"measurements.md"}


def test_a_benchmark_adds_its_table_and_replaces_it_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "machine.json"
    for variable in ("ATEN_CPU_CAPABILITY", "TORCH_ELU_HUGE_PAGES"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(
        sys, "argv", ["/a/benchmarks/calls.py", "--only", "a b", "--json", "x.json"]
    )
    record.save(file, "first", "page.md", ["", "us"], [["call", "1"]])
    record.save(file, "second", "page.md", ["", "us"], [["call", "2"]])
    monkeypatch.setenv("TORCH_ELU_HUGE_PAGES", "0")
    record.save(file, "first", "page.md", ["", "us"], [["call", "3"]])
    monkeypatch.delenv("TORCH_ELU_HUGE_PAGES")
    record.save(file, "first", "page.md", ["", "us"], [["call", "4"]])
    found = json.loads(file.read_text())["measurements"]
    assert [(each["what"], each["rows"]) for each in found] == [
        ("first", [["call", "4"]]),
        ("second", [["call", "2"]]),
        ("first, TORCH_ELU_HUGE_PAGES=0", [["call", "3"]]),
    ]
    assert found[0]["commands"] == ["python -m benchmarks.calls --only 'a b'"]
    assert found[2]["commands"][0].startswith("TORCH_ELU_HUGE_PAGES=0 python -m ")
    assert re.fullmatch(r"[0-9a-f]{7}\+?", found[0]["commit"])
    assert "| call | 4  |" in measurements.format_measurement(found[0])

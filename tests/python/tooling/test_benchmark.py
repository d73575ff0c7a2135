"""The benchmark runs, and writes down what it should; how fast anything is, is not tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")


def test_every_kind_of_work_is_timed_and_written_down(repository: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.activations", "--quick", "--output", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": f"{repository}:{os.environ.get('PYTHONPATH', '')}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    document = json.loads((tmp_path / "results.json").read_text())
    groups = {"forward", "backward", "strided", "call", "TorchScript", "training step", "shapes"}
    groups |= {"compiled"}
    if len(os.sched_getaffinity(0)) > 1:
        groups.add("threads")
    assert {case["group"] for case in document["cases"]} == groups
    for case in document["cases"]:
        assert any(name.startswith("torch_elu") for name in case["contenders"])
        for contender in case["contenders"].values():
            assert contender["minimum"] == min(contender["samples"]) > 0
    assert {"CPU", "instruction set", "load", "versions"} <= document["machine"].keys()
    assert "| float32, 64 Ki" in (tmp_path / "results.md").read_text()

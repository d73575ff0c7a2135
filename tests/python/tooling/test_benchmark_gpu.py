"""What runs on a GPU says so where there is none, and a run that is cut off keeps its results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import __main__ as benchmark
from benchmarks.gpu.timing import Measured


def test_a_run_that_is_cut_off_leaves_what_it_has_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(_: int) -> Iterator[Measured]:
        for name in ("float32, 2^10", "float32, 2^24"):
            samples = {"torch_elu": [1.0, 2.0, 3.0], "F.elu": [2.0, 3.0, 4.0], "copy_": [1.0, 1.5]}
            moved = dict.fromkeys(samples, 1 << 13)
            yield Measured("forward", name, samples, "float32", 1 << 10, moved)
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(benchmark, "describe", lambda: {"GPU": "Made Up 1"})
    monkeypatch.setattr(benchmark, "measure", measure)
    monkeypatch.setattr(sys, "argv", ["gpu", "--output", str(tmp_path)])
    with pytest.raises(KeyboardInterrupt):
        benchmark.main()
    report = (tmp_path / "made-up-1.md").read_text()
    assert "GPU: Made Up 1" in report
    assert "did NOT run to its end" in report
    cases = json.loads((tmp_path / "made-up-1.json").read_text())["cases"]
    assert [case["name"] for case in cases] == ["float32, 2^10", "float32, 2^24"]
    assert cases[0]["times"]["torch_elu"] == {"minimum": 1.0, "quartiles": [1.5, 2.0, 2.5]}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    "command",
    [
        ["bash", "tools/gpu.sh"],
        [sys.executable, "-m", "benchmarks.gpu"],
        [sys.executable, "tests/python/support/cuda_bits.py"],
        [sys.executable, "tests/python/support/cuda_memory.py"],
    ],
    ids=lambda command: command[-1],
)
def test_without_a_gpu_each_part_says_so_and_fails(command: list[str], repository: Path) -> None:
    result = subprocess.run(
        command,
        cwd=repository,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "no GPU" in result.stderr

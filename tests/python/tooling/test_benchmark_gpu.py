"""The GPU benchmark's judgement, report and picture, with made-up times: no GPU is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

COMPILED = {"pointwise chain": {"torch_elu": 3, "F.elu": 3}}


@pytest.fixture(scope="module")
def gpu(repository: Path) -> Iterator[SimpleNamespace]:
    """The benchmark's modules."""
    sys.path.insert(0, str(repository))
    try:
        from benchmarks.gpu import __main__, goals, report, timing

        yield SimpleNamespace(main=__main__, goals=goals, report=report, timing=timing)
    finally:
        sys.path.remove(str(repository))


def made_up(gpu: SimpleNamespace, times: dict[str, float]) -> list[Any]:
    """Results in which every contender always takes its time; those that are named take another."""
    results = []
    for group, tensors in (("forward", 2), ("backward", 3)):
        for dtype, size in (("float32", 4), ("bfloat16", 2), ("float16", 2), ("float64", 8)):
            for power in (10, 24, 28):
                name = f"{dtype}, 2^{power}"
                numel = 1 << power
                moved = {"torch_elu": tensors * size * numel, "F.elu": tensors * size * numel}
                moved["copy_"] = 2 * size * numel
                taken = {"torch_elu": tensors * 1.0, "F.elu": tensors * 1.5, "copy_": 2.0}
                taken["torch_elu"] = times.get(f"{group}, {name}", taken["torch_elu"])
                samples = {who: [time, time * 1.2] for who, time in taken.items()}
                results.append(gpu.timing.Measured(group, name, samples, dtype, numel, moved))
    for group, name in (
        ("call", "16 elements"),
        ("training step", "eager"),
        ("training step", "CUDA graph"),
    ):
        ours = times.get(f"{group}, {name}", 1.0)
        is_step = group == "training step"
        # F.elu's one lucky step would miss the goals if minima counted.
        samples = {"torch_elu": [ours, ours, 9.0], "F.elu": [0.5 if is_step else 1.0, 1.0, 9.0]}
        results.append(gpu.timing.Measured(group, name, samples, by_median=is_step))
    return results


def missed(gpu: SimpleNamespace, times: dict[str, float], compiled: Any = COMPILED) -> list[str]:
    verdicts = gpu.goals.judge(made_up(gpu, times), compiled)
    return [verdict.goal for verdict in verdicts if not verdict.reached]


def test_all_goals_are_reached_by_times_that_reach_them(gpu: SimpleNamespace) -> None:
    assert missed(gpu, {}) == []
    assert len(gpu.goals.judge(made_up(gpu, {}), COMPILED)) == 15


@pytest.mark.parametrize(
    ("case", "time", "goal"),
    [
        (
            "forward, float32, 2^10",
            3.1,
            "forward, float32, every size from 2^10 to 2^28: as fast",
        ),
        (
            "backward, float64, 2^10",
            4.7,
            "backward, float64, every size from 2^10 to 2^28: as fast",
        ),
        ("forward, bfloat16, 2^24", 2.2, "forward, halves, from 2^24 up: 1.4 x as fast as F.elu"),
        ("forward, float32, 2^28", 2.2, "forward, from 64 MiB up: 92 % of the bandwidth of copy_"),
        ("backward, float16, 2^28", 3.3, "backward, from 64 MiB up: 92 % of the bandwidth"),
        ("call, 16 elements", 1.05, "call, 16 elements: as fast as F.elu"),
        ("training step, CUDA graph", 1.05, "training step, CUDA graph: as fast as F.elu"),
    ],
)
def test_a_goal_that_one_case_misses_is_missed_and_the_case_named(
    gpu: SimpleNamespace, case: str, time: float, goal: str
) -> None:
    (only,) = missed(gpu, {case: time})
    assert only.startswith(goal)
    group, _, name = case.partition(", ")
    assert f"worst: {name}" in only or group in ("call", "training step")


def test_copies_of_less_than_64_mib_do_not_count(gpu: SimpleNamespace) -> None:
    assert missed(gpu, {"forward, float16, 2^10": 2.9}) == []


def test_more_kernels_than_pytorch_and_no_count_at_all_miss_the_goal(gpu: SimpleNamespace) -> None:
    (goal,) = missed(gpu, {}, {"training step": {"torch_elu": 8, "F.elu": 7}})
    assert goal == "compiled, training step: no more kernels than F.elu, 7"
    assert len(missed(gpu, {}, {})) == 1
    assert len(missed(gpu, {}, {"training step": {"torch_elu": 0, "F.elu": 0}})) == 1


def test_what_was_not_measured_is_not_reached(gpu: SimpleNamespace) -> None:
    verdicts = gpu.goals.judge([], {})
    assert verdicts
    assert not any(verdict.reached for verdict in verdicts)


def test_report_and_json_hold_device_minima_goals_and_steps(gpu: SimpleNamespace) -> None:
    results, machine = made_up(gpu, {}), {"GPU": "Made Up 1"}
    verdicts = gpu.goals.judge(results, COMPILED)
    arguments = (machine, results, COMPILED, verdicts, {"ctest": "did NOT run: no GoogleTest"})
    report = gpu.report.format_report(*arguments)
    assert "GPU: Made Up 1" in report
    assert "| float16, 2^28" in report
    assert "did NOT run: no GoogleTest" in report
    assert report.count("| reached") == len(verdicts)

    document = json.loads(gpu.report.to_json(*arguments))
    (case,) = [c for c in document["cases"] if (c["group"], c["name"]) == ("call", "16 elements")]
    assert case["times"]["torch_elu"] == {"minimum": 1.0, "quartiles": [1.0, 1.0, 5.0]}
    assert document["machine"] == machine
    assert len(document["goals"]) == len(verdicts)


def test_a_run_that_is_cut_off_leaves_what_it_has_measured(
    gpu: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(_: int) -> Iterator[Any]:
        yield from made_up(gpu, {})[:2]
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu.main, "describe", lambda: {"GPU": "Made Up 1"})
    monkeypatch.setattr(gpu.main, "measure", measure)
    monkeypatch.setattr(sys, "argv", ["gpu", "--output", str(tmp_path)])
    with pytest.raises(KeyboardInterrupt):
        gpu.main.main()
    assert "did NOT run to its end" in (tmp_path / "made-up-1.md").read_text()
    document = json.loads((tmp_path / "made-up-1.json").read_text())
    assert [case["name"] for case in document["cases"]] == ["float32, 2^10", "float32, 2^24"]


def test_picture_is_drawn(gpu: SimpleNamespace, repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from benchmarks.gpu.picture import save_picture

    save_picture(made_up(gpu, {}), "Made Up 1", tmp_path / "made-up.png")
    assert (tmp_path / "made-up.png").read_bytes().startswith(b"\x89PNG")


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

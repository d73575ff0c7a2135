"""The benchmark runs, and writes down what it should; how fast anything is, is not tested."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.activations", "--quick", "--output", str(folder)],
        env={**os.environ, "PYTHONPATH": str(repository)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def cases(output: Path) -> dict[str, dict[str, Any]]:
    document = json.loads((output / "results.json").read_text())
    return {f"{case['group']}, {case['name']}": case for case in document["cases"]}


def test_every_contender_is_timed(cases: dict[str, dict[str, Any]]) -> None:
    peers = {"LiteRT": "ai_edge_litert", "onnxruntime": "onnx", "JAX": "jax"}
    installed = {name for name, module in peers.items() if importlib.util.find_spec(module)}
    forward = cases["forward, float32, 64 Ki"]["contenders"]
    assert forward.keys() == installed | {
        "torch_elu",
        "F.elu",
        "torch.compile(F.elu)",
        "copy_",
        "memcpy",
    }
    backward = cases["backward, bfloat16, 64 Ki"]["contenders"]
    assert {"torch_elu", "aten::elu_backward", "aten::elu_backward, out="} <= backward.keys()
    for case in cases.values():
        assert any(name.startswith("torch_elu") for name in case["contenders"])


def test_every_kind_of_work_is_timed(cases: dict[str, dict[str, Any]]) -> None:
    groups = {"forward", "backward", "strided", "call", "TorchScript", "training step", "shapes"}
    if len(os.sched_getaffinity(0)) > 1:
        groups.add("threads")
    assert {case["group"] for case in cases.values()} == groups


def test_times_are_positive_and_the_minimum_is_one_of_them(
    cases: dict[str, dict[str, Any]],
) -> None:
    for case in cases.values():
        for contender in case["contenders"].values():
            assert contender["minimum"] == min(contender["samples"]) > 0


def test_machine_and_pictures_are_there(output: Path) -> None:
    machine = json.loads((output / "results.json").read_text())["machine"]
    assert {"CPU", "instruction set", "load", "versions"} <= machine.keys()
    table = (output / "results.md").read_text()
    assert "| float32, 64 Ki" in table
    for picture in ("sizes-light", "sizes-dark", "dtypes-light", "dtypes-dark"):
        assert (output / f"{picture}.png").read_bytes().startswith(b"\x89PNG")


def test_every_goal_is_about_a_case_of_the_whole_benchmark(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(repository)
    from benchmarks import activations, goals

    cases = activations.choose_cases(activations.parse_arguments([]), cpus=2)
    assert {goal.case for group in goals.GOALS.values() for goal in group} <= {
        case.key for case in cases
    }

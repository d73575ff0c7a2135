"""The examples run, in a small setting, and show what they are there to show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tqdm")


def run(repository: Path, name: str, *arguments: str, folder: Path) -> str:
    """What an example prints with --quick; progress bars go to stderr."""
    path = os.pathsep.join([str(repository), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-m", f"examples.{name}", "--quick", *arguments],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "100%|" in result.stderr, "there is no progress bar"
    return result.stdout


@pytest.fixture(autouse=True)
def site_is_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples run in another folder."""
    if "PYTHONPATH" in os.environ:
        places = os.environ["PYTHONPATH"].split(os.pathsep)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(str(Path(p).resolve()) for p in places))


def number(pattern: str, printed: str) -> float:
    match = re.search(pattern, printed)
    assert match is not None, printed
    return float(match[1])


def test_the_legged_robot_learns_and_its_policy_runs_in_cpp(
    repository: Path, tmp_path: Path
) -> None:
    printed = run(repository, "legged_robot", "--output", str(tmp_path / "out"), folder=tmp_path)
    first = number(r"mean reward: ([\d.]+) at first", printed)
    last = number(r"at first, ([\d.]+) at last", printed)
    assert last > first + 0.05
    for name in ("torch_elu", "aten::elu"):
        row = re.search(rf"^{name} +(.*)$", printed, re.MULTILINE)
        assert row is not None, printed
        percentiles = [float(value) for value in row[1].split()]
        assert percentiles == sorted(percentiles)
        assert len(percentiles) == 5


def test_the_audio_encoder_gives_as_a_stream_what_it_gives_at_once(
    repository: Path, tmp_path: Path
) -> None:
    printed = run(repository, "audio_encoder", folder=tmp_path)
    assert "(1, 1, 24000) became (1, 512, 75), at once as streamed" in printed


@pytest.mark.parametrize(("name", "chance"), [("eegnet", 50), ("graph_attention", 100 / 7)])
def test_networks_do_far_better_than_by_chance(
    name: str, chance: float, repository: Path, tmp_path: Path
) -> None:
    printed = run(repository, name, folder=tmp_path)
    assert number(r"accuracy on .* held out: ([\d.]+) %", printed) > chance + 25


def test_linear_attention_shows_what_the_sum_loses(repository: Path, tmp_path: Path) -> None:
    printed = run(repository, "linear_attention", folder=tmp_path)
    rows = re.findall(r"(\w+) +(-?\d+) +(elu\S*(?: \+ 1)?) +([\d.]+) % +([\d.]+) %", printed)
    assert len(rows) == 16
    for dtype, mean, feature_map, zeros, lost in rows:
        if feature_map == "elu_plus_one(x)":
            assert float(zeros) == float(lost) == 0
        elif mean == "-32":
            assert float(zeros) == float(lost) == 100
        elif (dtype, mean) == ("bfloat16", "-8"):
            assert float(zeros) > 50


def test_each_layer_learns_an_alpha(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    printed = run(repository, "learnt_alpha", folder=tmp_path)
    for name in ("ELU", "ParametricELU", "ParametricCELU", "PELU"):
        assert number(rf"(?m)^{name} +([\d.]+) \+- [\d.]+ % right", printed) > 50
    learnt = re.search(r"ParametricELU, seed 0, alpha of each layer: (.*)", printed)
    assert learnt is not None, printed
    assert len(learnt[1].split()) == 8

"""tools/new_operator.py writes a project that stands alone, builds, and passes its own tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch

from tools.new_operator import error_in_name

NAME = "soft_step"
PATH = sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"]


def new_operator(repository: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, repository / "tools" / "new_operator.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def project(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "project"
    result = new_operator(repository, NAME, folder)
    assert result.returncode == 0, result.stderr
    return folder


def texts(project: Path) -> dict[str, str]:
    files = [path for path in project.rglob("*") if path.is_file() and "build" not in path.parts]
    return {str(path.relative_to(project)): path.read_text(encoding="utf-8") for path in files}


def test_no_name_of_elu_is_left(project: Path) -> None:
    of_elu = re.compile(
        r"(?<!r)elu|plus_one|input_scale|save_output=|parametric|unit_value|//=", re.IGNORECASE
    )
    found = [
        f"{path}: {line}"
        for path, text in texts(project).items()
        for line in [path, *text.splitlines()]
        if of_elu.search(line)
    ]
    assert found == []


def test_no_file_is_named_that_is_not_there(project: Path) -> None:
    named = re.compile(
        r"(?<![\w/.])(?:benchmarks|cmake|csrc|docs|examples|python|tests|tools)/[\w/]+(?:\.\w+)+"
    )
    found = [
        f"{path}: {name}"
        for path, text in texts(project).items()
        if path not in (".gitignore", "MANIFEST.in")  # which name what a build makes
        for name in named.findall(text)
        if not (project / name).exists()
    ]
    assert found == []


def test_it_configures_and_compiles_each_of_its_sources(project: Path, tmp_path: Path) -> None:
    choices = [
        f"-DTorchSoftStep_TORCH_ROOT={torch.__path__[0]}",
        "-DTORCH_SOFT_STEP_PYTHON=ON",
        "-DTORCH_SOFT_STEP_CUDA=OFF",
    ]
    subprocess.run(
        ["cmake", "-GNinja", "-S", project, "-B", tmp_path, *choices],
        env={**os.environ, "PATH": PATH},
        check=True,
    )
    commands = json.loads((tmp_path / "compile_commands.json").read_text())
    compiled = {Path(command["file"]).resolve() for command in commands}
    sources = {path.resolve() for path in (project / "csrc").rglob("*.cpp")}
    assert compiled == {path for path in sources if path.name != "cuda.cpp"}
    assert len(compiled) >= 11


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Soft", "lower-case"),
        ("2soft", "lower-case"),
        ("soft-step", "lower-case"),
        ("lambda", "word of the language"),
        ("template", "word of the language"),
        ("softplus", "PyTorch has an operator of this name"),
        ("torch_soft", "leave torch_ out.*: soft"),
        ("elu", "would be torch_elu"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, reason: str) -> None:
    assert re.search(reason, error_in_name(name) or "")


def test_a_refused_name_is_an_error_that_writes_nothing(repository: Path, tmp_path: Path) -> None:
    result = new_operator(repository, "relu", tmp_path / "project")
    assert result.returncode == 2
    assert "NAME cannot be 'relu': PyTorch has an operator of this name." in result.stderr
    assert not (tmp_path / "project").exists()


def test_a_folder_with_files_is_left_alone(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    result = new_operator(repository, NAME, tmp_path)
    assert result.returncode == 2
    assert f"DIRECTORY {tmp_path} exists and is not an empty folder" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


@pytest.mark.slow
def test_it_builds_and_passes_its_own_tests(project: Path) -> None:
    cuda = "" if torch.cuda.is_available() else "0"
    result = subprocess.run(
        ["make", "-C", project, "test", f"PYTHON={sys.executable}"],
        env={**os.environ, "PATH": PATH, "TORCH_SOFT_STEP_CUDA": cuda},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"[1-9]\d+ passed", result.stdout)
    assert "100% tests passed" in result.stdout

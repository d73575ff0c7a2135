"""Installing without what is needed says so; a wheel with a fault is found out."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch_elu
from test_installation import copy_of_the_sources


@pytest.fixture
def source(repository: Path, tmp_path: Path) -> Path:
    return copy_of_the_sources(repository, tmp_path / "source")


def install(source: Path, **environment: str) -> str:
    command = ["-m", "pip", "install", "--no-build-isolation", "--no-deps", "--no-index", "."]
    result = subprocess.run(
        [sys.executable, *command, f"--target={source / 'target'}"],
        cwd=source,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode != 0
    return result.stdout + result.stderr


def test_without_pytorch_the_installation_says_what_to_run(source: Path, tmp_path: Path) -> None:
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "torch.py").write_text("raise ImportError('no torch here')")
    printed = install(source, PYTHONPATH=str(tmp_path / "shadow"))
    assert "and none is installed here. Run `pip install torch`" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"CXX": ""}, "and none is found: install one, as with `apt install g++`"),
        ({"CXX": "no-such-compiler -O1"}, "and CXX=no-such-compiler -O1 is not found: install one"),
    ],
    ids=["none", "CXX names none"],
)
def test_without_a_compiler_the_installation_says_what_to_install(
    environment: dict[str, str], message: str, source: Path
) -> None:
    # CMake is found beside the interpreter, though this environment is not activated.
    assert shutil.which("cmake", path=sysconfig.get_path("scripts")) is not None
    printed = install(source, PATH=str(source), **environment)
    assert message in printed
    assert "C++20 compiler (g++ 11, clang 14 or newer)" in printed


NO_CMAKE = """
import shutil

which = shutil.which
shutil.which = lambda name, **more: None if name == "cmake" else which(name, **more)
"""


def test_without_cmake_the_installation_says_what_to_run(source: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_CMAKE)
    printed = install(source, PYTHONPATH=str(tmp_path))
    assert "needs CMake 3.24 or newer to build: run `pip install cmake ninja`" in printed
    assert "Traceback" not in printed


def test_with_an_old_setuptools_the_installation_says_what_to_run(
    source: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import setuptools; setuptools.__version__ = '65.5'")
    printed = install(source, PYTHONPATH=str(tmp_path))
    assert "needs setuptools 77 or newer to build, but 65.5 is installed: run `pip" in printed
    assert "Traceback" not in printed


@pytest.mark.skipif(torch.version.cuda is None, reason="this PyTorch is built without CUDA")
@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("99.9", "nvcc is of CUDA 99.9, but PyTorch was built with"),
        (torch.version.cuda, "no CUDA compiler (nvcc) that works found in CUDA_HOME"),
    ],
    ids=["of another CUDA", "that compiles nothing"],
)
def test_an_nvcc_in_cuda_home_that_is_of_no_use_is_named(
    version: str, reason: str, repository: Path, tmp_path: Path
) -> None:
    nvcc = tmp_path / "cuda" / "bin" / "nvcc"
    nvcc.parent.mkdir(parents=True)
    # Of another CUDA, but else the one that is here, which CMake tries first.
    real = shutil.which("nvcc") or pytest.skip("nvcc is not here")
    compiles = f'exec {real} "$@"' if version == "99.9" else "exit 1"
    nvcc.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo release {version}; else {compiles}; fi\n'
    )
    nvcc.chmod(0o755)
    environment = {**os.environ, "CUDA_HOME": str(nvcc.parents[1])}
    environment.pop("CUDACXX", None)
    result = subprocess.run(
        [
            "cmake",
            f"-S{repository}",
            f"-B{tmp_path / 'build'}",
            f"-DTorchELU_TORCH_ROOT={torch.__path__[0]}",
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"building WITHOUT CUDA kernels ({reason}" in result.stdout


@pytest.fixture
def check_wheel(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "check_wheel", repository / "tools" / "check_wheel.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wheel_of(
    folder: Path,
    files: dict[str, bytes] | None = None,
    without: str = "",
    tag: str = "linux_x86_64",
) -> Path:
    """The installed package as a wheel, with other files and without one."""
    package = Path(torch_elu.__file__).parent
    contents = {
        str(path.relative_to(package.parent)): path.read_bytes()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    contents["torch_elu-0.1.0.dist-info/METADATA"] = (
        b"Name: torch_elu\nRequires-Dist: torch==2.15.*\n"
    )
    contents.pop(without, None)
    wheel = folder / f"torch_elu-0.1.0-py3-none-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in {**contents, **(files or {})}.items():
            archive.writestr(name, content)
    return wheel


def test_the_package_as_it_is_makes_a_good_wheel(tmp_path: Path, check_wheel: ModuleType) -> None:
    assert check_wheel.check(wheel_of(tmp_path)) == []


def test_a_wheel_with_a_fault_is_found_out(tmp_path: Path, check_wheel: ModuleType) -> None:
    library = Path(torch_elu.library_path).read_bytes()
    torch_bundled = {"torch_elu/lib/libtorch_cpu.so": library}
    assert "is bundled" in check_wheel.check(wheel_of(tmp_path, torch_bundled))[0]
    header = "torch_elu/include/torch_elu/torch_elu.h"
    assert check_wheel.check(wheel_of(tmp_path, without=header)) == [f"{header} is missing"]
    other = {"torch_elu/lib/libtorch_elu.so": library.replace(b"libc10.so", b"libqwe.so")}
    assert any("needs libqwe.so" in fault for fault in check_wheel.check(wheel_of(tmp_path, other)))
    elsewhere = {"torch_elu/lib/libtorch_elu.so": library.replace(b"$ORIGIN", b"/origin")}
    assert any("/origin" in fault for fault in check_wheel.check(wheel_of(tmp_path, elsewhere)))
    unbound = {"torch_elu-0.1.0.dist-info/METADATA": b"Name: torch_elu\nRequires-Dist: torch\n"}
    assert any(
        "requires ['torch']" in fault for fault in check_wheel.check(wheel_of(tmp_path, unbound))
    )
    old = wheel_of(tmp_path, tag="manylinux_2_5_x86_64")
    assert any("promises glibc 2.5" in fault for fault in check_wheel.check(old))


def test_every_page_and_the_workflow_name_the_versions_of_pytorch_that_are_supported(
    repository: Path,
) -> None:
    required = re.findall(r"torch>=2\.(\d+),<2\.(\d+)", (repository / "pyproject.toml").read_text())
    ((oldest, after_newest),) = required
    minors = [f"2.{minor}" for minor in range(int(oldest), int(after_newest))]
    for page in ("README.md", "docs/compatibility.md"):
        ranges = re.findall(r"(2\.\d+) to (2\.\d+)", (repository / page).read_text())
        assert set(ranges) == {(minors[0], minors[-1])}, page
    workflow = (repository / ".github" / "workflows" / "build.yml").read_text()
    assert set(re.findall(r'torch: "(.*?)"', workflow)) >= {minors[0], minors[-1]}
    (wheels,) = re.findall(r"torch: \[(.*?)\]", workflow)
    assert re.findall(r'"(.*?)"', wheels) == minors


def test_the_citation_names_version_and_papers(repository: Path) -> None:
    citation = (repository / "CITATION.cff").read_text()
    assert f"\nversion: {torch_elu.__version__}\n" in citation
    header = (repository / "csrc/include/torch_elu/functional.h").read_text()
    papers = re.findall(r"arXiv:[\d.]+\d", header)
    assert len(set(papers)) == 4
    assert set(papers) == set(re.findall(r"arXiv:[\d.]+\d", citation))

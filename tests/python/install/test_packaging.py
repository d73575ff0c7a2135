"""Installing without what is needed says so; a wheel with a fault is found out."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch_elu
from test_installation import copy_of_the_sources

from tools import build_wheel, check_wheel

SUPPORTED = build_wheel.supported_minors()


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
    assert "C++20 compiler (g++ 12, clang 14 or newer)" in printed


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


PACKAGE = Path(torch_elu.__file__).parent
MINOR = ".".join(torch.__version__.split(".")[:2])
METADATA, WHEEL = (f"torch_elu-0.1.0.dist-info/{name}" for name in ("METADATA", "WHEEL"))
Files = dict[str, bytes]
Change = Callable[[Files], object]


def built_from_source() -> Files:
    """What a wheel of the installed package holds, as built from source."""
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    held = [
        path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in str(path)
    ]
    others = [folder for folder in PACKAGE.glob("torch-*") if folder.name != f"torch-{MINOR}"]
    return {
        **{
            path.relative_to(PACKAGE.parent).as_posix(): path.read_bytes()
            for path in held
            if path.parent not in others
        },
        METADATA: f"Name: torch_elu\nRequires-Dist: torch=={MINOR}.*\n".encode(),
        WHEEL: f"Tag: {tag}-{tag}-linux_{platform.machine()}\n".encode(),
    }


def for_every_pytorch() -> Files:
    """The same as the one wheel: the libraries of this PyTorch serve as those of the others."""
    files = built_from_source()
    here = {name: content for name, content in files.items() if f"/torch-{MINOR}/" in name}
    for minor in SUPPORTED:
        files |= {name.replace(f"torch-{MINOR}", f"torch-{minor}"): here[name] for name in here}
    files[METADATA] = b"Name: torch_elu\nRequires-Dist: torch<2.16,>=2.11\n"
    files[WHEEL] = f"Tag: py3-none-manylinux_2_28_{platform.machine()}\n".encode()
    return files


def faults(folder: Path, files: Files, name: str = "") -> list[str]:
    """What the check says of a wheel of these files, by the name that its tag asks for."""
    tag = name or files[WHEEL].decode().removeprefix("Tag: ").strip()
    wheel = folder / f"torch_elu-0.1.0-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return check_wheel.check(wheel)


KINDS = pytest.mark.parametrize("files", [built_from_source, for_every_pytorch])


@KINDS
def test_the_package_as_it_is_makes_a_good_wheel(
    tmp_path: Path, files: Callable[[], Files]
) -> None:
    assert faults(tmp_path, files()) == []


LIBRARY = f"torch_elu/torch-{MINOR}/libtorch_elu.so"
KERNELS = "torch_elu/lib/libtorch_elu_kernels_cpu.so"


def patched(old: bytes, new: bytes, name: str = LIBRARY) -> Change:
    def change(files: Files) -> None:
        assert old in files[name]
        files[name] = files[name].replace(old, new)

    return change


def with_file(name: str, content: bytes = b"") -> Change:
    return lambda files: files.update({name: content})


def without(name: str) -> Change:
    return lambda files: files.pop(name)


def with_two_libraries_of_kernels(files: Files) -> None:
    for name in ("12", "13"):
        files[f"torch_elu/lib/libtorch_elu_kernels_cu{name}.so"] = files[LIBRARY]


def without_extension(files: Files) -> None:
    for name in [name for name in files if "/_C." in name and name.endswith(".so")]:
        del files[name]


HEADER = "torch_elu/include/torch_elu/torch_elu.h"
FAULTS: dict[str, tuple[Change, str]] = {
    "PyTorch inside": (with_file("torch_elu/lib/libtorch_cpu.so"), "libtorch_cpu.so is bundled"),
    "a file elsewhere": (with_file("tests/__init__.py"), "tests/__init__.py lies outside"),
    "no header": (without(HEADER), f"{HEADER} is missing"),
    "no library": (without(LIBRARY), f"{LIBRARY} is missing"),
    "no kernels": (without(KERNELS), f"{KERNELS} is missing"),
    "kernels of PyTorch": (
        patched(b"libm.so.6\0", b"libc10.so\0", KERNELS),
        "libtorch_elu_kernels_cpu.so needs libc10.so",
    ),
    "no _C": (without_extension, "_C is missing"),
    "kernels twice": (with_two_libraries_of_kernels, "kernels are there 2 times"),
    "another library": (patched(b"libc10.so", b"libqwe.so"), "needs libqwe.so"),
    "the CUDA half": (patched(b"libtorch_cpu.so", b"libtorch_cud.so"), "needs libtorch_cud.so"),
    "a folder": (patched(b"$ORIGIN/../lib", b"/home/my/./lib"), "looks for libraries in /home/my/"),
    "an export": (
        patched(b"_ZN9torch_elu2v17convert", b"_ZN9other_lib2v17convert"),
        "exports other_lib::v1::convert",
    ),
    "no variable": (
        patched(b"__libc_single_threaded\0", b"__libc_single_threadex\0"),
        "has __libc_single_threaded = None, not 0",
    ),
    "any PyTorch": (with_file(METADATA, b"Requires-Dist: torch\n"), "it requires ['torch']"),
    "another PyTorch": (
        with_file(METADATA, b"Requires-Dist: torch==2.1.*\n"),
        "it requires ['torch==2.1.*']",
    ),
    "another tag inside": (with_file(WHEEL, b"Tag: py2-none-any\n"), "but WHEEL says ['py2-none"),
}
FAULTS_OF_THE_ONE_WHEEL: dict[str, tuple[Change, str]] = {
    "glibc": (patched(b"GLIBC_2.14\0", b"GLIBC_2.29\0"), "needs GLIBC_2.29: not manylinux_2_28"),
    "the C++ library": (patched(b"GLIBCXX_3.4.21", b"GLIBCXX_3.4.25"), "needs GLIBCXX_3.4.25"),
    "the C++ ABI": (patched(b"CXXABI_1.3.9\0", b"CXXABI_1.4.9\0"), "needs CXXABI_1.4.9"),
    "no 2.12": (
        without("torch_elu/torch-2.12/libtorch_elu.so"),
        "torch_elu/torch-2.12/libtorch_elu.so is missing",
    ),
    "too large": (with_file("torch_elu/large", os.urandom(10_000_000)), "more than 10 MB"),
}


@pytest.mark.parametrize(("change", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_wheel_with_a_fault_is_found_out(change: Change, message: str, tmp_path: Path) -> None:
    changed = built_from_source()
    tag = changed[WHEEL].decode().removeprefix("Tag: ").strip()
    change(changed)
    found = faults(tmp_path, changed, tag)
    assert [fault for fault in found if message in fault], found


@pytest.mark.parametrize(
    ("change", "message"), FAULTS_OF_THE_ONE_WHEEL.values(), ids=FAULTS_OF_THE_ONE_WHEEL.keys()
)
def test_the_one_wheel_has_more_to_hold(change: Change, message: str, tmp_path: Path) -> None:
    changed = for_every_pytorch()
    change(changed)
    assert [fault for fault in faults(tmp_path, changed) if message in fault]


def test_a_wheel_for_one_pytorch_must_not_be_named_as_one_for_all(tmp_path: Path) -> None:
    files = built_from_source()
    found = faults(tmp_path, files, f"py3-none-manylinux_2_28_{platform.machine()}")
    assert len([fault for fault in found if fault.endswith("is missing")]) > 4
    assert [fault for fault in found if "not torch>=2.11,<2.16" in fault]
    found = faults(tmp_path, for_every_pytorch(), "cp311-cp311-linux_x86_64")
    assert f"it has libraries for {len(SUPPORTED)} versions of PyTorch, not for one" in found
    assert [
        fault
        for fault in faults(tmp_path, files, "cp311-cp311-linux_riscv64")
        if "is not for" in fault
    ]
    assert [
        fault for fault in faults(tmp_path, files, "cp311-cp311-win_amd64") if "name says" in fault
    ]


def test_a_library_that_takes_the_process_for_single_threaded_is_found_out(
    tmp_path: Path, repository: Path
) -> None:
    source = (repository / "csrc" / "compat" / "older_systems.cpp").read_text()
    for value in (0, 1):
        (tmp_path / "library.cpp").write_text(source.replace("threaded = 0", f"threaded = {value}"))
        command = ["c++", "-std=c++20", "-shared", "-fPIC", "-fvisibility=hidden", "library.cpp"]
        subprocess.run([*command, "-o", "library.so"], cwd=tmp_path, check=True)
        assert check_wheel.single_threaded(tmp_path / "library.so") == value


def nvcc_of(folder: Path, version: str) -> dict[str, str]:
    """An environment in which nvcc is of this version, or none where that is empty."""
    (folder / "bin").mkdir()
    if version:
        nvcc = folder / "bin" / "nvcc"
        nvcc.write_text(f"#!/bin/sh\necho release {version}, V1\n")
        nvcc.chmod(0o755)
    return {"PATH": str(folder / "bin") + ":/usr/bin:/bin", "CUDA_HOME": str(folder)}


@pytest.mark.parametrize(("version", "said"), [("", "none is here"), ("12.8", "is of CUDA 12")])
def test_the_one_wheel_is_not_built_without_nvcc_13_unless_told(
    version: str, said: str, repository: Path, tmp_path: Path
) -> None:
    command = [
        sys.executable,
        repository / "tools" / "build_wheel.py",
        "--output",
        tmp_path / "out",
    ]
    environment = nvcc_of(tmp_path, version)
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert re.search(f"the CUDA kernels need nvcc 13, and .*{said}", result.stderr)
    assert "set TORCH_ELU_CUDA=0 to build a wheel without them" in result.stderr


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
    assert set(re.findall(r'torch: "(.*?)"', workflow)) == {minors[0], minors[-1]}
    (pairs,) = re.findall(r"pair: \[(.*?)\]", workflow)
    assert set(re.findall(r'"([0-9.]+):', pairs)) == {minors[0], minors[-1]}


def test_the_citation_names_version_and_papers(repository: Path) -> None:
    citation = (repository / "CITATION.cff").read_text()
    assert f"\nversion: {torch_elu.__version__}\n" in citation
    header = (repository / "csrc/include/torch_elu/functional.h").read_text()
    papers = re.findall(r"arXiv:[\d.]+\d", header)
    assert len(set(papers)) == 4
    assert set(papers) == set(re.findall(r"arXiv:[\d.]+\d", citation))

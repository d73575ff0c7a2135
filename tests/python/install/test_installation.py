"""What a wheel and a source distribution hold; that both install, work and leave nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
import torch
import torch_elu
from torch_elu import _build_info

INSTALLED = Path(torch_elu.__file__).parent
PROJECT_FILES = [
    "CHANGELOG.md",
    "CMakeLists.txt",
    "LICENSE",
    "MANIFEST.in",
    "README.md",
    "pyproject.toml",
    "setup.py",
    "version.txt",
]


def files_below(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def expected_in_a_wheel(repository: Path, with_cuda: bool) -> set[str]:
    sources = repository / "python" / "torch_elu"
    kept = (".py", ".pyi", ".typed")
    python = {name for name in files_below(sources) if Path(name).suffix in kept}
    headers = files_below(repository / "csrc" / "include" / "torch_elu")
    cmake = ["Config", "ConfigVersion", "ImportTorch"]
    of_the_minor = [
        "libtorch_elu.so",
        f"_C{sysconfig.get_config_var('EXT_SUFFIX')}",
        "TorchELUTargets.cmake",
        "TorchELUTargets-release.cmake",
    ]
    kernels = ["cpu"]
    if with_cuda:
        of_the_minor.append("libtorch_elu_cuda.so")
        kernels.append("cu" + _build_info.cuda_version.split(".")[0])
    return {
        *python,
        *(f"include/torch_elu/{name}" for name in headers),
        *(f"share/cmake/TorchELU/TorchELU{name}.cmake" for name in cmake),
        *(f"{Path(torch_elu.library_path).parent.name}/{name}" for name in of_the_minor),
        *(f"lib/libtorch_elu_kernels_{name}.so" for name in kernels),
        "_build_info.py",
    }


def test_an_installed_wheel_holds_the_package_and_nothing_else(repository: Path) -> None:
    recorded = {
        str(path)
        for path in distribution("torch_elu").files or []
        if "__pycache__" not in path.parts and not path.parts[0].endswith(".dist-info")
    }
    expected = expected_in_a_wheel(repository, bool(_build_info.cuda_version))
    assert recorded == {f"torch_elu/{name}" for name in expected}
    assert files_below(INSTALLED) == expected


def test_the_metadata_pin_the_minor_version_of_torch() -> None:
    minor = ".".join(torch.__version__.split(".")[:2])
    assert f"torch=={minor}.*" in (distribution("torch_elu").requires or [])
    licenses = [
        str(path) for path in distribution("torch_elu").files or [] if "LICENSE" in str(path)
    ]
    assert len(licenses) == 1


def copy_of_the_sources(repository: Path, folder: Path) -> Path:
    """Without what a build leaves, and without tests and documents, which no build needs."""
    folder.mkdir()
    for name in PROJECT_FILES:
        shutil.copy(repository / name, folder)
    for name in ("csrc", "cmake", "python"):
        always = ("__pycache__", "*.egg-info")
        built = ("include", "lib", "share", "torch-*", "_build_info.py")
        ignore = shutil.ignore_patterns(*always, *(built if name == "python" else ()))
        shutil.copytree(repository / name, folder / name, ignore=ignore)
    return folder


def python(*arguments: str | Path, folder: Path, interpreter: str | Path = sys.executable) -> str:
    """Runs Python on what is installed in `interpreter`'s environment alone."""
    environment = {**os.environ, "TORCH_ELU_CUDA": "0"}
    environment.pop("TORCH_ELU_BUILD_DIR", None)
    if interpreter != sys.executable:
        environment.pop("PYTHONPATH", None)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    result = subprocess.run(
        [interpreter, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def build_sdist(sources: Path, folder: Path) -> Path:
    folder.mkdir()
    script = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    python("-c", script, folder, folder=sources)
    (archive,) = folder.glob("*.tar.gz")
    return archive


def test_a_source_distribution_holds_every_source_and_nothing_that_was_built(
    repository: Path, tmp_path: Path
) -> None:
    sources = copy_of_the_sources(repository, tmp_path / "sources")
    expected = files_below(sources)
    package = sources / "python" / "torch_elu"
    for built in ("torch-2.15/libtorch_elu.so", "include/torch_elu/nn.h", "_build_info.py"):
        (package / built).parent.mkdir(parents=True, exist_ok=True)
        (package / built).touch()
    (sources / "cmake" / "some.pyc").touch()
    with tarfile.open(build_sdist(sources, tmp_path / "dist")) as archive:
        names = {member.name.split("/", 1)[1] for member in archive if member.isfile()}
    generated = {"PKG-INFO", "setup.cfg"}
    assert {name for name in names if ".egg-info/" not in name} == expected | generated
    version = (repository / "version.txt").read_text().strip()
    assert re.fullmatch(rf"torch_elu-{re.escape(version)}\.tar\.gz", archive.name.split("/")[-1])


USE = "import torch, torch_elu; assert torch_elu.elu(torch.ones(3)).tolist() == [1, 1, 1]; "


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """The interpreter of a virtual environment that sees this one's packages after its own."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(str(Path(torch.__file__).parents[1]))
    return folder / "bin" / "python"


def packages_of(interpreter: Path) -> Path:
    (packages,) = interpreter.parents[1].glob("lib/python*/site-packages")
    return packages


@pytest.mark.slow
def test_a_wheel_built_from_a_source_distribution_installs_works_and_uninstalls(
    repository: Path, tmp_path: Path, environment: Path
) -> None:
    sources = copy_of_the_sources(repository, tmp_path / "sources")
    archive = build_sdist(sources, tmp_path / "dist")
    pip = ("-m", "pip")
    options = ("--quiet", "--no-build-isolation", "--no-deps")
    python(*pip, "wheel", *options, "-w", tmp_path / "wheels", archive, folder=tmp_path)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    assert re.fullmatch(rf"torch_elu-[\d.]+-{tag}-{tag}-linux_\w+\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as archive_of_wheel:
        held = {name for name in archive_of_wheel.namelist() if ".dist-info/" not in name}
    assert held == {f"torch_elu/{name}" for name in expected_in_a_wheel(repository, False)}

    before = files_below(packages_of(environment))
    install = (*pip, "install", "--quiet", "--no-deps", "--ignore-installed", wheel)
    python(*install, folder=tmp_path, interpreter=environment)
    where = f"assert torch_elu.__file__.startswith({str(packages_of(environment))!r})"
    python("-c", USE + where, folder=tmp_path, interpreter=environment)
    python(
        *pip, "uninstall", "--quiet", "--yes", "torch_elu", folder=tmp_path, interpreter=environment
    )
    assert files_below(packages_of(environment)) == before
    assert not (packages_of(environment) / "torch_elu").exists()


@pytest.mark.slow
def test_an_editable_install_runs_the_sources_and_uninstalls(
    repository: Path, tmp_path: Path, environment: Path
) -> None:
    sources = copy_of_the_sources(repository, tmp_path / "sources")
    before = files_below(packages_of(environment))
    options = ("--quiet", "--no-build-isolation", "--no-deps", "--ignore-installed")
    python(
        "-m", "pip", "install", *options, "-e", sources, folder=tmp_path, interpreter=environment
    )
    functional = sources / "python" / "torch_elu" / "functional.py"
    functional.write_text(functional.read_text() + "\nedited = True\n")
    where = f"assert torch_elu.__file__.startswith({str(sources)!r}); "
    edited = "from torch_elu.functional import edited"
    python("-c", USE + where + edited, folder=tmp_path, interpreter=environment)
    uninstall = ("-m", "pip", "uninstall", "--quiet", "--yes", "torch_elu")
    python(*uninstall, folder=tmp_path, interpreter=environment)
    assert files_below(packages_of(environment)) == before

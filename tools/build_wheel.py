"""Builds the wheel for every supported version of PyTorch and every Python that is here.

``python tools/build_wheel.py --output build/wheel`` downloads a wheel of each minor version of
PyTorch, takes headers and libraries from it, builds the libraries for each into one package, the
CUDA kernels once, and lets setuptools make a wheel of that. It needs g++ 12, cmake, ninja and nvcc
13; ``TORCH_ELU_CUDA=0`` leaves the CUDA kernels out.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# What torch.cuda.get_arch_list() names in PyTorch's wheels, 2.11 to 2.15; PTX for newer ones.
ARCHITECTURES = "7.5;8.0;8.6;9.0;10.0;12.0+PTX"
# The newest Python that every supported PyTorch has a wheel for: its headers serve all.
PYTHON_OF_TORCH = "3.12"
TAKEN = re.compile(
    r"torch/(include/.*|version\.py|lib/lib(c10|c10_cuda|torch|torch_cpu|torch_cuda|torch_python)\.so)"
)
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]


def run(*command: str | Path, **environment: str) -> None:
    """Runs a command to its end, and ends with it where it fails."""
    print("+", *command, flush=True)
    # The cmake and ninja of this Python's environment come first.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **environment}
    if subprocess.run(command, cwd=ROOT, env=environment).returncode != 0:
        sys.exit(f"build_wheel: {command[0]} failed; its messages above say why.")


def supported_minors() -> list[str]:
    """From pyproject.toml, oldest first."""
    found = re.search(r"torch>=2\.(\d+),<2\.(\d+)", (ROOT / "pyproject.toml").read_text())
    assert found is not None
    return [f"2.{minor}" for minor in range(int(found[1]), int(found[2]))]


def pythons() -> list[str]:
    """The interpreters that are here: on PATH, of pyenv, of PyPA's image."""
    found = []
    for version in PYTHONS:
        tag = version.replace(".", "")
        places = [
            *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")),
            *sorted(Path("/opt/python").glob(f"cp{tag}-cp{tag}/bin/python")),
        ]
        on_path = shutil.which(f"python{version}")
        candidates = ([on_path] if on_path else []) + list(map(str, reversed(places)))
        usable = [path for path in candidates if has_headers(path)]
        found += usable[:1]
    return found


def has_headers(python: str) -> bool:
    """Whether this interpreter runs, and can be compiled against."""
    script = (
        "import os, sysconfig; assert os.path.exists(sysconfig.get_path('include') + '/Python.h')"
    )
    return subprocess.run([python, "-c", script], capture_output=True).returncode == 0


def check_nvcc() -> None:
    """Ends where there is no nvcc of CUDA 13, which PyTorch's own wheels are built with."""
    nvcc = shutil.which("nvcc") or f"{os.environ.get('CUDA_HOME', '/usr/local/cuda')}/bin/nvcc"
    try:
        printed = subprocess.check_output([nvcc, "--version"], text=True)
    except OSError:
        printed = ""
    version = re.search(r"release (\d+)", printed)
    if version is None or version[1] != "13":
        sys.exit(
            "build_wheel: the CUDA kernels need nvcc 13, and "
            + (f"{nvcc} is of CUDA {version[1]}" if version else "none is here")
            + ". Install it, or set TORCH_ELU_CUDA=0 to build a wheel without them."
        )


def torch_of(minor: str, machine: str, cache: Path) -> Path:
    """Headers and libraries of a PyTorch, downloaded where they are not in the cache."""
    folder = cache / machine / minor
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        download = ("--no-deps", "--only-binary=:all:", "--progress-bar=off", "--quiet")
        platform = (f"--platform=manylinux_2_28_{machine}", f"--python-version={PYTHON_OF_TORCH}")
        run(
            sys.executable,
            "-m",
            "pip",
            "download",
            *download,
            *platform,
            "-d",
            folder,
            f"torch=={minor}.*",
        )
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if TAKEN.fullmatch(name)]
            archive.extractall(folder, names)
        wheel.unlink()
        (folder / "complete").touch()
    return folder / "torch"


def main() -> None:
    """Builds, merges and prints the path of the wheel."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "wheel")
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "torch")
    parser.add_argument("--minors", nargs="+", default=supported_minors(), metavar="2.X")
    parser.add_argument("--pythons", nargs="+", default=None, metavar="PYTHON")
    parser.add_argument("--machine", choices=["x86_64", "aarch64"], default=os.uname().machine)
    arguments = parser.parse_args()
    output, machine = arguments.output.resolve(), arguments.machine
    interpreters = arguments.pythons or pythons()
    is_native = machine == os.uname().machine
    with_cuda = is_native and os.environ.get("TORCH_ELU_CUDA") != "0"
    if with_cuda:
        check_nvcc()
    print("Python:", *interpreters)

    package = output / "package" / "torch_elu"
    shutil.rmtree(package, ignore_errors=True)
    for earlier in output.glob("*.whl"):
        earlier.unlink()
    options = [
        "-GNinja",
        "-DTORCH_ELU_PYTHON=ON",
        f"-DTORCH_ELU_PYTHONS={';'.join(interpreters)}",
        f"-DTORCH_ELU_CUDA={int(with_cuda)}",
        f"-DCMAKE_INSTALL_PREFIX={package}",
    ]
    if not is_native:
        options += [
            "-DCMAKE_SYSTEM_NAME=Linux",
            f"-DCMAKE_SYSTEM_PROCESSOR={machine}",
            f"-DCMAKE_CXX_COMPILER={machine}-linux-gnu-g++",
        ]
    for minor in arguments.minors:
        torch = torch_of(minor, machine, arguments.cache.resolve())
        build = output / f"torch-{minor}"
        kernels = package / "lib"  # of the first of them, for all
        known = kernels if kernels.exists() else ""  # said always: the cache remembers the last one
        run(
            "cmake",
            "-S",
            ROOT,
            "-B",
            build,
            f"-DTorchELU_TORCH_ROOT={torch}",
            f"-DTORCH_ELU_KERNELS={known}",
            *options,
            TORCH_CUDA_ARCH_LIST=os.environ.get("TORCH_CUDA_ARCH_LIST", ARCHITECTURES),
        )
        run("cmake", "--build", build)
        run("cmake", "--install", build)
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-build-isolation",
        "--no-deps",
        f"--wheel-dir={output}",
        ".",
        TORCH_ELU_PACKAGE=str(package),
        TORCH_ELU_PLATFORM=f"manylinux_2_28_{machine}",
    )
    print(*output.glob("*.whl"))


if __name__ == "__main__":
    main()

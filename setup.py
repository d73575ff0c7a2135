"""Drives CMake, which alone knows the sources. Everything else is in pyproject.toml."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import setuptools
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent.resolve()

# With --no-build-isolation pip does not look at what pyproject.toml requires.
found = re.match(r"[1-9]\d*", setuptools.__version__)  # 0 where setuptools knows no version
if found and int(found[0]) < 77:
    sys.exit(
        f"torch_elu needs setuptools 77 or newer to build, but {setuptools.__version__} is "
        "installed: run `pip install 'setuptools>=77'`."
    )

from setuptools.command.bdist_wheel import bdist_wheel  # noqa: E402  (older ones have none)

# Where tools/build_wheel.py has put libraries for several versions of PyTorch; the wheel's system.
PACKAGE = os.environ.get("TORCH_ELU_PACKAGE")
PLATFORM = os.environ.get("TORCH_ELU_PLATFORM", "")

if PACKAGE is None:
    try:
        import torch
    except ImportError as error:
        sys.exit(
            "torch_elu is built against the PyTorch that it will run with, and none is installed "
            "here. Run `pip install torch`, then `pip install --no-build-isolation .` (without "
            f"--no-build-isolation pip hides the installed PyTorch from the build). [{error}]"
        )


def requirement() -> str:
    """The minor version of the installed PyTorch, if it is a supported one; of a wheel, all."""
    supported = re.search(r"torch>=2\.(\d+),<2\.(\d+)", (ROOT / "pyproject.toml").read_text())
    assert supported is not None
    if PACKAGE is not None:
        return supported[0]
    match = re.match(r"(\d+)\.(\d+)", torch.__version__)
    assert match is not None, torch.__version__
    oldest, newest = int(supported[1]), int(supported[2]) - 1
    if not (2, oldest) <= (int(match[1]), int(match[2])) <= (2, newest):
        sys.exit(
            f"torch_elu supports PyTorch 2.{oldest} to 2.{newest}, but {torch.__version__} is "
            f"installed. Run `pip install 'torch==2.{newest}.*'`."
        )
    return f"torch=={match[0]}.*"


def find_tool(name: str) -> str | None:
    """Looks first where pip puts it, whether that environment is activated or not."""
    return shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)


def check_compiler() -> None:
    """Says what to install where CMake would find no C++ compiler."""
    given = os.environ.get("CXX")
    names = [given.split()[0]] if given else ["c++", "g++", "clang++", "CC", "icpx"]
    if not any(map(shutil.which, names)):
        sys.exit(
            "torch_elu needs a C++20 compiler (g++ 12, clang 14 or newer) to build, "
            + (f"and CXX={given} is not found: " if given else "and none is found: ")
            + "install one, as with `apt install g++`, or set CXX to its path."
        )


class CMakeBuild(build_ext):
    """Configures, builds and installs with CMake into the package's folder."""

    def run(self) -> None:
        """Without setuptools' copy, which for an editable install takes the extension alone."""
        for ext in self.extensions:
            self.build_extension(ext)

    def build_extension(self, ext: Extension) -> None:
        """Runs CMake; ``ext`` only says where the package is being put together."""
        if PACKAGE is not None:
            shutil.copytree(
                PACKAGE, Path(self.get_ext_fullpath(ext.name)).parent, dirs_exist_ok=True
            )
            return
        cmake = find_tool("cmake")
        if cmake is None:
            sys.exit("torch_elu needs CMake 3.24 or newer to build: run `pip install cmake ninja`.")
        check_compiler()
        package = Path(self.get_ext_fullpath(ext.name)).parent.resolve()
        # Objects of another PyTorch must not be taken for up to date.
        default = Path(self.build_temp) / f"torch-{torch.__version__}"
        build = Path(os.environ.get("TORCH_ELU_BUILD_DIR", default)).resolve()
        configure = [
            cmake,
            "--fresh",  # a compiler or a CUDA toolkit may have come since
            f"-S{ROOT}",
            f"-B{build}",
            f"-DCMAKE_INSTALL_PREFIX={package}",
            f"-DTorchELU_TORCH_ROOT={torch.__path__[0]}",
            f"-DPython_EXECUTABLE={sys.executable}",
            "-DTORCH_ELU_PYTHON=ON",
            f"-DTORCH_ELU_CUDA={os.environ.get('TORCH_ELU_CUDA', '')}",
        ]
        ninja = find_tool("ninja")
        if ninja is not None:
            configure += ["-GNinja", f"-DCMAKE_MAKE_PROGRAM={ninja}"]
        if subprocess.run(configure, check=False).returncode != 0:
            sys.exit("torch_elu: CMake could not configure the build; its messages above say why.")
        jobs = os.environ.get("MAX_JOBS", str(os.cpu_count() or 1))
        compiled = subprocess.run([cmake, "--build", str(build), "--parallel", jobs], check=False)
        if compiled.returncode != 0:
            sys.exit("torch_elu could not be compiled; the compiler's messages above say why.")
        for pattern in ("include", "lib", "share", "torch-*"):  # of an earlier build
            for folder in package.glob(pattern):
                shutil.rmtree(folder)
        subprocess.run([cmake, "--install", str(build)], check=True)


class Wheel(bdist_wheel):
    """Names a wheel that was built for several versions of PyTorch and Python accordingly."""

    def get_tag(self) -> tuple[str, str, str]:
        """Python, its ABI, and the oldest system."""
        tag: tuple[str, str, str] = super().get_tag()
        return tag if PACKAGE is None else ("py3", "none", PLATFORM)


setup(
    ext_modules=[Extension("torch_elu._C", sources=[])],
    cmdclass={"build_ext": CMakeBuild, "bdist_wheel": Wheel},
    # The library uses PyTorch's C++ interface, which changes with each minor version.
    install_requires=[requirement()],
)

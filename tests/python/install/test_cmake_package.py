"""The CMake package, found or added as a folder: what it needs, what it leaves to others."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch
import torch_elu
from torch_elu._build_info import cuda_version

INSTALLED = Path(torch_elu.__file__).parent
LIBRARY = Path(torch_elu.library_path)
TORCH = Path(torch.__path__[0]).resolve()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The installed package with no PyTorch beside it, in a folder with a space in its name."""
    folder = tmp_path / "a folder" / "torch_elu"
    shutil.copytree(INSTALLED / "share", folder / "share")
    for path in INSTALLED.iterdir():
        if path.name in ("include", "lib") or path.name.startswith("torch-"):
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture
def other_torch(tmp_path: Path) -> Path:
    """As much of a PyTorch 2.1 as is looked at."""
    include = tmp_path / "other_torch" / "include"
    for name in ("torch/csrc/api/include/torch/torch.h", "torch/headeronly/version.h"):
        (include / name).parent.mkdir(parents=True)
        (include / name).write_text('#define TORCH_VERSION \\\n  "2.1.0"\n')
    (include.parent / "lib").mkdir()
    (include.parent / "lib" / "libc10.so").touch()
    return include.parent


def cmake(
    *arguments: str | Path, succeeds: bool = True, environment: dict[str, str] | None = None
) -> str:
    """Runs CMake and returns what it printed, with each run of spaces as one."""
    path = sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"]
    result = subprocess.run(
        ["cmake", *arguments],
        env={**os.environ, "PATH": path, "CMAKE_PREFIX_PATH": "", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    output = result.stdout + result.stderr
    assert (result.returncode == 0) == succeeds, output
    return " ".join(output.split())


def project(folder: Path, text: str) -> list[str | Path]:
    """Writes a project, and returns what CMake takes to configure it."""
    start = "cmake_minimum_required(VERSION 3.18)\nproject(app LANGUAGES CXX)\n"
    (folder / "CMakeLists.txt").write_text(start + text)
    return ["-S", folder, "-B", folder / "build"]


def prefix_path(*folders: Path) -> str:
    return "-DCMAKE_PREFIX_PATH=" + ";".join(map(str, folders))


APP = """
find_package(TorchELU REQUIRED)
add_link_options(-Wl,--as-needed)
add_library(model STATIC model.cpp)
target_link_libraries(model PRIVATE TorchELU::torch_elu)
add_executable(app app.cpp)
target_link_libraries(app PRIVATE model)

add_library(nccl SHARED model.cpp)
set_target_properties(nccl PROPERTIES SOVERSION 2)
add_dependencies(app nccl)
"""
PRINTS_ITS_LIBRARIES = """
#include <fstream>
#include <iostream>
int model();
int main() {
  std::cout << std::ifstream("/proc/self/maps").rdbuf();
  return model();
}
"""


def test_a_static_library_in_between_loses_neither_the_library_nor_nvidias(
    tmp_path: Path, package: Path
) -> None:
    (tmp_path / "model.cpp").write_text("int model() { return 0; }\n")
    (tmp_path / "app.cpp").write_text(PRINTS_ITS_LIBRARIES)
    prefix = prefix_path(package / "share" / "cmake", TORCH)
    cmake(*project(tmp_path, APP), prefix)
    # The linker meets an NCCL that lacks what the one beside PyTorch has.
    build = tmp_path / "build"
    cmake("--build", build, environment={"LD_LIBRARY_PATH": str(build)})
    loaded = subprocess.run([build / "app"], capture_output=True, text=True, check=True).stdout
    libraries = [LIBRARY, TORCH / "lib" / "libtorch.so"]
    if cuda_version:
        libraries.append(LIBRARY.with_name("libtorch_elu_cuda.so"))
    for library in libraries:
        assert f"{library.resolve()}\n" in loaded


NOTHING_BUT_THE_LIBRARY = """
find_package(TorchELU REQUIRED)
add_executable(app app.cpp)
target_link_libraries(app PRIVATE TorchELU::torch_elu)
"""


def test_an_app_starts_where_pytorch_does_not_lie_beside_the_package(
    tmp_path: Path, package: Path
) -> None:
    folder = package / LIBRARY.parent.name
    folder.unlink()
    shutil.copytree(LIBRARY.parent, folder)  # its run path leads nowhere from there
    (tmp_path / "app.cpp").write_text(
        "#include <torch_elu/torch_elu.h>\n"
        "int main() { return torch_elu::elu(torch::zeros(1)).item<float>() != 0; }\n"
    )
    cmake(
        *project(tmp_path, NOTHING_BUT_THE_LIBRARY), prefix_path(package / "share" / "cmake", TORCH)
    )
    cmake("--build", tmp_path / "build")
    environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    subprocess.run([tmp_path / "build" / "app"], env=environment, check=True)


def test_a_corrected_prefix_path_is_followed_in_the_same_build_folder(
    tmp_path: Path, package: Path, other_torch: Path
) -> None:
    config = package / "share" / "cmake"
    app = project(tmp_path, "find_package(TorchELU REQUIRED)\n")
    output = cmake(*app, prefix_path(config), succeeds=False)
    assert "No PyTorch installation found" in output
    output = cmake(*app, prefix_path(config, other_torch), succeeds=False)
    assert f"but PyTorch 2.1.0 was found in {other_torch}" in output
    cmake(*app, prefix_path(config, TORCH))
    output = cmake(*app, prefix_path(config, other_torch), succeeds=False)
    assert f"but PyTorch 2.1.0 was found in {other_torch}" in output


def test_a_pytorch_that_was_given_is_kept(tmp_path: Path, package: Path, other_torch: Path) -> None:
    app = project(tmp_path, "find_package(TorchELU REQUIRED)\n")
    prefix = prefix_path(package / "share" / "cmake", other_torch)
    cmake(*app, prefix, f"-DTorchELU_TORCH_ROOT={TORCH}")
    cmake(*app)
    cmake(*app, f"-DTorchELU_TORCH_ROOT={other_torch}", succeeds=False)
    cmake(*app, succeeds=False)


def test_with_a_pytorch_without_cuda_an_app_has_the_cpu_half_alone(
    tmp_path: Path, package: Path
) -> None:
    without_cuda = tmp_path / "cpu" / "torch"
    (without_cuda / "lib").mkdir(parents=True)
    (without_cuda / "include").symlink_to(TORCH / "include")
    for name in ("libc10.so", "libtorch_cpu.so"):
        (without_cuda / "lib" / name).symlink_to(TORCH / "lib" / name)
    # PyTorch's own names its CUDA half.
    empty = ("-shared", "-o", without_cuda / "lib" / "libtorch.so", "-x", "c", "/dev/null")
    subprocess.run([os.environ.get("CXX", "c++"), *empty], check=True)
    (tmp_path / "model.cpp").write_text("int model() { return 0; }\n")
    (tmp_path / "app.cpp").write_text(PRINTS_ITS_LIBRARIES)
    folders = [TORCH / "lib", *TORCH.parent.glob("nvidia/*/lib")]  # of what that libtorch_cpu needs
    environment = {"LD_LIBRARY_PATH": ":".join(map(str, folders))}
    cmake(*project(tmp_path, APP), prefix_path(package / "share" / "cmake", without_cuda))
    cmake("--build", tmp_path / "build", environment=environment)
    app = [tmp_path / "build" / "app"]
    loaded = subprocess.run(
        app, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    ).stdout
    assert str(LIBRARY.resolve()) in loaded
    assert not re.findall("libtorch_elu_cuda|libtorch_cuda|libc10_cuda", loaded)


def test_a_component_that_does_not_exist_is_not_found(tmp_path: Path) -> None:
    app = project(tmp_path, "find_package(TorchELU REQUIRED COMPONENTS Nonsense)\n")
    output = cmake(*app, prefix_path(INSTALLED / "share" / "cmake", TORCH), succeeds=False)
    assert "has no components, but these were asked for: Nonsense" in output


def test_a_build_without_pytorch_says_what_is_missing(tmp_path: Path, repository: Path) -> None:
    output = cmake("-S", repository, "-B", tmp_path, succeeds=False)
    assert "torch_elu: No PyTorch installation found" in output


def test_the_installed_files_name_no_folder_of_the_building_machine(repository: Path) -> None:
    files = list(INSTALLED.rglob("*.cmake"))
    assert "TorchELUTargets.cmake" in {file.name for file in files}
    for file in files:
        text = file.read_text()
        assert not [path for path in (INSTALLED, TORCH, repository) if str(path) in text], file
        assert not re.findall(r'"(/\w[^"$]*)', text), file


# What a project sees of itself: variables, of the cache too, and what holds for all its targets.
SEES = """
macro(see result)
  get_cmake_property(${result} VARIABLES)
  foreach(property COMPILE_OPTIONS COMPILE_DEFINITIONS INCLUDE_DIRECTORIES LINK_OPTIONS TESTS)
    get_directory_property(value ${property})
    list(APPEND ${result} "${property}=${value}")
  endforeach()
  list(APPEND ${result} "build type=${CMAKE_BUILD_TYPE}" "C++=${CMAKE_CXX_STANDARD}")
endmacro()
set(BUILD_TESTING ON)
see(before)
see(before)  # its own variables are there now
%s
see(after)
list(REMOVE_ITEM after ${before})
message(STATUS "new: ${after} .")
"""
ADDS = """
add_subdirectory(${SOURCE} torch_elu)
get_property(targets DIRECTORY ${SOURCE} PROPERTY BUILDSYSTEM_TARGETS)
get_property(tests DIRECTORY ${SOURCE} PROPERTY TESTS)
get_target_property(aliased TorchELU::torch_elu ALIASED_TARGET)
message(STATUS "alias of ${aliased}; targets: ${targets}; tests: ${tests} .")
unset(targets)
unset(tests)
unset(aliased)
"""


@pytest.mark.parametrize("way", ["found", "added"])
def test_the_project_around_is_left_as_it_was(tmp_path: Path, repository: Path, way: str) -> None:
    text = SEES % ("find_package(TorchELU REQUIRED)" if way == "found" else ADDS)
    prefix = prefix_path(INSTALLED / "share" / "cmake")
    text = text.replace("${SOURCE}", str(repository))
    output = cmake(*project(tmp_path, text), prefix, f"-DTorchELU_TORCH_ROOT={TORCH}")
    assert "Warning" not in output
    (new,) = re.findall(r"new: (.*?) \.", output)
    names = [name.strip() for name in new.split(";")]
    ours = ("torch_elu_", "TORCH_ELU_", "TorchELU_", "CMAKE_PROJECT_VERSION")  # CMake sets the last
    assert not [name for name in names if not name.startswith(ours)], names
    if way == "added":
        assert "alias of torch_elu;" in output
        assert "tests: ." in output
        assert "building WITHOUT CUDA kernels (app does not use CUDA itself" in output
        (targets,) = re.findall(r"targets: (.*?); tests", output)
        assert all(target.startswith("torch_elu") for target in targets.split(";"))
        assert "_python" not in targets
        assert "Installing" not in cmake("--install", tmp_path / "build", "--prefix", tmp_path)


def configure(repository: Path, build: Path, *options: str) -> str:
    """Configures the library without CUDA, unless told, and returns how it will be built."""
    root, ninja = f"-DTorchELU_TORCH_ROOT={TORCH}", "-GNinja"
    cmake("-S", repository, "-B", build, ninja, root, "-DTORCH_ELU_CUDA=0", *options)
    return (build / "build.ninja").read_text()


def test_the_library_has_a_version_but_for_python(tmp_path: Path, repository: Path) -> None:
    major, minor, _ = torch_elu.__version__.split(".")
    named = rf"SONAME = libtorch_elu\.so\.{major}\.{minor}$"
    assert re.search(named, configure(repository, tmp_path / "cpp"), re.MULTILINE)
    python = configure(
        repository,
        tmp_path / "python",
        "-DTORCH_ELU_PYTHON=ON",
        f"-DPython_EXECUTABLE={sys.executable}",
    )
    assert re.search(r"SONAME = libtorch_elu\.so$", python, re.MULTILINE)


def test_a_linker_that_is_not_gnus_is_asked_for_nothing_that_it_refuses(
    tmp_path: Path, repository: Path
) -> None:
    flags = ("-z,relro", "--version-script")
    usual = configure(repository, tmp_path / "usual")
    assert all(flag in usual for flag in flags)
    linker = tmp_path / "ld"
    refuse = 'case "$*" in *version-script*|*relro*) echo unknown option; exit 1;; esac'
    linker.write_text(f'#!/bin/sh\n{refuse}\nexec {shutil.which("ld")} "$@"\n')
    linker.chmod(0o755)
    refused = configure(repository, tmp_path / "refused", f"-DCMAKE_CXX_FLAGS=-B{tmp_path}")
    assert not any(flag in refused for flag in flags)


@pytest.mark.skipif(torch.version.cuda is None, reason="this PyTorch is built without CUDA")
def test_a_cmake_that_does_not_know_what_nvcc_compiles_is_named(
    tmp_path: Path, repository: Path
) -> None:
    if shutil.which("nvcc") is None:
        pytest.skip("nvcc is not here")
    (tmp_path / "older.cmake").write_text('set(CMAKE_VERSION "3.25.1")\n')
    older = f"-DCMAKE_PROJECT_torch_elu_INCLUDE={tmp_path / 'older.cmake'}"
    options = ("-S", repository, "-B", tmp_path / "build", f"-DTorchELU_TORCH_ROOT={TORCH}", older)
    assert "CUDA kernels (CMake 3.25.1 does not know that nvcc" in cmake(*options)
    asked_for = cmake(*options, "-DTORCH_ELU_CUDA=1", succeeds=False)
    assert "CMake 3.25.2 or newer is needed, as from `pip install cmake`" in asked_for

"""The CMake package where find_package fails first, and in projects for an older CMake."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
import torch
import torch_elu
from torch_elu._build_info import cuda_version

INSTALLED = Path(torch_elu.__file__).parent
TORCH = Path(torch.__path__[0]).resolve()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The installed package with no PyTorch beside it, in a folder with a space in its name."""
    folder = tmp_path / "a folder" / "torch_elu"
    shutil.copytree(INSTALLED / "share", folder / "share")
    for name in ("include", "lib"):
        (folder / name).symlink_to(INSTALLED / name)
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


def project(folder: Path, text: str, minimum: str = "3.24") -> list[str | Path]:
    """Writes a project, and returns what CMake takes to configure it."""
    start = f"cmake_minimum_required(VERSION {minimum})\nproject(app LANGUAGES CXX)\n"
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


# From 3.17 on, a link option passes through a static library that links something privately.
@pytest.mark.parametrize("minimum", ["3.10", "3.18"])
def test_a_static_library_in_between_loses_neither_the_library_nor_nvidias(
    tmp_path: Path, package: Path, minimum: str
) -> None:
    (tmp_path / "model.cpp").write_text("int model() { return 0; }\n")
    (tmp_path / "app.cpp").write_text(PRINTS_ITS_LIBRARIES)
    prefix = prefix_path(package / "share" / "cmake", TORCH)
    cmake(*project(tmp_path, APP, minimum), prefix)
    # The linker meets an NCCL that lacks what the one beside PyTorch has.
    build = tmp_path / "build"
    cmake("--build", build, environment={"LD_LIBRARY_PATH": str(build)})
    loaded = subprocess.run([build / "app"], capture_output=True, text=True, check=True).stdout
    for library in (INSTALLED / "lib" / "libtorch_elu.so", TORCH / "lib" / "libtorch.so"):
        assert f"{library.resolve()}\n" in loaded


NOTHING_BUT_THE_LIBRARY = """
find_package(TorchELU REQUIRED)
add_executable(app app.cpp)
target_link_libraries(app PRIVATE TorchELU::torch_elu)
"""


def test_an_app_starts_where_pytorch_does_not_lie_beside_the_package(
    tmp_path: Path, package: Path
) -> None:
    (package / "lib").unlink()
    shutil.copytree(INSTALLED / "lib", package / "lib")  # its run path leads nowhere from there
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


TWICE = """
find_package(TorchELU QUIET)
message(STATUS "found at first: ${TorchELU_FOUND}")
set(CMAKE_PREFIX_PATH "${PACKAGE};${TORCH}")
find_package(TorchELU REQUIRED)
get_target_property(location TorchELU::imported_c10 LOCATION)
message(STATUS "then: ${location}")
"""


@pytest.mark.parametrize("first", ["no PyTorch", "another PyTorch"])
def test_a_second_find_takes_the_pytorch_that_has_been_added(
    tmp_path: Path, package: Path, other_torch: Path, first: str
) -> None:
    config = package / "share" / "cmake"
    folders = [config] if first == "no PyTorch" else [config, other_torch]
    arguments = (prefix_path(*folders), f"-DPACKAGE={config}", f"-DTORCH={TORCH}")
    output = cmake(*project(tmp_path, TWICE), *arguments)
    assert "found at first: 0" in output
    assert f"then: {TORCH}/lib/libc10.so" in output


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


@pytest.mark.skipif(not cuda_version, reason="this build has no CUDA kernels")
def test_a_pytorch_without_cuda_is_refused_by_a_package_with(tmp_path: Path, package: Path) -> None:
    without_cuda = tmp_path / "cpu" / "torch"
    (without_cuda / "lib").mkdir(parents=True)
    (without_cuda / "include").symlink_to(TORCH / "include")
    app = project(tmp_path, "find_package(TorchELU REQUIRED)\n")
    prefix = prefix_path(package / "share" / "cmake", without_cuda)
    output = cmake(*app, prefix, succeeds=False)
    assert f"but the PyTorch in {without_cuda} is built without CUDA" in output
    assert f"Take one with CUDA {cuda_version}, or build" in output


def test_a_component_that_does_not_exist_is_not_found(tmp_path: Path) -> None:
    app = project(tmp_path, "find_package(TorchELU REQUIRED COMPONENTS Nonsense)\n")
    output = cmake(*app, prefix_path(INSTALLED / "share" / "cmake", TORCH), succeeds=False)
    assert "TorchELU_FOUND to FALSE" in output


def test_a_build_without_pytorch_says_what_is_missing(tmp_path: Path, repository: Path) -> None:
    output = cmake("-S", repository, "-B", tmp_path, succeeds=False)
    assert "torch_elu: No PyTorch installation found" in output

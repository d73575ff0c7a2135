"""The installed package: its paths, its report for bugs, one sentence where loading fails."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch_elu
from conftest import RunPython

PACKAGE = Path(torch_elu.__file__).parent


def test_version_is_that_of_version_txt(repository: Path) -> None:
    version = (repository / "version.txt").read_text().strip()
    assert torch_elu.__version__ == torch.ops.torch_elu.version() == version


def test_paths_lead_to_library_headers_and_cmake_package() -> None:
    assert Path(torch_elu.library_path).is_file()
    assert torch_elu.library_path in torch.ops.loaded_libraries
    for folder in torch_elu.include_paths():
        assert Path(folder, "torch_elu", "torch_elu.h").is_file()
    # Where find_package looks: <prefix>/<name>*/
    assert Path(torch_elu.cmake_prefix_path, "TorchELU", "TorchELUConfig.cmake").is_file()
    assert (PACKAGE / "py.typed").is_file()


# Loading fails


def copy_of_package(folder: Path) -> Path:
    return Path(
        shutil.copytree(PACKAGE, folder / "torch_elu", ignore=shutil.ignore_patterns("__pycache__"))
    )


def pretend_another_torch(package: Path) -> None:
    build_info = package / "_build_info.py"
    text = build_info.read_text()
    changed = re.sub(r'^torch_version = ".*"', 'torch_version = "1.13.1"', text, flags=re.MULTILINE)
    assert changed != text
    build_info.write_text(changed)


def delete_library(package: Path) -> None:
    (package / "lib" / "libtorch_elu.so").unlink()


def delete_build(package: Path) -> None:
    (package / "_build_info.py").unlink()


def overwrite_library(package: Path) -> None:
    (package / "lib" / "libtorch_elu.so").write_text("not a library\n" * 100)


def overwrite_with_another_format(package: Path) -> None:
    # ELF of 32 bits, which has other fields where that of 64 has its offsets.
    (package / "lib" / "libtorch_elu.so").write_bytes(b"\x7fELF\x01" + b"\xff" * 95)


def delete_extension(package: Path) -> None:
    for path in package.glob("_C.*.so"):
        path.unlink()


def rename_extension(package: Path) -> None:
    (path,) = package.glob("_C.*.so")
    path.rename(package / "_C.cpython-399-x86_64-linux-gnu.so")


REBUILD = (
    "run `pip install --no-build-isolation --no-deps --force-reinstall .` in the source folder"
)
BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "another torch": (
        pretend_another_torch,
        "was built for PyTorch 1.13, but PyTorch {torch} is installed: {rebuild}",
    ),
    "no library": (
        delete_library,
        "torch_elu's library {package}/lib/libtorch_elu.so is missing: {rebuild}",
    ),
    "not built": (delete_build, "torch_elu in {package} has not been built: {rebuild}"),
    "broken library": (overwrite_library, "library {package}/lib/libtorch_elu.so cannot be loaded"),
    "library of another format": (
        overwrite_with_another_format,
        "library {package}/lib/libtorch_elu.so cannot be loaded",
    ),
    "no extension": (delete_extension, "is missing in {package} (there: none): {rebuild}"),
    "extension of another Python": (
        rename_extension,
        f"torch_elu's extension _C for Python {sys.version_info[0]}.{sys.version_info[1]} "
        "is missing in {package} (there: _C.cpython-399-x86_64-linux-gnu.so): {rebuild}",
    ),
}


@pytest.mark.parametrize(("damage", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_damaged_package_says_what_to_run(
    damage: Callable[[Path], None], message: str, tmp_path: Path, run_python: RunPython
) -> None:
    package = copy_of_package(tmp_path / "packages")
    damage(package)
    result = run_python("-c", "import torch_elu", path=package.parent, check=False)
    assert result.returncode == 1
    sentence = result.stderr.strip().splitlines()[-1]
    assert sentence.startswith("ImportError: ")
    assert (
        message.format(torch=torch.__version__, package=package.resolve(), rebuild=REBUILD)
        in sentence
    )
    assert REBUILD in sentence
    assert "cut short" not in sentence


LOADS = {
    "by torch": "import torch; torch.ops.load_library(path)\n",
    "by another program": "import ctypes, torch; ctypes.CDLL(path)\n",
}


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS.keys())
def test_a_second_copy_of_the_library_is_named(
    load: str, tmp_path: Path, run_python: RunPython
) -> None:
    other = tmp_path / "another folder" / "libtorch_elu.so"
    other.parent.mkdir()
    shutil.copy(torch_elu.library_path, other)
    result = run_python("-c", f"path = {str(other)!r}\n{load}import torch_elu", check=False)
    assert result.returncode == 1
    sentence = result.stderr.strip().splitlines()[-1]
    assert sentence.startswith(
        f"ImportError: A second copy of torch_elu's library is already loaded from {other}: "
    )
    assert torch_elu.library_path in sentence


def test_a_second_copy_by_another_name_is_an_error_too(
    tmp_path: Path, run_python: RunPython
) -> None:
    other = shutil.copy(torch_elu.library_path, tmp_path / "renamed.so")
    script = f"import torch; torch.ops.load_library({str(other)!r}); import torch_elu"
    result = run_python("-c", script, check=False)
    assert "ImportError: A second copy of torch_elu's library is already loaded" in result.stderr


def test_a_library_that_was_installed_anew_after_it_was_loaded_is_no_second_copy(
    tmp_path: Path, run_python: RunPython
) -> None:
    package = copy_of_package(tmp_path / "packages")
    library = package / "lib" / "libtorch_elu.so"
    new = shutil.copy(library, tmp_path / "new.so")
    run_python(
        "-c",
        f"import os, torch; torch.ops.load_library({str(library)!r})\n"
        f"os.replace({str(new)!r}, {str(library)!r}); import torch_elu",
        path=package.parent,
    )


def test_loading_the_right_library_first_is_fine(run_python: RunPython) -> None:
    run_python(
        "-c",
        f"import torch; torch.ops.load_library({torch_elu.library_path!r}); "
        "torch.ops.torch_elu.elu(torch.ones(3)); import torch_elu; torch_elu.elu(torch.ones(3))",
    )


def dynamic_linker() -> str:
    """The one that this process was loaded by."""
    found = re.findall(r"/.*/ld-[^/]*\.so.*$", Path("/proc/self/maps").read_text(), re.MULTILINE)
    if not found:
        pytest.skip("this Python has no dynamic linker by the name of glibc's")
    return found[0]


def test_everything_the_library_needs_lies_beside_it() -> None:
    """As for an app on a machine that has nothing of CUDA but PyTorch's wheels."""
    listed = subprocess.run(
        [dynamic_linker(), "--inhibit-cache", "--list", torch_elu.library_path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    ours = [line for line in listed.splitlines() if "libcudart" in line or "libtorch" in line]
    assert ours
    assert all("=> " + str(Path(torch.__file__).parents[1]) in line for line in ours), listed

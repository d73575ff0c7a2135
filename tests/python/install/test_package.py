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
from torch_elu._build_info import cuda_version

PACKAGE = Path(torch_elu.__file__).parent
MINOR = ".".join(torch.__version__.split(".")[:2])


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


def library_of(package: Path) -> Path:
    return package / Path(torch_elu.library_path).relative_to(PACKAGE)


def pretend_another_torch(package: Path) -> None:
    for folder in package.glob("torch-*"):
        shutil.rmtree(folder)
    (package / "torch-1.9").mkdir()
    (package / "torch-1.13").mkdir()


def delete_library(package: Path) -> None:
    library_of(package).unlink()


def delete_kernels(package: Path) -> None:
    (package / "lib" / "libtorch_elu_kernels_cpu.so").unlink()


def delete_build(package: Path) -> None:
    (package / "_build_info.py").unlink()


def overwrite_library(package: Path) -> None:
    library_of(package).write_text("not a library\n" * 100)


def overwrite_with_another_format(package: Path) -> None:
    # ELF of 32 bits, which has other fields where that of 64 has its offsets.
    library_of(package).write_bytes(b"\x7fELF\x01" + b"\xff" * 95)


REBUILD = (
    "run `pip install --no-build-isolation --no-deps --force-reinstall .` in the source folder"
)
LIBRARY = "library {package}/torch-" + MINOR + "/libtorch_elu.so "
BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "another torch": (
        pretend_another_torch,
        "was built for PyTorch 1.9, 1.13, but PyTorch {torch} is installed: "
        "run `pip install 'torch==1.13.*'`, install a torch_elu for that one, or {rebuild}",
    ),
    "no library": (delete_library, f"torch_elu's {LIBRARY}is missing: "),
    "no kernels": (
        delete_kernels,
        f"torch_elu's {LIBRARY}cannot be loaded (libtorch_elu_kernels_cpu.so: cannot open",
    ),
    "not built": (delete_build, "torch_elu in {package} has not been built: {rebuild}"),
    "broken library": (overwrite_library, f"{LIBRARY}cannot be loaded"),
    "library of another format": (overwrite_with_another_format, f"{LIBRARY}cannot be loaded"),
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


def test_a_wheel_says_how_to_install_it_again(tmp_path: Path, run_python: RunPython) -> None:
    package = copy_of_package(tmp_path / "packages")
    (package / "torch-1.13").mkdir()  # libraries for more than one PyTorch
    overwrite_library(package)
    result = run_python("-c", "import torch_elu", path=package.parent, check=False)
    assert "install its wheel again with `pip install --force-reinstall" in result.stderr


# Another Python, another PyTorch

PRETENDS = "import torch; torch.version.cuda = {cuda!r}; torch.version.hip = {hip!r}\n"
REPORT = "import runpy; runpy.run_module('torch_elu', run_name='__main__')"


@pytest.mark.skipif(not cuda_version, reason="this build has no CUDA kernels")
@pytest.mark.parametrize(
    ("cuda", "hip", "reason"),
    [
        (None, None, "and this PyTorch is built without CUDA"),
        (None, "7.1", "and this PyTorch is built with ROCm 7.1"),
        ("12.8", None, "and this PyTorch is built with CUDA 12.8"),
    ],
)
def test_cuda_kernels_stay_out_of_a_pytorch_that_they_were_not_compiled_for(
    cuda: str | None, hip: str | None, reason: str, run_python: RunPython
) -> None:
    script = (
        PRETENDS.format(cuda=cuda, hip=hip)
        + "import torch_elu; assert torch_elu.elu(torch.ones(3)).tolist() == [1, 1, 1]\n"
        + "assert torch.ops.torch_elu.cuda_version() == ''\n"
        + "assert 'libtorch_elu_cuda' not in open('/proc/self/maps').read()\n"
        + REPORT
    )
    printed = run_python("-W", "ignore", "-c", script).stdout
    expected = f"not loaded: compiled with CUDA {cuda_version}, {reason}; GPUs use PyTorch's own"
    assert expected in printed


@pytest.mark.skipif(not cuda_version, reason="this build has no CUDA kernels")
def test_cuda_kernels_are_loaded_without_a_gpu_too(run_python: RunPython) -> None:
    script = "import torch, torch_elu; print(torch.ops.torch_elu.cuda_version())"
    assert run_python("-c", script, CUDA_VISIBLE_DEVICES="").stdout == f"{cuda_version}\n"


@pytest.mark.skipif(not cuda_version, reason="this build has no CUDA kernels")
def test_a_broken_cuda_half_leaves_the_cpu_half_as_it_is(
    tmp_path: Path, run_python: RunPython
) -> None:
    package = copy_of_package(tmp_path / "packages")
    for kernels in package.glob("lib/libtorch_elu_kernels_cu*"):
        kernels.unlink()
    script = "import torch, torch_elu; torch_elu.elu(torch.ones(3))\n" + REPORT
    printed = run_python("-W", "ignore", "-c", script, path=package.parent).stdout
    assert re.search(
        r"not loaded: .*libtorch_elu_cuda.so cannot be loaded \(libtorch_elu_k", printed
    )


def without_extension(folder: Path) -> Path:
    package = copy_of_package(folder)
    for path in package.glob("torch-*/_C.*"):
        path.rename(path.with_name("_C.cpython-399-x86_64-linux-gnu.so"))
    return package


EVERY_CALL = """
import torch, torch_elu
from torch.nn import functional as F
x = torch.linspace(-3, 3, 100).requires_grad_()
for inplace in (False, True):
    for function in (torch_elu.elu, torch_elu.selu, torch_elu.celu):
        print(function(x.detach().clone(), inplace=inplace).tolist())
print(torch_elu.elu_plus_one(x).tolist(), torch_elu.celu(x, 2, save="output").tolist())
torch_elu.elu(x, 0.5, save="output").sum().backward()
print(x.grad.tolist())
for arguments in (([1.0],), (x, "1"), (x, b"1"), (x, None), (x, 10**400), (x, torch.ones(1))):
    for function in (torch_elu.elu, torch_elu.celu):
        try:
            function(*arguments)
        except Exception as error:
            print(type(error), error)
for count in range(6):
    for name in ("elu", "selu", "celu", "elu_plus_one"):
        try:
            getattr(torch_elu._C, name)(*[x.detach(), 1.0, False, False, 0][:count])
        except TypeError as error:
            print(error)
        except RuntimeError:
            pass
model = torch.jit.script(torch.nn.Sequential(torch.nn.ELU(), torch.nn.SELU()))
converted = torch_elu.convert(model)
print(converted.graph_for(x).findNode("torch_elu::elu") is not None, converted(x).tolist())
print(torch_elu.revert(converted)(x).tolist())
traced = torch_elu.revert(torch_elu.convert(torch.jit.trace(torch.nn.ELU(), x)))
print(traced._c._retrieve_traced_inputs()["forward"])
# The parameters of this one lie in the memory of its file.
torch.jit.save_jit_module_to_flatbuffer(
    torch.jit.script(torch.nn.Sequential(torch.nn.Linear(1000, 1000), torch.nn.ELU())), "model.ff"
)
loaded = torch.jit.jit_module_from_flatbuffer("model.ff")
weight = loaded.state_dict()["0.weight"].clone()
print(torch.equal(torch_elu.revert(torch_elu.convert(loaded)).state_dict()["0.weight"], weight))
with torch_elu.override_aten():
    inside = F.elu(x).tolist()
    with torch_elu.override_aten():
        pass
    print(inside, F.elu(x).tolist() == inside)
print(F.elu(x).tolist(), F.elu(x).tolist() == inside)
"""


def test_a_python_without_extension_has_the_same_results_and_errors(
    tmp_path: Path, run_python: RunPython
) -> None:
    package = without_extension(tmp_path / "packages")
    through_ops = run_python("-W", "ignore", "-c", EVERY_CALL, path=package.parent)
    assert through_ops.stdout == run_python("-W", "ignore", "-c", EVERY_CALL).stdout
    assert through_ops.stdout.count("Error") >= 10
    printed = run_python("-m", "torch_elu", path=package.parent).stdout
    major, minor = sys.version_info[:2]
    assert (
        f"through torch.ops, since this torch_elu has no _C for Python {major}.{minor}" in printed
    )


# Another copy is there

LOADS = {
    "by torch": "import torch; torch.ops.load_library(path)\n",
    "by another program": "import ctypes, torch; ctypes.CDLL(path)\n",
}


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS.keys())
def test_a_second_copy_of_the_library_is_named(
    load: str, tmp_path: Path, run_python: RunPython
) -> None:
    other = library_of(copy_of_package(tmp_path / "another folder"))
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
    library = library_of(copy_of_package(tmp_path / "packages"))
    other = library.rename(library.with_name("renamed.so"))
    script = f"import torch; torch.ops.load_library({str(other)!r}); import torch_elu"
    result = run_python("-c", script, check=False)
    assert "ImportError: A second copy of torch_elu's library is already loaded" in result.stderr


def test_a_library_that_was_installed_anew_after_it_was_loaded_is_no_second_copy(
    tmp_path: Path, run_python: RunPython
) -> None:
    package = copy_of_package(tmp_path / "packages")
    library = library_of(package)
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


@pytest.mark.parametrize("half", ["libtorch_elu.so", "libtorch_elu_cuda.so"])
def test_everything_the_library_needs_lies_beside_it(half: str) -> None:
    """As for an app on a machine that has nothing of CUDA but PyTorch's wheels."""
    library = Path(torch_elu.library_path).with_name(half)
    if not library.exists():
        pytest.skip("this build has no CUDA kernels")
    listed = subprocess.run(
        [dynamic_linker(), "--inhibit-cache", "--list", library],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    ours = [line for line in listed.splitlines() if "libcudart" in line or "libtorch" in line]
    assert ours
    assert all("=> " + str(Path(torch.__file__).parents[1]) in line for line in ours), listed

"""Finds and loads the libraries for the PyTorch that is here, and says in one sentence what to do
where that cannot work.

A folder for each minor version of PyTorch, ``torch-2.15`` for example, holds ``libtorch_elu.so``,
``libtorch_elu_cuda.so`` and ``_C`` for some versions of Python; ``lib`` holds the kernels, which
serve all of them. A wheel has several folders, what was built from source has one.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import struct
import sys
from pathlib import Path

import torch

_PACKAGE = Path(__file__).resolve().parent


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


_FOLDER = _PACKAGE / f"torch-{_minor(torch.__version__)}"
#: The minor versions of PyTorch that there are libraries for.
built_for: list[str] = sorted(
    (path.name.removeprefix("torch-") for path in _PACKAGE.glob("torch-[0-9]*.[0-9]*")),
    key=lambda minor: int(minor.split(".")[1]),
)
_REBUILD = (
    "run `pip install --no-build-isolation --no-deps --force-reinstall .` "
    "in the source folder of torch_elu"
)
_REINSTALL = "install its wheel again with `pip install --force-reinstall --no-deps`, or " * (
    len(built_for) > 1
)

try:
    from . import _build_info
except ImportError as error:
    raise ImportError(
        f"torch_elu in {_PACKAGE} has not been built: {_REBUILD}, and import it from elsewhere."
    ) from error

__version__: str = _build_info.version

#: The path of ``libtorch_elu.so``. It contains the operators and needs neither Python nor CUDA.
library_path: str = str(_FOLDER / "libtorch_elu.so")

#: Add this to ``CMAKE_PREFIX_PATH``, and ``find_package(TorchELU)`` finds this package.
cmake_prefix_path: str = str(_PACKAGE / "share" / "cmake")


def include_paths() -> list[str]:
    """The folders of this package's C++ headers. A compiler needs them in addition to PyTorch's.

    >>> import os, torch_elu
    >>> os.path.exists(os.path.join(torch_elu.include_paths()[0], "torch_elu", "torch_elu.h"))
    True
    """
    return [str(_PACKAGE / "include")]


def _is_loaded(path: str) -> bool:
    try:
        ctypes.CDLL(path, mode=os.RTLD_NOLOAD)
    except OSError:
        return False
    return True


def _check_whole(path: Path) -> None:
    """Raises where the file ends before its table of sections, which comes last.

    The loader dies of SIGBUS, where nobody can tell why, on a part that is missing.
    """
    with path.open("rb") as file:
        header = file.read(64)
        actual = file.seek(0, 2)
    if len(header) < 64 or header[:5] != b"\x7fELF\x02":
        return  # the loader says what is wrong with it
    start, entry_size, count = struct.unpack_from("<Q10xHH", header, 0x28)
    if actual < start + entry_size * count:
        raise OSError(f"{path.name} is cut short after {actual} bytes")


def _check_installation() -> None:
    for parent in _PACKAGE.parents:
        if parent.is_file():
            raise ImportError(
                f"torch_elu cannot be imported from the archive {parent}, since the system loads "
                "no library out of an archive: unpack it, or install torch_elu with pip."
            )
    if not _FOLDER.is_dir():
        newest = built_for[-1] if built_for else _minor(torch.__version__)
        raise ImportError(
            f"torch_elu was built for PyTorch {', '.join(built_for) or 'none'}, but PyTorch "
            f"{torch.__version__} is installed: run `pip install 'torch=={newest}.*'`, install a "
            f"torch_elu for that one, or {_REBUILD}."
        )
    if not Path(library_path).is_file():
        raise ImportError(f"torch_elu's library {library_path} is missing: {_REINSTALL}{_REBUILD}.")


def _load(path: str, kernels: str) -> None:
    for file in (Path(path), *_PACKAGE.glob(f"lib/libtorch_elu_kernels_{kernels}.so")):
        _check_whole(file)
    try:
        torch.ops.load_library(path)
    except OSError as error:
        raise error.__cause__ or error  # noqa: B904  (the system's reason, not PyTorch's sentence)


def _load_library() -> None:
    try:
        if hasattr(torch.ops.torch_elu, "elu") and not _is_loaded(library_path):
            maps = Path("/proc/self/maps").read_text()
            others = sorted(set(re.findall(r"/.*/libtorch_elu\.so.*", maps)))
            others = others or ["a file of another name"]
            raise ImportError(
                f"A second copy of torch_elu's library is already loaded from {', '.join(others)}: "
                f"remove the call that loads it, or load {library_path} there."
            )
        _load(library_path, "cpu")
    except OSError as error:
        raise ImportError(
            f"torch_elu's library {library_path} cannot be loaded ({error}): "
            f"{_REINSTALL}{_REBUILD}."
        ) from error


def _load_cuda() -> str:
    """Loads the CUDA kernels, GPU or not, and returns why not where that cannot work."""
    built, has = _build_info.cuda_version, torch.version.cuda
    if not built:
        return "not built"
    if has is None or has.split(".")[0] != built.split(".")[0]:
        found = f"CUDA {has}" if has else f"ROCm {torch.version.hip}" if torch.version.hip else ""
        return (
            f"not loaded: compiled with CUDA {built}, and this PyTorch is built "
            f"{'with ' + found if found else 'without CUDA'}"
        )
    path = str(_FOLDER / "libtorch_elu_cuda.so")
    try:
        _load(path, "cu[0-9]*")
    except OSError as error:
        return f"not loaded: {path} cannot be loaded ({error})"
    return ""


def _load_extension() -> None:
    """Loads _C, the direct calls from Python, or puts what calls torch.ops in its place."""
    name = f"{__package__}._C"
    package = sys.modules[str(__package__)]
    package.__path__.insert(0, str(_FOLDER))
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        module = importlib.import_module("._without_extension", __package__)
        sys.modules[name] = module
        setattr(package, "_C", module)  # noqa: B010
        return
    try:
        _check_whole(Path(spec.origin))
        importlib.import_module(name)
    except (OSError, ImportError) as error:
        raise ImportError(
            f"torch_elu's extension {spec.origin} cannot be loaded ({error}): "
            f"{_REINSTALL}{_REBUILD}."
        ) from error


_check_installation()
_load_library()
#: Why the CUDA kernels are not in use; empty where they are.
without_cuda: str = _load_cuda()
_load_extension()

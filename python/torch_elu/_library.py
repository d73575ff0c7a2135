"""Finds and loads libtorch_elu.so, and says in one sentence what to do where that cannot work."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import struct
import sys
from pathlib import Path

import torch

_REBUILD = (
    "run `pip install --no-build-isolation --no-deps --force-reinstall .` "
    "in the source folder of torch_elu"
)
_PACKAGE = Path(__file__).resolve().parent

try:
    from . import _build_info
except ImportError as error:
    raise ImportError(
        f"torch_elu in {_PACKAGE} has not been built: {_REBUILD}, and import it from elsewhere."
    ) from error

__version__: str = _build_info.version

#: The path of ``libtorch_elu.so``, which holds the operators and nothing of Python.
library_path: str = str(_PACKAGE / "lib" / "libtorch_elu.so")

#: What to add to ``CMAKE_PREFIX_PATH`` so that ``find_package(TorchELU)`` finds this package.
cmake_prefix_path: str = str(_PACKAGE / "share" / "cmake")


def include_paths() -> list[str]:
    """The folders of this package's C++ headers, to be given to a compiler beside torch's own.

    >>> import os, torch_elu
    >>> os.path.exists(os.path.join(torch_elu.include_paths()[0], "torch_elu", "torch_elu.h"))
    True
    """
    return [str(_PACKAGE / "include")]


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


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
        raise OSError(f"the file is cut short after {actual} bytes")


def _load() -> None:
    if _minor(torch.__version__) != _minor(_build_info.torch_version):
        raise ImportError(
            f"torch_elu was built for PyTorch {_minor(_build_info.torch_version)}, but PyTorch "
            f"{torch.__version__} is installed: {_REBUILD}."
        )
    for parent in _PACKAGE.parents:
        if parent.is_file():
            raise ImportError(
                f"torch_elu cannot be imported from the archive {parent}, since the system loads "
                "no library out of an archive: unpack it, or install torch_elu with pip."
            )
    if not Path(library_path).is_file():
        raise ImportError(f"torch_elu's library {library_path} is missing: {_REBUILD}.")
    try:
        if hasattr(torch.ops.torch_elu, "elu") and not _is_loaded(library_path):
            maps = Path("/proc/self/maps").read_text()
            others = sorted(set(re.findall(r"/.*/libtorch_elu\.so.*", maps)))
            others = others or ["a file of another name"]
            raise ImportError(
                f"A second copy of torch_elu's library is already loaded from {', '.join(others)}: "
                f"remove the call that loads it, or load {library_path} there."
            )
        _check_whole(Path(library_path))
        torch.ops.load_library(library_path)
    except OSError as error:
        raise ImportError(
            f"torch_elu's library {library_path} cannot be loaded ({error}): {_REBUILD}."
        ) from error


def _load_extension() -> None:
    """Loads _C, the direct calls from Python, which needs the library."""
    spec = importlib.util.find_spec(f"{__package__}._C")
    if spec is None or spec.origin is None:
        built = ", ".join(path.name for path in _PACKAGE.glob("_C.*.so")) or "none"
        raise ImportError(
            f"torch_elu's extension _C for Python {sys.version_info[0]}.{sys.version_info[1]} is "
            f"missing in {_PACKAGE} (there: {built}): {_REBUILD}."
        )
    try:
        _check_whole(Path(spec.origin))
        importlib.import_module(spec.name)
    except (OSError, ImportError) as error:
        raise ImportError(
            f"torch_elu's extension {spec.origin} cannot be loaded ({error}): {_REBUILD}."
        ) from error


_load()
_load_extension()

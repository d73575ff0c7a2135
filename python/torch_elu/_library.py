"""Finds and loads libtorch_elu.so, and says in one sentence what to do where that cannot work."""

from __future__ import annotations

import importlib.util
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


def _loaded_copies() -> list[str]:
    """The paths of the libtorch_elu.so that are in this process."""
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        maps = ""
    mapped = {
        line.split(maxsplit=5)[5].removesuffix(" (deleted)")
        for line in maps.splitlines()
        if "/libtorch_elu.so" in line
    }
    return sorted(
        mapped | {path for path in torch.ops.loaded_libraries if path.endswith("libtorch_elu.so")}
    )


def _check_whole(path: Path) -> None:
    """Raises where the file ends before a segment that the loader maps.

    To touch the missing part kills the process (SIGBUS) before anybody can tell why.
    """
    with path.open("rb") as file:
        header = file.read(64)
        if len(header) < 64 or header[:5] != b"\x7fELF\x02":
            return  # the loader says what is wrong with it
        (table,) = struct.unpack_from("<Q", header, 0x20)
        entry_size, count = struct.unpack_from("<HH", header, 0x36)
        file.seek(table)
        entries = file.read(entry_size * count)
        actual = file.seek(0, 2)
    needed = table + entry_size * count
    for start in range(0, len(entries) - entry_size + 1, entry_size):
        offset, _, _, in_file = struct.unpack_from("<4Q", entries, start + 8)
        needed = max(needed, offset + in_file)
    if actual < needed:
        raise OSError(f"the file is cut short: it has {actual} bytes, and {needed} are needed")


def _load() -> None:
    if _minor(torch.__version__) != _minor(_build_info.torch_version):
        raise ImportError(
            f"torch_elu was built for PyTorch {_minor(_build_info.torch_version)}, but PyTorch "
            f"{torch.__version__} is installed: {_REBUILD}."
        )
    if not Path(library_path).is_file():
        raise ImportError(f"torch_elu's library {library_path} is missing: {_REBUILD}.")
    if hasattr(torch.ops.torch_elu, "elu"):
        others = [
            path
            for path in _loaded_copies()
            if Path(path).resolve() != Path(library_path).resolve()
        ]
        if others:
            raise ImportError(
                f"A second copy of torch_elu's library is already loaded from {', '.join(others)}: "
                f"remove the call that loads it, or load {library_path} there."
            )
    try:
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

"""Finds and loads libtorch_elu.so, and says in one sentence what to do where that cannot work."""

from __future__ import annotations

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
        torch.ops.load_library(library_path)
    except OSError as error:
        raise ImportError(
            f"torch_elu's library {library_path} cannot be loaded ({error}): {_REBUILD}."
        ) from error


_load()

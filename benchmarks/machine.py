"""What the numbers depend on: the machine and the versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

import torch

from .timing import Pinned

PACKAGES = ["torch", "torch_elu", "ai-edge-litert", "onnxruntime", "jax"]


def first_line(path: str, starting_with: str, otherwise: str) -> str:
    """The value of `key : value` in a file of the system."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return otherwise
    values = (line.partition(":")[2].strip() for line in lines if line.startswith(starting_with))
    return next(values, otherwise)


def caches() -> dict[str, int]:
    """Bytes of the first CPU's data caches by level."""
    sizes = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (
            (folder / name).read_text(encoding="utf-8").strip()
            for name in ("level", "type", "size")
        )
        if kind != "Instruction":
            sizes[f"L{level}"] = int(size.removesuffix("K")) << 10
    return sizes


def available_memory() -> int:
    """Bytes that can be used without swapping."""
    return int(first_line("/proc/meminfo", "MemAvailable", "2000000 kB").split()[0]) << 10


def versions() -> dict[str, str]:
    """Of the contenders that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def describe(pinned: Pinned) -> dict[str, str]:
    """A line for each thing worth knowing."""
    levels = ", ".join(f"{level} {size >> 10} KiB" for level, size in caches().items())
    return {
        "CPU": first_line("/proc/cpuinfo", "model name", platform.processor()),
        "instruction set": instruction_set(),
        "PyTorch's instruction set": torch.backends.cpu.get_cpu_capability().lower(),
        "caches of a core": levels or "unknown",
        "CPUs in use": f"{len(pinned.cpus)}, the first {pinned.cpus[0]}",
        "memory": f"{available_memory() / 2**30:.1f} GiB available",
        "load": f"{load()} in the minute before",
        "system": platform.platform(),
        "Python": platform.python_version(),
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
    }


def load() -> str:
    """How many processes ran in the last minute, on average."""
    return f"{os.getloadavg()[0]:.2f}"


def instruction_set() -> str:
    """The one that torch_elu uses here."""
    return str(torch.ops.torch_elu.cpu_capability())

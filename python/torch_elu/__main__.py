"""``python -m torch_elu`` prints what a bug report needs; see also ``check`` and ``bench``."""

from __future__ import annotations

import argparse
import math
import platform
import sys

import torch

from . import _C, _build_info, _library
from .doctor import bench as benchmark
from .doctor import check as checks


def report() -> str:
    """Versions, what the build was made with, and what it uses on this machine, a line each."""
    if torch.cuda.is_available():
        capability = ".".join(map(str, torch.cuda.get_device_capability()))
        device = f"{torch.cuda.get_device_name()} (compute capability {capability})"
    else:
        device = "none available to PyTorch"
    if _library.without_cuda:
        cuda = f"{_library.without_cuda}; GPUs use PyTorch's own elu"
    else:
        architectures = _build_info.cuda_architectures.replace(";", ", ")
        cuda = f"built with CUDA {_build_info.cuda_version} for {architectures}"
    direct = "directly into C++"
    if not _C.__name__.endswith("_C"):
        direct = "through torch.ops, since this torch_elu has no _C for Python "
        direct += f"{sys.version_info[0]}.{sys.version_info[1]}{sys.abiflags}"
    lines = {
        "torch_elu": torch.ops.torch_elu.version(),
        "library": _library.library_path,
        "built for PyTorch": ", ".join(_library.built_for),
        "built with compiler": _build_info.compiler,
        "CUDA kernels": cuda,
        "calls": direct,
        "PyTorch": f"{torch.__version__} (CUDA {torch.version.cuda or 'none'})",
        "Python": platform.python_version(),
        "system": platform.platform(),
        "GPU": device,
        "CPU instruction set": torch.ops.torch_elu.cpu_capability(),
        "CPU threads": str(torch.get_num_threads()),
    }
    width = max(map(len, lines))
    return "\n".join(f"{name + ':':<{width + 1}} {value}" for name, value in lines.items())


def bench(seconds: float) -> int:
    """Prints the table row by row."""
    for line in benchmark.table(seconds):
        print(line, flush=True)
    return 0


def check() -> int:
    """Prints a line for each check; 1 if one failed."""
    failed = 0
    for status, name, why in checks.results():
        print(f"{status:7}  {name:15}  {why}".rstrip(), flush=True)
        failed += status == "FAILED"
    if failed:
        print(f"\n{failed} of {len(checks.CHECKS)} checks failed. For a bug report:\n\n{report()}")
    return int(failed > 0)


def duration(text: str) -> float:
    """A number of seconds from the command line."""
    seconds = float(text)
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"expected 0 or more seconds, but got {text}")
    return seconds


def count(text: str) -> int:
    """A number of threads from the command line."""
    threads = int(text)
    if threads < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, but got {text}")
    return threads


def main() -> int:
    """Reads the command line, and returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m torch_elu", description="Without a command: prints what a bug report needs."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    timing = commands.add_parser("bench", help="the speed of this elu and of PyTorch's, here")
    timing.add_argument(
        "--seconds", type=duration, default=18, help="how long to measure (%(default)s)"
    )
    timing.add_argument("--threads", type=count, help="CPU threads (those that PyTorch takes)")
    commands.add_parser("check", help="whether this installation does what it should")
    arguments = parser.parse_args()
    if arguments.command == "bench":
        if arguments.threads is not None:
            torch.set_num_threads(arguments.threads)
        return bench(arguments.seconds)
    if arguments.command == "check":
        return check()
    print(report())
    return 0


if __name__ == "__main__":
    sys.exit(main())

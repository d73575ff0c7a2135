"""Times torch_elu's ELU on a GPU against PyTorch's and a copy."""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch_elu
from torch_elu import _build_info

from .goals import judge
from .report import format_report, to_json
from .timing import Measured


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/gpu"), metavar="DIRECTORY")
    parser.add_argument("--rounds", type=int, default=60, help="samples of each (%(default)s)")
    parser.add_argument(
        "--steps", type=Path, help="a file of lines 'step<TAB>outcome' to put into the report"
    )
    arguments = parser.parse_args()
    if arguments.rounds < 2:
        parser.error(f"--rounds: expected 2 or more, but got {arguments.rounds}")
    return arguments


def driver() -> str:
    """The version of the driver, as nvidia-smi says it."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, IndexError, subprocess.CalledProcessError):
        return "unknown"


def describe() -> dict[str, str]:
    """A line for each thing that the numbers depend on."""
    device = torch.cuda.get_device_properties()
    return {
        "GPU": device.name,
        "compute capability": f"{device.major}.{device.minor}",
        "multiprocessors": str(device.multi_processor_count),
        "memory": f"{device.total_memory / 2**30:.0f} GiB",
        "L2 cache": f"{device.L2_cache_size >> 20} MiB",
        "driver": driver(),
        "torch_elu": f"{torch_elu.__version__}, built with CUDA {_build_info.cuda_version} "
        f"for {_build_info.cuda_architectures}",
        "PyTorch": f"{torch.__version__} (CUDA {torch.version.cuda})",
        "Python": platform.python_version(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
    }


def measure(rounds: int) -> Iterator[Measured]:
    """All groups."""
    from . import cases

    groups: list[Callable[[int], Iterator[Measured]]] = [
        cases.sizes,
        cases.layouts,
        cases.learnt_alphas,
        cases.calls,
        cases.training_steps,
    ]
    for group in groups:
        for measured in group(rounds):
            shown = ", ".join(f"{name} {measured.time(name):.2f}" for name in measured.times)
            print(f"{measured.group}, {measured.name}: {shown} us", flush=True)
            yield measured


def count_compiled_kernels() -> dict[str, dict[str, int]]:
    """Empty where there is no compiler. One that fails is an error."""
    from . import cases

    if importlib.util.find_spec("triton") is None:
        print("compiled kernels were not counted: Triton is not installed")
        return {}
    return cases.compiled_kernels()


def write(
    output: Path,
    machine: dict[str, str],
    results: list[Measured],
    compiled: dict[str, dict[str, int]],
    steps: dict[str, str],
) -> str:
    """Writes the report as Markdown and as JSON, and returns it."""
    verdicts = judge(results, compiled)
    report = format_report(machine, results, compiled, verdicts, steps)
    texts = {".md": report, ".json": to_json(machine, results, compiled, verdicts, steps)}
    for suffix, text in texts.items():
        output.with_suffix(suffix).write_text(text + "\n", encoding="utf-8")
    return report


def main() -> None:
    """Measures, prints and writes."""
    arguments = parse_arguments()
    if not torch.cuda.is_available():
        sys.exit("no GPU is available to PyTorch: nothing was measured")
    arguments.output.mkdir(parents=True, exist_ok=True)
    machine = describe()
    output = arguments.output / re.sub(r"\W+", "-", machine["GPU"]).strip("-").lower()
    lines = arguments.steps.read_text().splitlines() if arguments.steps else []
    steps = dict(line.split("\t", 1) for line in lines)
    results = []
    for measured in measure(arguments.rounds):
        results.append(measured)
        # A GPU may be lent for minutes: a run that is cut off leaves what it has measured.
        write(output, machine, results, {}, {**steps, "benchmark": "did NOT run to its end"})
    if importlib.util.find_spec("matplotlib") is None:
        print("no picture: matplotlib is not installed")
    else:
        from .picture import save_picture

        save_picture(results, machine["GPU"], output.with_suffix(".png"))
        print(f"wrote {output}.png")
    report = write(output, machine, results, count_compiled_kernels(), steps)
    print(f"\n{report}\n\nwrote {output}.md and .json")


if __name__ == "__main__":
    main()

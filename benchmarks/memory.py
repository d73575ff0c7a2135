"""The memory that training takes: F.elu, in place, and what torch_elu keeps for backward.

What counts is the allocator's own running total, as torch.profiler records it: every tensor, those
inside of kernels and of autograd too, to the byte and the same in every run. Modes and hooks see
only what operators return or save. The resident memory of the process stands beside it to show that
nothing large escapes: it is more by the code and the buffers of the libraries that are called.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch_elu
from matplotlib.figure import Figure
from torch import nn
from torch.profiler import ProfilerActivity, profile
from tqdm import tqdm

from . import record
from .pictures import COLORS, STYLES
from .tables import format_table

Activation = Callable[[], nn.Module]

PYTORCH, PYTORCH_IN_PLACE = "F.elu", "F.elu, inplace=True"
OURS, OURS_OUTPUT = "torch_elu", 'torch_elu, save="output"'
ACTIVATIONS: dict[str, Activation] = {
    PYTORCH: nn.ELU,
    PYTORCH_IN_PLACE: partial(nn.ELU, inplace=True),
    OURS: torch_elu.ELU,
    OURS_OUTPUT: partial(torch_elu.ELU, save="output"),
}


@dataclass(frozen=True)
class Stack:
    """A network of equal layers, each followed by the activation, and the shape of a batch."""

    layer: Callable[[], nn.Module]
    depth: int
    batch: tuple[int, ...]

    def build(self, activation: Activation) -> nn.Sequential:
        """The layers in a row."""
        layers = [part for _ in range(self.depth) for part in (self.layer(), activation())]
        return nn.Sequential(*layers)


NETWORKS = {
    "MLP: 12 layers of 256, batch 16384": Stack(partial(nn.Linear, 256, 256), 12, (16384, 256)),
    "8 convolutions 3 x 3, 32 channels, batch 16 x 64 x 64": Stack(
        partial(nn.Conv2d, 32, 32, 3, padding=1), 8, (16, 32, 64, 64)
    ),
}


@dataclass(frozen=True)
class Peak:
    """The most that was in use during a training step, in bytes."""

    network: str
    activation: str
    allocated: int
    resident: int


def train(stack: Stack, activation: Activation) -> None:
    """One step, parameters and batch included."""
    network = stack.build(activation)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    network(torch.randn(stack.batch)).square().mean().backward()
    optimizer.step()


def peak_of_allocator(work: Callable[[], None]) -> int:
    """The largest total of the CPU allocator while something runs, in bytes."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        profiler.export_chrome_trace(file.name)
        events = json.loads(Path(file.name).read_text(encoding="utf-8"))["traceEvents"]
    arguments = [event["args"] for event in events if event.get("name") == "[memory]"]
    return max(int(of["Total Allocated"]) for of in arguments if of["Device Type"] == 0)


def peak_of_process(work: Callable[[], None]) -> int:
    """By how much the resident memory of this process exceeds that before at most, in bytes."""

    def status(name: str) -> int:
        text = Path("/proc/self/status").read_text(encoding="utf-8")
        match = re.search(rf"^{name}:\s*(\d+) kB$", text, re.MULTILINE)
        assert match is not None, text
        return int(match[1]) << 10

    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # VmHWM starts anew
    before = status("VmRSS")
    work()
    return status("VmHWM") - before


def measure(network: str, activation: str) -> Peak:
    """In a process of its own, or the resident memory is that of earlier steps, too."""
    work = partial(train, NETWORKS[network], ACTIVATIONS[activation])
    resident = peak_of_process(work)
    return Peak(network, activation, peak_of_allocator(work), resident)


def measure_all() -> list[Peak]:
    """Every activation in every network, one after the other."""
    # Or the C library keeps freed tensors, and the resident memory tells of holes between them.
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(1 << 16)
    pairs = [(network, activation) for network in NETWORKS for activation in ACTIVATIONS]
    peaks = []
    for pair in tqdm(pairs, unit="network"):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
            peaks.append(executor.submit(measure, *pair).result())
    return peaks


def mebibytes(size: int) -> str:
    """With one decimal."""
    return f"{size / 2**20:.1f}"


def report(peaks: list[Peak]) -> str:
    """A table for each network."""
    tables = []
    for network in NETWORKS:
        rows = [
            [peak.activation, mebibytes(peak.allocated), mebibytes(peak.resident)]
            for peak in peaks
            if peak.network == network
        ]
        table = format_table(["", "allocated, MiB", "resident, MiB"], rows)
        tables.append(f"{network}:\n\n{table}")
    return "Peak of a training step\n\n" + "\n\n".join(tables)


def draw(peaks: list[Peak]) -> Figure:
    """Bars of the allocator's peak, a plot for each network."""
    colors = dict.fromkeys((PYTORCH, PYTORCH_IN_PLACE), COLORS["F.elu"])
    colors |= dict.fromkeys((OURS, OURS_OUTPUT), COLORS["torch_elu"])
    figure, axes = plt.subplots(1, len(NETWORKS), figsize=(9, 2.6), layout="constrained")
    for axis, network in zip(axes, NETWORKS, strict=True):
        sizes = {
            peak.activation: peak.allocated / 2**20 for peak in peaks if peak.network == network
        }
        bars = axis.barh(list(sizes), list(sizes.values()), color=[colors[name] for name in sizes])
        axis.bar_label(bars, fmt="%.0f", padding=3)
        axis.margins(x=0.15)
        axis.invert_yaxis()
        axis.set_title(network, fontsize="small")
        axis.set_xlabel("peak of a training step (MiB)")
        if axis is not axes[0]:
            axis.set_yticklabels([])
    return figure


def save(peaks: list[Peak], directory: Path) -> list[Path]:
    """The table, the numbers, and the picture in a light and a dark version."""
    plt.switch_backend("agg")
    paths = [directory / "memory.md", directory / "memory.json"]
    paths[0].write_text(report(peaks) + "\n", encoding="utf-8")
    paths[1].write_text(json.dumps(list(map(asdict, peaks)), indent=1) + "\n", encoding="utf-8")
    for theme, style in STYLES.items():
        with plt.style.context(style):
            figure = draw(peaks)
            paths.append(directory / f"memory-{theme}.png")
            figure.savefig(paths[-1], dpi=120)
        plt.close(figure)
    return paths


def load(path: Path) -> list[Peak]:
    """What `save` wrote as JSON."""
    return [Peak(**peak) for peak in json.loads(path.read_text(encoding="utf-8"))]


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory")
    parser.add_argument("--output", type=Path, default=Path("build/memory"), metavar="DIRECTORY")
    record.add_option(parser)
    arguments = parser.parse_args()
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    peaks = measure_all()
    print(f"\n{report(peaks)}\n")
    header = ["network", "activation", "allocated, MiB", "resident, MiB"]
    rows = [
        [peak.network, peak.activation, mebibytes(peak.allocated), mebibytes(peak.resident)]
        for peak in peaks
    ]
    page = "performance.md#memory-of-training"
    record.save(arguments.json, "Memory of training", page, header, rows)
    for path in save(peaks, output):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()

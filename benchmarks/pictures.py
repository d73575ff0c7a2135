"""The results as pictures, each in a light and a dark version."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from .elementwise import COMPILED, COPY, MEMCPY, OURS, PYTORCH, PYTORCH_BACKWARD_OUT, size_name
from .timing import Results

STYLES = {"light": "default", "dark": "dark_background"}
# Told apart by the colour-blind (Okabe and Ito), and against white and black.
COLORS = {
    OURS: "#D55E00",
    PYTORCH: "#3A8FD0",
    COMPILED: "#56B4E9",
    "LiteRT": "#009E73",
    "onnxruntime": "#CC79A7",
    "JAX": "#E69F00",
    COPY: "gray",
    MEMCPY: "gray",
}
LIMITS = {COPY: "--", MEMCPY: ":"}


def draw_sizes(machine: dict[str, str], results: Results) -> Figure:
    """Time per element of a float32 forward against the number of elements."""
    figure, axis = plt.subplots(figsize=(9, 5.5), layout="constrained")
    cases = sorted(
        (int(case.facts["numel"]), of_case)
        for case, of_case in results.items()
        if case.group == "forward" and case.facts["dtype"] == "float32"
    )
    for name, color in COLORS.items():
        points = [(numel, of_case[name].minimum) for numel, of_case in cases if name in of_case]
        if points:
            axis.plot(
                *zip(*points, strict=True),
                LIMITS.get(name, "-"),
                marker="" if name in LIMITS else ".",
                color=color,
                linewidth=2.5 if name == OURS else 1.5,
                label=name,
            )
    axis.set(
        xlabel="number of elements",
        ylabel="time (ns per element)",
        title=f"elu forward, float32, one thread, {machine['CPU']}, {machine['instruction set']}",
    )
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda numel, _: size_name(int(numel))))
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.grid(alpha=0.25)
    mark_caches(axis, machine["caches of a core"])
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def mark_caches(axis: Axes, caches: str) -> None:
    """Where input and output together fill a cache; as in "L1 32 KiB, L2 1024 KiB"."""
    least, most = axis.get_xlim()
    for level, kibibytes in re.findall(r"(L\d) (\d+) KiB", caches):
        numel = (int(kibibytes) << 10) / 8
        if least < numel < most:
            axis.axvline(numel, color="gray", linewidth=0.8, alpha=0.6)
            axis.annotate(
                f" {level}",
                (numel, 0.98),
                xycoords=("data", "axes fraction"),
                verticalalignment="top",
                color="gray",
            )


def draw_dtypes(machine: dict[str, str], results: Results) -> Figure:
    """Bars for forward and backward in the cache, by dtype."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained", sharey=True)
    pytorch = {"forward": PYTORCH, "backward": PYTORCH_BACKWARD_OUT}
    limit = {"forward": COPY, "backward": "mul, out="}
    for axis, group in zip(axes, pytorch, strict=True):
        cases = [
            (case.facts["dtype"], of_case)
            for case, of_case in results.items()
            if case.group == group and case.facts["numel"] == 1 << 16
        ]
        bars = {OURS: OURS, PYTORCH: pytorch[group], COPY: limit[group]}
        for number, (color, name) in enumerate(bars.items()):
            positions = [place + (number - 1) * 0.27 for place in range(len(cases))]
            heights = [of_case[name].minimum for _, of_case in cases]
            drawn = axis.bar(positions, heights, 0.25, color=COLORS[color], label=name)
            axis.bar_label(drawn, fmt="%.2f", fontsize=8)
        axis.set_xticks(range(len(cases)), [str(dtype) for dtype, _ in cases])
        axis.set(title=f"elu {group}, 64 Ki elements, one thread", ylabel="time (ns per element)")
        axis.legend(fontsize=8)
    figure.suptitle(f"{machine['CPU']}, {machine['instruction set']}")
    return figure


PICTURES = {"sizes": draw_sizes, "dtypes": draw_dtypes}


def save_pictures(machine: dict[str, str], results: Results, directory: Path) -> list[Path]:
    """Draws every picture in both versions and returns the files."""
    plt.switch_backend("agg")
    paths = []
    for theme, style in STYLES.items():
        for name, draw in PICTURES.items():
            path = directory / f"{name}-{theme}.png"
            with plt.style.context(style):
                figure = draw(machine, results)
                figure.savefig(path, dpi=120)
            plt.close(figure)
            paths.append(path)
    return paths

"""Bandwidth against size, a panel for each direction and dtype."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from .timing import COPY, OURS, PYTORCH, Measured

# Told apart by the colour-blind (Okabe and Ito).
COLORS = {OURS: "#D55E00", PYTORCH: "#3A8FD0", COPY: "gray"}


def save_picture(results: list[Measured], device: str, path: Path) -> None:
    """Draws all of forward and backward."""
    plt.switch_backend("agg")
    groups = ("forward", "backward")
    dtypes = list(dict.fromkeys(m.dtype for m in results if m.group in groups))
    figure, axes = plt.subplots(
        len(groups),
        len(dtypes),
        figsize=(4 * len(dtypes), 7),
        layout="constrained",
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for group, row in zip(groups, axes, strict=True):
        for dtype, axis in zip(dtypes, row, strict=True):
            draw(axis, [m for m in results if (m.group, m.dtype) == (group, dtype)])
            axis.set_title(f"{group}, {dtype}")
        row[0].set_ylabel("bytes read and written (TB/s)")
    for axis in axes[-1]:
        axis.set_xlabel("number of elements")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(COLORS))
    figure.suptitle(f"elu on {device}, cold L2 cache")
    figure.savefig(path, dpi=90)
    plt.close(figure)


def draw(axis: Axes, cases: list[Measured]) -> None:
    """A line for each contender."""
    for name, color in COLORS.items():
        points = sorted((m.numel, m.bandwidth(name) / 1e12) for m in cases if name in m.times)
        if points:
            axis.plot(
                *zip(*points, strict=True),
                "--" if name == COPY else "-",
                color=color,
                linewidth=2.5 if name == OURS else 1.5,
                label=name,
            )
    axis.set_xscale("log", base=2)
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.25)

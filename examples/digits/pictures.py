"""The results as pictures, each in a light and a dark version."""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .claims import SELU_MEAN, SELU_VARIANCE, TARGET_LOSS, accuracy_percent, average
from .network import NUM_HIDDEN_LAYERS, Architecture
from .training import Results

# Told apart by the colour-blind (Okabe and Ito), and against white and black.
COLORS = {"ReLU": "#D55E00", "ELU": "#3A8FD0", "SELU": "#009E73"}
VARIANCE_TICKS = [0.2, 0.5, 1, 2, 5, 10]
STYLES = {"light": "default", "dark": "dark_background"}


def line_style(architecture: Architecture) -> str:
    """Dashed with batch norm."""
    return "--" if architecture.batch_norm else "-"


def draw_activations(results: Results) -> Figure:
    """Mean and variance of the activations by layer, before and after training.

    Before training, batch norm does nothing in evaluation mode: its lines lie on the others.
    """
    figure, axes = plt.subplots(
        2, 2, figsize=(9, 6.5), sharex=True, sharey="col", layout="constrained"
    )
    layers = range(1, NUM_HIDDEN_LAYERS + 1)
    for architecture, runs in results.items():
        averages = [average([run.before for run in runs]), average([run.after for run in runs])]
        for row, statistics in zip(axes, averages, strict=True):
            for axis, values in zip(row, statistics, strict=True):
                axis.plot(
                    layers,
                    values,
                    line_style(architecture),
                    color=COLORS[architecture.activation],
                    marker=".",
                    label=str(architecture),
                )
    for row, when in zip(axes, ("before", "after"), strict=True):
        for axis, domain, name in zip(
            row, (SELU_MEAN, SELU_VARIANCE), ("mean", "variance"), strict=True
        ):
            axis.axhspan(*domain, color="gray", alpha=0.3, label="domain of SELU's theorem 1")
            axis.set(title=f"{when} training", ylabel=f"{name} of the activations")
        row[1].set_yscale("log")
        row[1].set_yticks(VARIANCE_TICKS, map(str, VARIANCE_TICKS))
        row[1].minorticks_off()
    for axis in axes[1]:
        axis.set_xlabel("hidden layer")
    add_legend(figure, axes[1, 0])
    return figure


def draw_losses(results: Results) -> Figure:
    """Training loss by epoch: the mean over the seeds, and their range."""
    figure, axis = plt.subplots(figsize=(9, 5), layout="constrained")
    for architecture, runs in results.items():
        by_epoch = list(zip(*(run.losses for run in runs), strict=True))
        epochs = range(1, len(by_epoch) + 1)
        color = COLORS[architecture.activation]
        axis.plot(
            epochs,
            [fmean(losses) for losses in by_epoch],
            line_style(architecture),
            color=color,
            label=str(architecture),
        )
        axis.fill_between(
            epochs,
            [min(losses) for losses in by_epoch],
            [max(losses) for losses in by_epoch],
            color=color,
            alpha=0.15,
            linewidth=0,
        )
    axis.axhline(TARGET_LOSS, color="gray", linestyle=":", label="target of the table")
    axis.set(xlabel="epoch", ylabel="training loss (cross entropy, nats)", yscale="log")
    add_legend(figure, axis)
    return figure


def draw_accuracies(results: Results) -> Figure:
    """Test accuracy: a dot for each seed, a bar for their mean."""
    figure, axis = plt.subplots(figsize=(9, 4), layout="constrained")
    for position, (architecture, runs) in enumerate(results.items()):
        accuracies = [accuracy_percent(run) for run in runs]
        color = COLORS[architecture.activation]
        axis.scatter([position] * len(runs), accuracies, color=color, alpha=0.6)
        axis.hlines(fmean(accuracies), position - 0.2, position + 0.2, color=color, linewidth=2)
    axis.set_xticks(range(len(results)), [str(architecture) for architecture in results])
    axis.set(title="a dot for each seed, a bar for their mean", ylabel="test accuracy (%)")
    return figure


def add_legend(figure: Figure, axis: Axes) -> None:
    """Puts the labels of one plot below the whole figure."""
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=4)


PICTURES: dict[str, Callable[[Results], Figure]] = {
    "activations": draw_activations,
    "losses": draw_losses,
    "accuracies": draw_accuracies,
}


def save_pictures(results: Results, directory: Path) -> list[Path]:
    """Draws every picture in both versions and returns the files."""
    plt.switch_backend("agg")
    paths = []
    for theme, style in STYLES.items():
        for name, draw in PICTURES.items():
            path = directory / f"{name}-{theme}.png"
            with plt.style.context(style):
                figure = draw(results)
                figure.savefig(path, dpi=120)
            plt.close(figure)
            paths.append(path)
    return paths

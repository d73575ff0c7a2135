"""The README's pictures: `make pictures`. Each is read on a light and on a dark page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

try:
    import matplotlib.pyplot as plt
    import torch
    import torch_elu
    from matplotlib.figure import Figure

    from benchmarks import memory, pictures, report
    from examples.digits import pictures as digits
    from examples.digits import training
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is missing from {sys.executable}: run `make pictures`")

GREY = "#808080"  # contrast 3.9 to white and 5.3 to black
COLORED = ["text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"]
STYLE = {
    **dict.fromkeys(COLORED, GREY),
    "savefig.transparent": True,
    "legend.framealpha": 0,
    "svg.hashsalt": "torch_elu",  # or equal pictures are different files
}

FUNCTIONS = {"ReLU": torch.relu, "ELU": torch_elu.elu, "SELU": torch_elu.selu}


def draw_function() -> Figure:
    """Value and slope of ELU, beside ReLU's and SELU's."""
    x = torch.linspace(-4, 2, 601, requires_grad=True)
    figure, (value, slope) = plt.subplots(1, 2, figsize=(9, 3.2), sharex=True, layout="constrained")
    for name, function in FUNCTIONS.items():
        y = function(x)
        (dy_dx,) = torch.autograd.grad(y.sum(), x)
        for axis, of_x in ((value, y), (slope, dy_dx)):
            axis.plot(x.tolist(), of_x.tolist(), color=digits.COLORS[name], label=name)
    for axis, label in ((value, "y"), (slope, "dy / dx")):
        axis.set(xlabel="x", ylabel=label)
        axis.grid(alpha=0.25)
    figure.legend(*value.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def draw_speed(path: Path) -> Figure:
    """Time per element against the number of elements, beside PyTorch and other frameworks."""
    return pictures.draw_sizes(*report.load(path))


def draw_demo(path: Path) -> Figure:
    """The training losses of the demo's networks."""
    return digits.draw_losses(training.load(path))


def draw_memory(path: Path) -> Figure:
    """The peak memory of a training step."""
    return memory.draw(memory.load(path))


class Measured(NamedTuple):
    """A picture of numbers, the file in the build folder that has them, and what writes it."""

    draw: Callable[[Path], Figure]
    file: str
    command: str


MEASURED = {
    "speed": Measured(draw_speed, "bench/results.json", "make bench"),
    "demo": Measured(draw_demo, "demo/results.json", "make demo"),
    "memory": Measured(draw_memory, "memory/memory.json", "make memory"),
}


def save(figure: Figure, path: Path) -> None:
    """As SVG, without the date."""
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    print(f"wrote {path}")


def save_all(build: Path, output: Path) -> None:
    """Draws what there are numbers for, and says which command makes the others."""
    plt.switch_backend("agg")
    output.mkdir(parents=True, exist_ok=True)
    with plt.style.context(STYLE):
        save(draw_function(), output / "function.svg")
        for name, measured in MEASURED.items():
            numbers = build / measured.file
            if numbers.is_file():
                save(measured.draw(numbers), output / f"{name}.svg")
            else:
                print(f"{name}.svg is not drawn: {numbers} is missing, run `{measured.command}`")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m docs.draw", description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build"), metavar="DIRECTORY")
    parser.add_argument("--output", type=Path, default=Path("docs/pictures"), metavar="DIRECTORY")
    arguments = parser.parse_args()
    save_all(arguments.build, arguments.output)


if __name__ == "__main__":
    main()

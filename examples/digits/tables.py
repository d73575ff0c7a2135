"""The results as Markdown tables."""

from statistics import fmean, stdev

from .claims import (
    CLAIMS,
    SELU_MEAN,
    SELU_VARIANCE,
    TARGET_LOSS,
    Verdict,
    accuracy_percent,
    average,
    epochs_to_target,
)
from .network import NUM_HIDDEN_LAYERS, WIDTH, Architecture
from .training import Results, Run

CLAIMS_HEADING = f"""\
What the papers (ELU: arXiv:1511.07289, SELU: arXiv:1706.02515) claim, and what came out here.
A network is better than another if their difference, seed by seed, exceeds twice its standard error
(the number after ±). A layer has mean 0 and variance 1 if these lie in the domain of the theorem,
{SELU_MEAN[0]} to {SELU_MEAN[1]} and {SELU_VARIANCE[0]} to {SELU_VARIANCE[1]}."""


def format_table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, padded so that it reads as plain text too."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(map(str.ljust, cells, widths)) + " |" for cells in lines)


def format_layers(values: dict[Architecture, list[float]]) -> str:
    """A table with a column for each hidden layer."""
    return format_table(
        ["network", *map(str, range(1, NUM_HIDDEN_LAYERS + 1))],
        [
            [str(architecture), *(f"{value:.2f}" for value in layers)]
            for architecture, layers in values.items()
        ],
    )


def format_learning(results: Results) -> str:
    """A table of the epochs to the target loss and of the test accuracy."""
    return format_table(
        ["network", f"epochs to a training loss of {TARGET_LOSS}", "test accuracy, %"],
        [
            [str(architecture), format_epochs(runs), format_accuracy(runs)]
            for architecture, runs in results.items()
        ],
    )


def format_epochs(runs: list[Run]) -> str:
    """Mean and spread of the epochs to the target loss; a lower bound if a run missed it."""
    epochs = [epochs_to_target(run) for run in runs]
    missed = any(epoch > len(run.losses) for epoch, run in zip(epochs, runs, strict=True))
    return f"{'at least ' if missed else ''}{fmean(epochs):.1f} ± {stdev(epochs):.1f}"


def format_accuracy(runs: list[Run]) -> str:
    """Mean, spread and range of the test accuracy."""
    accuracies = [accuracy_percent(run) for run in runs]
    return (
        f"{fmean(accuracies):.1f} ± {stdev(accuracies):.1f} "
        f"({min(accuracies):.1f} to {max(accuracies):.1f})"
    )


def format_verdicts(verdicts: list[Verdict]) -> str:
    """A table of the claims and of what became of them."""
    return format_table(
        ["paper", "claim", "measured here", "difference", "verdict"],
        [
            [
                verdict.source,
                verdict.claim,
                verdict.measured,
                verdict.difference,
                "holds" if verdict.holds else "does not hold here",
            ]
            for verdict in verdicts
        ],
    )


def report(results: Results) -> str:
    """All tables, each after a line that says what it shows."""
    first = next(iter(results.values()))
    after = {
        architecture: average([run.after for run in runs]) for architecture, runs in results.items()
    }
    return "\n\n".join(
        [
            f"{NUM_HIDDEN_LAYERS} hidden layers of {WIDTH} units, {len(first[0].losses)} epochs, "
            f"{len(first)} seeds; ± is the standard deviation over the seeds.",
            "Mean activation by hidden layer, after training:",
            format_layers({architecture: layers.mean for architecture, layers in after.items()}),
            "Variance of the activations by hidden layer, after training:",
            format_layers(
                {architecture: layers.variance for architecture, layers in after.items()}
            ),
            "Learning and accuracy:",
            format_learning(results),
            CLAIMS_HEADING,
            format_verdicts([claim.judge(results) for claim in CLAIMS]),
        ]
    )

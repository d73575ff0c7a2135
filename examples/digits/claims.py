"""What the ELU paper and the SELU paper claim, and what came out here."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from .network import Architecture, LayerStatistics
from .training import Results, Run

TARGET_LOSS = 0.1

# The domain of theorem 1 of the SELU paper, which no layer leaves while the weights are normalised.
SELU_MEAN = (-0.1, 0.1)
SELU_VARIANCE = (0.8, 1.5)

RELU = Architecture("ReLU")
RELU_BATCH_NORM = Architecture("ReLU", batch_norm=True)
ELU = Architecture("ELU")
ELU_BATCH_NORM = Architecture("ELU", batch_norm=True)
SELU = Architecture("SELU")


@dataclass(frozen=True)
class Verdict:
    """A claim, where it stands, what was measured here, and whether that bears it out."""

    source: str
    claim: str
    measured: str
    difference: str
    holds: bool


@dataclass(frozen=True)
class Quantity:
    """A number that each run gives, how two means of it are written, and what is better."""

    of_run: Callable[[Run], float]
    template: str
    higher_is_better: bool


@dataclass(frozen=True)
class Comparison:
    """The claim that `first` is better than `second`, or that it is not, in one quantity."""

    source: str
    claim: str
    quantity: Quantity
    first: Architecture
    second: Architecture
    first_is_better: bool = True

    def judge(self, results: Results) -> Verdict:
        """Counts as better what is so by over two standard errors of the difference by seed."""
        first = list(map(self.quantity.of_run, results[self.first]))
        second = list(map(self.quantity.of_run, results[self.second]))
        differences = [a - b for a, b in zip(first, second, strict=True)]
        difference = fmean(differences)
        standard_error = stdev(differences) / sqrt(len(differences))
        gain = difference if self.quantity.higher_is_better else -difference
        return Verdict(
            self.source,
            self.claim,
            self.quantity.template.format(fmean(first), fmean(second)),
            f"{difference:+.2f} ± {standard_error:.2f}",
            (gain > 2 * standard_error) == self.first_is_better,
        )


@dataclass(frozen=True)
class Normalisation:
    """The claim that mean and variance of every layer lie in the domain of the SELU paper."""

    source: str
    claim: str
    of_run: Callable[[Run], LayerStatistics]

    def judge(self, results: Results) -> Verdict:
        """Looks at the layers furthest from mean 0 and variance 1."""
        mean, variance = average([self.of_run(run) for run in results[SELU]])
        measured = (
            f"means {min(mean):.2f} to {max(mean):.2f}, "
            f"variances {min(variance):.2f} to {max(variance):.2f}"
        )
        holds = (
            SELU_MEAN[0] <= min(mean)
            and max(mean) <= SELU_MEAN[1]
            and SELU_VARIANCE[0] <= min(variance)
            and max(variance) <= SELU_VARIANCE[1]
        )
        return Verdict(self.source, self.claim, measured, "", holds)


def average(statistics: list[LayerStatistics]) -> LayerStatistics:
    """Averages over the runs, layer by layer."""
    return LayerStatistics(
        [fmean(layer) for layer in zip(*(run.mean for run in statistics), strict=True)],
        [fmean(layer) for layer in zip(*(run.variance for run in statistics), strict=True)],
    )


def mean_distance(run: Run) -> float:
    """How far from zero the mean activation is after training, averaged over the layers."""
    return fmean(map(abs, run.after.mean))


def epochs_to_target(run: Run) -> int:
    """The first epoch with a training loss below the target; one more than all if none has."""
    reached = (epoch for epoch, loss in enumerate(run.losses, start=1) if loss < TARGET_LOSS)
    return next(reached, len(run.losses) + 1)


def accuracy_percent(run: Run) -> float:
    """The test accuracy in percent."""
    return 100 * run.test_accuracy


MEAN_DISTANCE = Quantity(mean_distance, "{:.2f} vs {:.2f}", higher_is_better=False)
EPOCHS = Quantity(epochs_to_target, "{:.1f} vs {:.1f} epochs", higher_is_better=False)
ACCURACY = Quantity(accuracy_percent, "{:.1f} vs {:.1f} %", higher_is_better=True)

CLAIMS: list[Comparison | Normalisation] = [
    Comparison(
        "ELU, section 4.1",
        "ELU's mean activations are closer to 0 than ReLU's",
        MEAN_DISTANCE,
        ELU,
        RELU,
    ),
    Comparison("ELU, section 4.1", "ELU learns faster than ReLU", EPOCHS, ELU, RELU),
    Comparison("ELU, abstract", "ELU generalises better than ReLU", ACCURACY, ELU, RELU),
    Comparison(
        "ELU, section 4.2",
        "ELU generalises better than ReLU + batch norm",
        ACCURACY,
        ELU,
        RELU_BATCH_NORM,
    ),
    Comparison(
        "ELU, section 4.2",
        "ELU + batch norm is no better than ELU",
        ACCURACY,
        ELU_BATCH_NORM,
        ELU,
        first_is_better=False,
    ),
    Normalisation(
        "SELU, theorem 1",
        "SELU has mean 0 and variance 1 before training",
        lambda run: run.before,
    ),
    Normalisation(
        "SELU, theorem 1",
        "SELU has mean 0 and variance 1 after training",
        lambda run: run.after,
    ),
    Comparison(
        "SELU, figure 1",
        "SELU learns faster than ReLU + batch norm",
        EPOCHS,
        SELU,
        RELU_BATCH_NORM,
    ),
    Comparison("SELU, abstract", "SELU generalises better than ReLU", ACCURACY, SELU, RELU),
    Comparison(
        "SELU, abstract",
        "SELU generalises better than ReLU + batch norm",
        ACCURACY,
        SELU,
        RELU_BATCH_NORM,
    ),
]

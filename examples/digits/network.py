"""The classifier of the ELU paper, section 4.1: eight hidden layers of 128 units."""

from typing import Literal, NamedTuple

import torch
import torch_elu
from torch import Tensor, nn

from .data import NUM_CLASSES, NUM_PIXELS

NUM_HIDDEN_LAYERS = 8
WIDTH = 128
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "ReLU": nn.ReLU,
    "ELU": torch_elu.ELU,
    "SELU": torch_elu.SELU,
}


class Architecture(NamedTuple):
    """An activation, with or without batch normalisation before it."""

    activation: str
    batch_norm: bool = False

    def __str__(self) -> str:
        return f"{self.activation} + batch norm" if self.batch_norm else self.activation


ARCHITECTURES = [
    Architecture(activation, batch_norm)
    for activation in ACTIVATIONS
    for batch_norm in (False, True)
]


class LayerStatistics(NamedTuple):
    """Mean and variance of the activations of each hidden layer, over its units and all images."""

    mean: list[float]
    variance: list[float]


def build_network(architecture: Architecture, seed: int) -> nn.Sequential:
    """Builds the classifier, initialised as the paper of its activation does.

    That is He et al. (arXiv:1502.01852) for ReLU and ELU, and LeCun's normal for SELU.
    """
    generator = torch.Generator().manual_seed(seed)
    gain: Literal["linear", "relu"] = "linear" if architecture.activation == "SELU" else "relu"
    layers: list[nn.Module] = []
    width = NUM_PIXELS
    for _ in range(NUM_HIDDEN_LAYERS):
        layers.append(nn.Linear(width, WIDTH))
        if architecture.batch_norm:
            layers.append(nn.BatchNorm1d(WIDTH))
        layers.append(ACTIVATIONS[architecture.activation]())
        width = WIDTH
    layers.append(nn.Linear(width, NUM_CLASSES))

    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity=gain, generator=generator)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


@torch.no_grad()
def layer_statistics(network: nn.Sequential, images: Tensor) -> LayerStatistics:
    """Measures the output of each activation in evaluation mode."""
    network.eval()
    statistics = LayerStatistics([], [])
    output = images
    for layer in network:
        output = layer(output)
        if isinstance(layer, tuple(ACTIVATIONS.values())):
            statistics.mean.append(output.mean().item())
            statistics.variance.append(output.var().item())
    return statistics


@torch.no_grad()
def accuracy(network: nn.Sequential, images: Tensor, labels: Tensor) -> float:
    """The share of images that the network, in evaluation mode, classifies as labelled."""
    network.eval()
    correct = network(images).argmax(dim=1) == labels
    return float(correct.float().mean())

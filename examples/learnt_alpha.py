"""The classifier of the demo with an alpha that each layer learns: which, and whether it helps."""

from __future__ import annotations

import argparse
import statistics
import sys

try:
    import torch
    import torch_elu
    from torch import nn
    from tqdm import tqdm

    from examples.digits.data import load_digits
    from examples.digits.network import Architecture, accuracy, build_network
    from examples.digits.training import train
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is missing from {sys.executable}: run `make build`")

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "ELU": torch_elu.ELU,
    "ParametricELU": torch_elu.ParametricELU,
    "ParametricCELU": torch_elu.ParametricCELU,
    "PELU": torch_elu.PELU,
}


def with_activation(network: nn.Sequential, make: type[nn.Module]) -> nn.Sequential:
    """The same weights, with another activation behind each hidden layer."""
    return nn.Sequential(
        *(make() if isinstance(layer, torch_elu.ELU) else layer for layer in network)
    )


def learnt(network: nn.Sequential) -> list[str]:
    """The parameters of each activation, first to last layer."""
    return [
        "/".join(f"{parameter.item():.2f}" for parameter in layer.parameters())
        for layer in network
        if isinstance(layer, tuple(ACTIVATIONS.values())) and list(layer.parameters())
    ]


def main() -> None:
    """Trains each network from some seeds and prints accuracies and what was learnt."""
    parser = argparse.ArgumentParser(prog="python -m examples.learnt_alpha", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seeds and few epochs")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()
    seeds, epochs = (2, 3) if arguments.quick else (arguments.seeds, arguments.epochs)
    torch.set_num_threads(1)

    jobs = [(name, seed) for name in ACTIVATIONS for seed in range(seeds)]
    losses: dict[str, list[float]] = {name: [] for name in ACTIVATIONS}
    right: dict[str, list[float]] = {name: [] for name in ACTIVATIONS}
    parameters: dict[str, list[str]] = {}
    for name, seed in tqdm(jobs, unit="network"):
        digits = load_digits(seed)
        network = with_activation(build_network(Architecture("ELU"), seed), ACTIVATIONS[name])
        losses[name].append(list(train(network, digits, epochs, seed))[-1])
        right[name].append(100 * accuracy(network, digits.test_images, digits.test_labels))
        if seed == 0:
            parameters[name] = learnt(network)

    for name in ACTIVATIONS:
        error = statistics.stdev(right[name]) / len(right[name]) ** 0.5
        print(
            f"{name:15} {statistics.mean(right[name]):.2f} +- {error:.2f} % right of the test "
            f"images, training loss {statistics.mean(losses[name]):.4f}"
        )
    for name, of_layers in parameters.items():
        if of_layers:
            kind = "a/b" if name == "PELU" else "alpha"
            print(f"{name}, seed 0, {kind} of each layer: {' '.join(of_layers)}")


if __name__ == "__main__":
    main()

"""Results of 32 MiB and more, each in new memory, and a ConvNet whose feature maps are as large.

    python -m benchmarks.large_results

One run of each contender in turn; what counts is the fastest. TORCH_ELU_HUGE_PAGES=0 and the C
library's and PyTorch's own variables show what else there is: docs/performance.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
import torch_elu
from torch import nn
from torch.nn import functional

from . import record
from .tables import format_table
from .timing import fastest

ROUNDS = 10
NONE, PYTORCH, OURS = "none", "F.elu", "torch_elu"


def operators(mebibytes: int) -> list[list[str]]:
    """Forward and backward of so many MiB of float32."""
    x, grad = torch.randn(mebibytes << 18), torch.ones(mebibytes << 18)
    ours, theirs = torch.ops.torch_elu.elu_backward, torch.ops.aten.elu_backward
    forward = fastest({PYTORCH: lambda: functional.elu(x), OURS: lambda: torch_elu.elu(x)}, ROUNDS)
    backward = fastest(
        {
            PYTORCH: lambda: theirs(grad, 1, 1, 1, False, x),
            OURS: lambda: ours(grad, 1, 1, 1, False, x),
        },
        ROUNDS,
    )
    return [
        row(f"{mebibytes} MiB, {name}", times)
        for name, times in (("forward", forward), ("backward", backward))
    ]


def row(name: str, times: dict[str, float]) -> list[str]:
    """Milliseconds; empty where there is no contender."""
    return [name, *(f"{times[of]:.4g}" if of in times else "" for of in (NONE, PYTORCH, OURS))]


def training_step(activation: Callable[[], nn.Module]) -> Callable[[], object]:
    """Of four convolutions of 32 channels, each with a batch norm and the activation."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for channels in (3, 32, 32, 32):
        layers += [nn.Conv2d(channels, 32, 3, padding=1), nn.BatchNorm2d(32), activation()]
    network = nn.Sequential(*layers)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    x = torch.randn(16, 3, 128, 128)

    def step() -> None:
        optimizer.zero_grad()
        network(x).square().mean().backward()
        optimizer.step()

    return step


def network() -> list[str]:
    """The network's training step."""
    activations = {NONE: nn.Identity, PYTORCH: nn.ELU, OURS: torch_elu.ELU}
    return row(
        "ConvNet, training",
        fastest(
            {name: training_step(activation) for name, activation in activations.items()}, ROUNDS
        ),
    )


def main() -> None:
    """Measures on one thread and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_results", description=__doc__)
    record.add_option(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [*(row for mebibytes in (32, 64, 256) for row in operators(mebibytes)), network()]
    header = ["milliseconds", NONE, PYTORCH, OURS]
    print(format_table(header, rows))
    record.save(arguments.json, "Large tensors", "performance.md#large-tensors", header, rows)


if __name__ == "__main__":
    main()

"""The training step of a legged robot's policy."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

# As in rsl_rl: what the robot senses, three hidden layers, its joints.
WIDTHS = [48, 512, 256, 128, 12]


class Trainer:
    """The network, its optimiser and one batch."""

    def __init__(
        self, activation: Callable[[], nn.Module], batch: int, device: str = "cpu"
    ) -> None:
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(WIDTHS):
            layers += [nn.Linear(inputs, outputs), activation()]
        self.network = nn.Sequential(*layers[:-1]).to(device)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=1e-3)
        self.input = torch.randn(batch, WIDTHS[0], device=device)
        self.target = torch.randn(batch, WIDTHS[-1], device=device)

    def step(self) -> None:
        """Forward, backward and update."""
        self.optimizer.zero_grad()
        functional.mse_loss(self.network(self.input), self.target).backward()
        self.optimizer.step()

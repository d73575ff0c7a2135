"""Results of 32 MiB and more, each in new memory, and a ConvNet whose feature maps are as large.

    python -m benchmarks.large_results

One run of each contender in turn; what counts is the fastest. TORCH_ELU_HUGE_PAGES=0 and the C
library's and PyTorch's own variables show what else there is: docs/performance.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
import torch_elu
from torch import nn
from torch.nn import functional

ROUNDS = 10


def fastest(contenders: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Milliseconds of the fastest run of each, of ROUNDS in turn."""
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], (time.perf_counter() - start) * 1e3)
    return best


def print_operators(mebibytes: int) -> None:
    """Forward and backward of so many MiB of float32."""
    x, grad = torch.randn(mebibytes << 18), torch.ones(mebibytes << 18)
    ours, theirs = torch.ops.torch_elu.elu_backward, torch.ops.aten.elu_backward
    forward = fastest({"F.elu": lambda: functional.elu(x), "ours": lambda: torch_elu.elu(x)})
    backward = fastest(
        {
            "F.elu": lambda: theirs(grad, 1, 1, 1, False, x),
            "ours": lambda: ours(grad, 1, 1, 1, False, x),
        }
    )
    for name, of in (("forward", forward), ("backward", backward)):
        print(f"{mebibytes:3} MiB {name:9}", end="")
        print(f"F.elu {of['F.elu']:7.1f} ms, ours {of['ours']:7.1f} ms", end="")
        print(f" ({of['ours'] / of['F.elu']:.2f})", flush=True)


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


def print_network() -> None:
    """What the activations add to the network's training step."""
    of = fastest(
        {
            "none": training_step(nn.Identity),
            "F.elu": training_step(nn.ELU),
            "ours": training_step(torch_elu.ELU),
        }
    )
    part = (of["ours"] - of["none"]) / (of["F.elu"] - of["none"])
    print(
        "ConvNet", *(f"{name} {milliseconds:.0f} ms," for name, milliseconds in of.items()), end=""
    )
    print(f" (ours - none) / (F.elu - none) {part:.2f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for size in (32, 64, 256):
        print_operators(size)
    print_network()

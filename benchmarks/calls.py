"""Cases in which a call costs more than its elements, and the training step of a small network."""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import pairwise

import torch
import torch_elu
from torch import nn
from torch.nn import functional

from .elementwise import COMPILED, OURS, PYTORCH, make_input
from .timing import Case, Contender
from .torchscript import repeat_ours, repeat_pytorch, repeat_relu, scripted

FEW = 16
REPEATS = 1000
# The policy of a legged robot, as in rsl_rl: what it senses, three hidden layers, its joints.
WIDTHS = [48, 512, 256, 128, 12]
BATCH = 256


def python_contenders(statement: str, requires_grad: bool) -> list[Contender]:
    """A statement with `elu`, for both functions."""
    x = make_input(torch.float32, FEW).requires_grad_(requires_grad)
    names: dict[str, object] = {"x": x, "grad": torch.ones(FEW)}
    return [
        Contender(OURS, statement, {**names, "elu": torch_elu.elu}),
        Contender(PYTORCH, statement, {**names, "elu": functional.elu}),
    ]


def module_contenders() -> list[Contender]:
    """Both modules called without gradients."""
    x = make_input(torch.float32, FEW)
    return [
        Contender(name, "module(x)", {"module": module, "x": x})
        for name, module in ((OURS, torch_elu.ELU()), (PYTORCH, nn.ELU()))
    ]


def torchscript_contenders() -> list[Contender]:
    """One elu of a batch of 1 x 32, in a loop inside TorchScript."""
    x = make_input(torch.float32, 32).view(1, 32)
    loops = {OURS: repeat_ours, PYTORCH: repeat_pytorch, "relu": repeat_relu}
    return [
        Contender(name, f"loop(x, {REPEATS})", {"loop": scripted(loop), "x": x})
        for name, loop in loops.items()
    ]


class Trainer:
    """A network, its optimiser and one batch."""

    def __init__(self, activation: Callable[[], nn.Module], compiled: bool = False) -> None:
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(WIDTHS):
            layers += [nn.Linear(inputs, outputs), activation()]
        self.network = nn.Sequential(*layers[:-1])
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=1e-3)
        self.input, self.target = torch.randn(BATCH, WIDTHS[0]), torch.randn(BATCH, WIDTHS[-1])
        self.predict = torch.compile(self.network) if compiled else self.network

    def step(self) -> None:
        """Forward, backward and update."""
        self.optimizer.zero_grad()
        functional.mse_loss(self.predict(self.input), self.target).backward()
        self.optimizer.step()


@functools.cache
def trainer(name: str) -> Trainer:
    """The contenders of the training step; ReLU as the limit."""
    if name == COMPILED:
        return Trainer(nn.ELU, compiled=True)
    activations: dict[str, Callable[[], nn.Module]] = {
        OURS: torch_elu.ELU,
        f"{OURS}, save output": lambda: torch_elu.ELU(save="output"),
        PYTORCH: nn.ELU,
        "relu": nn.ReLU,
    }
    return Trainer(activations[name])


def training_contenders(compiled: bool) -> list[Contender]:
    """The whole step, compiled or not."""
    names = [OURS, f"{OURS}, save output", PYTORCH, *([COMPILED] if compiled else []), "relu"]
    return [Contender(name, "step()", {"step": trainer(name).step}) for name in names]


def call_cases() -> list[Case]:
    """Python's overhead, then TorchScript's."""
    elements = f"{FEW} elements"
    builds: dict[str, Callable[[], list[Contender]]] = {
        "no grad": lambda: python_contenders("elu(x)", False),
        "with grad": lambda: python_contenders("elu(x)", True),
        "forward + backward": lambda: python_contenders("elu(x).backward(grad)", True),
        "module call": module_contenders,
    }
    python = [
        Case("call", f"{elements}, {name}", build, "ns per call") for name, build in builds.items()
    ]
    script = Case("TorchScript", "1 x 32", torchscript_contenders, "ns per call", REPEATS)
    return [*python, script]


def training_case(compiled: bool) -> Case:
    """A step of a policy network."""
    widths = "-".join(map(str, WIDTHS))
    build = functools.partial(training_contenders, compiled)
    return Case("training step", f"{widths}, batch {BATCH}", build, "us per step", 1000)

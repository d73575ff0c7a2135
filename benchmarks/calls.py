"""Cases in which a call costs more than its elements, and the training step of a small network."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
import torch_elu
from torch import nn
from torch.nn import functional
from torch_elu.doctor.timing import Contender

from .elementwise import COMPILED, OURS, PYTORCH, make_input
from .policy import WIDTHS, Trainer
from .timing import Case
from .torchscript import repeat_ours, repeat_pytorch, repeat_relu, scripted

FEW = 16
REPEATS = 1000
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


@functools.cache
def trainer(name: str) -> Trainer:
    """The contenders of the training step; ReLU as the limit."""
    if name == COMPILED:
        compiled = Trainer(nn.ELU, BATCH)
        compiled.network.compile()
        return compiled
    activations: dict[str, Callable[[], nn.Module]] = {
        OURS: torch_elu.ELU,
        f"{OURS}, save output": lambda: torch_elu.ELU(save="output"),
        PYTORCH: nn.ELU,
        "relu": nn.ReLU,
    }
    return Trainer(activations[name], BATCH)


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

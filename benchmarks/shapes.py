"""The activations of the networks in examples/, called from Python as they are there."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
import torch_elu
from torch import Tensor
from torch.nn import functional
from torch_elu.doctor.timing import Contender

from .elementwise import OURS, PYTORCH, make_input
from .timing import Case

# What the ELU sees. Linear attention has elu(x) + 1.
SHAPES = {
    "legged robot, control loop": (1, 512),
    "legged robot, minibatch of PPO": (24_576, 512),
    "audio encoder, first": (1, 32, 24_000),
    "audio encoder, last": (1, 512, 75),
    "EEGNet": (16, 8, 1, 128),
    "graph attention": (2708, 64),
    "linear attention": (1, 4800, 8, 32),
}


def sum_plus_one(x: Tensor) -> Tensor:
    """The feature map as PyTorch has it."""
    return functional.elu(x) + 1


def functions(what: str) -> dict[str, Callable[[Tensor], Tensor]]:
    """Ours and PyTorch's."""
    if what == "linear attention":
        return {OURS: torch_elu.elu_plus_one, PYTORCH: sum_plus_one}
    return {OURS: torch_elu.elu, PYTORCH: functional.elu}


def contenders(what: str, trains: bool) -> list[Contender]:
    """Forward alone or with its backward, each result in new memory."""
    x = make_input(torch.float32, math.prod(SHAPES[what])).view(SHAPES[what])
    names: dict[str, object] = {"x": x.requires_grad_(trains), "grad": torch.ones_like(x)}
    statement = "f(x).backward(grad)" if trains else "f(x)"
    return [
        Contender(name, statement, {**names, "f": function})
        for name, function in functions(what).items()
    ]


def shape_cases(quick: bool) -> list[Case]:
    """A row for each shape, forward and with backward; the large one is left out if quick."""
    return [
        Case(
            "shapes",
            f"{what} {' x '.join(map(str, shape))}{', with backward' * trains}",
            functools.partial(contenders, what, trains),
            "us per call",
            1000,
        )
        for what, shape in SHAPES.items()
        for trains in (False, True)
        if not quick or math.prod(shape) < 1 << 20
    ]

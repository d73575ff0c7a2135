"""Cases in which torch.compile fuses elu with its neighbours."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from types import FunctionType

import torch
import torch_elu
from torch import Tensor, nn
from torch.nn import functional
from torch_elu.doctor.timing import Contender

from .elementwise import OURS, PYTORCH, make_input, size_name
from .models import MODELS
from .policy import WIDTHS, Trainer
from .timing import Case

SIZES = [16, 256, 4096, 1 << 16, 1 << 20, 1 << 24]
BATCH = 4096
NO_ACTIVATION = "no activation"
CONTROL = "F.elu again"
COMPILED_MODELS = ["EnCodec's encoder, 1 s", "EEGNet, batch 16", "MONAI's UNet, batch 4"]
STEP = f"training step {'-'.join(map(str, WIDTHS))}, batch {BATCH}"


def chain_name(numel: int, alpha: float) -> str:
    """Of the case."""
    return f"elu(x * 2 + 1, {alpha}) * 0.5, {size_name(numel)}"


@functools.cache
def chain(name: str, alpha: float, numel: int) -> Callable[[Tensor], Tensor]:
    """A function with code and a name of its own."""
    # torch.compile tries in turn what it made of one code, and makes dynamic code of one name that
    # met several sizes. (dynamic=False prevents that as well, but costs 4 us a call.)

    def ours(x: Tensor) -> Tensor:
        return torch_elu.elu(x * 2 + 1, alpha) * 0.5

    def pytorchs(x: Tensor) -> Tensor:
        return functional.elu(x * 2 + 1, alpha) * 0.5

    def relu(x: Tensor) -> Tensor:
        return torch.relu(x * 2 + 1) * 0.5

    chained = {OURS: ours, PYTORCH: pytorchs, "relu": relu}[name]
    code = chained.__code__.replace(co_name=f"{chained.__name__}_{alpha}_{numel}")
    own = FunctionType(code, globals(), closure=chained.__closure__)
    return torch.compile(own)


def chain_contenders(numel: int, alpha: float) -> list[Contender]:
    """The chain with the activation of each, as inference runs it; ReLU as the limit."""
    x = make_input(torch.float32, numel)
    calls = 10 if numel <= 1 << 16 else 1
    contenders = []
    for name in (OURS, PYTORCH, "relu"):
        run = torch.inference_mode()(functools.partial(repeat, chain(name, alpha, numel), calls))
        contenders.append(Contender(name, "run(x)", {"run": run, "x": x}, repeats=calls))
    return contenders


def repeat(function: Callable[[Tensor], Tensor], times: int, x: Tensor) -> None:
    """Calls the function so many times."""
    for _ in range(times):
        function(x)


def step_contenders() -> list[Contender]:
    """The training step of a policy network."""
    activations = {OURS: torch_elu.ELU, PYTORCH: nn.ELU, NO_ACTIVATION: nn.Identity}
    contenders = []
    for name, activation in activations.items():
        trainer = Trainer(activation, BATCH)
        trainer.network.compile()
        contenders.append(Contender(name, "step()", {"step": trainer.step}))
    return contenders


@functools.cache
def built(name: str) -> tuple[nn.Module, Tensor] | None:
    """The model and its input; nothing where its package is missing (make models-packages)."""
    try:
        return MODELS[name]()
    except ImportError:
        return None


def model_contenders(name: str) -> list[Contender]:
    """Inference of another package's model; a second one with F.elu shows the noise."""
    model_and_input = built(name)
    assert model_and_input is not None
    model, x = model_and_input
    contenders = []
    for contender in (OURS, PYTORCH, CONTROL):
        copied = copy.deepcopy(model).eval()
        network = torch_elu.convert(copied) if contender == OURS else copied
        network.compile()
        run = torch.inference_mode()(network)
        contenders.append(Contender(contender, "run(x)", {"run": run, "x": x}))
    return contenders


def compiled_cases(quick: bool) -> list[Case]:
    """The chain by size, the training step, and models of other packages that are installed."""
    cases = [
        Case(
            "compiled",
            chain_name(numel, alpha),
            functools.partial(chain_contenders, numel, alpha),
            "us per call",
            1000,
        )
        for alpha in (1.0, 0.3)
        for numel in (SIZES[:2] if quick else SIZES)
    ]
    if not quick:
        cases.append(Case("compiled", STEP, step_contenders, "us per call", 1000))
        cases += [
            Case("compiled", name, functools.partial(model_contenders, name), "us per call", 1000)
            for name in COMPILED_MODELS
            if built(name) is not None
        ]
    return cases

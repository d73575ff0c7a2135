"""Models of other packages with PyTorch's ELU and with ours, in turn.

    python -m benchmarks.models

A model whose package is not installed is left out, and said so; `make models` installs them.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import json
import re
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from types import ModuleType

import torch
import torch_elu
from torch import Tensor, nn
from torch_elu.doctor.timing import ENDLESS, Contender, Timed, time_in_turn
from tqdm import tqdm

from .machine import describe
from .tables import format_table
from .timing import Pinned

PYTORCH, OURS = "PyTorch's", "torch_elu's"
Run = Callable[[], object]
BLOCK_SECONDS = 0.02


def package(module: str) -> ModuleType:
    """Imports it without its warnings."""
    version = torch.version.cuda
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(module)
        except RuntimeError as error:
            # torchaudio refuses a PyTorch built for another CUDA than it, and says both versions.
            versions = re.findall(r"CUDA version (\d+\.\d+)", str(error))
            if len(versions) != 2:
                raise
            torch.version.cuda = versions[1]
            return importlib.import_module(module)
        finally:
            torch.version.cuda = version


def timed(name: str, run: Run, before_block: Run = lambda: None) -> Timed:
    """By the wall clock: more than one thread may be at work."""
    return Timed(Contender(name, "run()", {"run": run}), before_block=before_block)


def converted_too(model: nn.Module, x: Tensor) -> list[Timed]:
    """Forward where the model is set to evaluate, forward and backward where it is set to train."""

    def make(model: nn.Module) -> Run:
        if model.training:
            return lambda: model(x).square().mean().backward()
        return torch.inference_mode()(lambda: model(x))

    return [
        timed(PYTORCH, make(model)),
        timed(OURS, make(torch_elu.convert(copy.deepcopy(model)))),
    ]


def policy(batch: int, trains: bool) -> list[Timed]:
    """What rsl-rl-lib makes of the actor of a legged robot."""
    model = package("rsl_rl.modules").MLP(48, 12, [512, 256, 128], "elu").train(trains)
    return converted_too(model, torch.randn(batch, 48))


def encodec() -> list[Timed]:
    """The encoder, random weights, one second of sound."""
    transformers = package("transformers")
    model = transformers.EncodecModel(transformers.EncodecConfig()).eval()
    return converted_too(model.encoder, torch.randn(1, 1, 24_000))


def eegnet(batch: int, trains: bool) -> list[Timed]:
    """22 electrodes, 4 seconds at 250 Hz."""
    package("torchaudio")  # which braindecode imports
    models = package("braindecode.models")
    model = models.EEGNet(n_chans=22, n_outputs=4, n_times=1000).train(trains)
    return converted_too(model, torch.randn(batch, 22, 1000))


def graph_attention() -> list[Timed]:
    """Two layers as in arXiv:1710.10903, section 3.3, on a graph of Cora's size; override_aten."""
    layers = package("torch_geometric.nn")
    first, second = layers.GATConv(1433, 8, heads=8).eval(), layers.GATConv(64, 7).eval()
    x, edges = torch.randn(2708, 1433), torch.randint(2708, (2, 10_556))
    overrides: list[torch_elu.override_aten] = []

    @torch.inference_mode()
    def run() -> Tensor:
        result: Tensor = second(nn.functional.elu(first(x, edges)), edges)
        return result

    def leave() -> None:
        while overrides:
            overrides.pop().remove()

    def enter() -> None:
        leave()
        overrides.append(torch_elu.override_aten())

    return [timed(PYTORCH, run, leave), timed(OURS, run, enter)]


MODELS: dict[str, Callable[[], list[Timed]]] = {
    "rsl-rl-lib's policy, batch 1": partial(policy, 1, trains=False),
    "rsl-rl-lib's policy, batch 4096, training": partial(policy, 4096, trains=True),
    "EnCodec's encoder, 1 s": encodec,
    "EEGNet, batch 1": partial(eegnet, 1, trains=False),
    "EEGNet, batch 1, training": partial(eegnet, 1, trains=True),
    "EEGNet, batch 16": partial(eegnet, 16, trains=False),
    "EEGNet, batch 16, training": partial(eegnet, 16, trains=True),
    "GAT under override_aten": graph_attention,
}


def measure(seconds: float) -> dict[str, dict[str, list[float]]]:
    """Seconds of each model with each ELU, as many blocks in turn as fit into the time."""
    results = {}
    for name, build in (progress := tqdm(MODELS.items(), unit="model")):
        progress.set_postfix_str(name)
        torch.manual_seed(20151123)
        try:
            contenders = build()
        except ImportError as error:
            progress.write(f"left out: {name}: {error}")
            continue
        results[name] = time_in_turn(contenders, ENDLESS, BLOCK_SECONDS, seconds)
        contenders[0].before_block()  # PyTorch's kernels are to be back
    return results


def row(name: str, times: dict[str, list[float]]) -> list[str]:
    """The shortest times, in milliseconds, and how many times as fast ours is by them and by the
    medians.
    """
    pytorch, ours = times[PYTORCH], times[OURS]
    speedups = (of(pytorch) / of(ours) for of in (min, median))
    return [
        name,
        *(f"{min(t) * 1e3:.3f}" for t in (pytorch, ours)),
        *(f"{s:.3f}" for s in speedups),
    ]


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/models"), metavar="DIRECTORY")
    parser.add_argument("--seconds", type=float, default=10, help="for a model (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="(%(default)s)")
    arguments = parser.parse_args()
    pinned = Pinned()
    pinned.use(arguments.threads)
    machine = {**describe(pinned), "threads": str(arguments.threads)}
    results = measure(arguments.seconds)
    header = ["ms", PYTORCH, OURS, "speedup", "of medians"]
    table = format_table(header, [row(name, times) for name, times in results.items()])
    print("\n".join(f"{key}: {value}" for key, value in machine.items()), table, sep="\n\n")
    arguments.output.mkdir(parents=True, exist_ok=True)
    document = json.dumps({"machine": machine, "seconds": results}, indent=1)
    (arguments.output / "models.json").write_text(document + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

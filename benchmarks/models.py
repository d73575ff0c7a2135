"""Models of other packages without an activation, with PyTorch's ELU and with ours, in turn.

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
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import torch
import torch_elu
from torch import Tensor, nn
from torch_elu.doctor.timing import ENDLESS, Contender, Timed, time_in_turn
from tqdm import tqdm

from . import record
from .machine import describe
from .tables import format_table
from .timing import Pinned

NONE, PYTORCH, OURS = "none", "F.elu", "torch_elu"
OUTPUT = 'torch_elu, save="output"'
Run = Callable[[], object]
Built = tuple[nn.Module, Tensor]
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


def without_activations(model: nn.Module) -> nn.Module:
    """The same with nn.Identity in place of each activation."""
    for module in model.modules():
        for name, child in module.named_children():
            if type(child) in (nn.ELU, nn.SELU, nn.CELU):
                setattr(module, name, nn.Identity())
    return model


def of_modules(
    trains: bool, model: nn.Module, x: Tensor, saves_output: bool = False
) -> list[Timed]:
    """Forward, or forward and backward: without activations, with PyTorch's, with ours, and with
    ours that save the output.
    """
    model.train(trains)

    def make(model: nn.Module) -> Run:
        def run() -> Tensor:
            result = model(x)
            return result if isinstance(result, Tensor) else result[0]

        return (lambda: run().square().mean().backward()) if trains else torch.inference_mode()(run)

    contenders = [
        timed(NONE, make(without_activations(copy.deepcopy(model)))),
        timed(PYTORCH, make(model)),
        timed(OURS, make(torch_elu.convert(copy.deepcopy(model)))),
    ]
    if saves_output:
        converted = torch_elu.convert(copy.deepcopy(model), save="output")
        contenders.append(timed(OUTPUT, make(converted)))
    return contenders


def mlp(widths: list[int]) -> nn.Sequential:
    """Linear layers with an ELU after each but the last."""
    pairs = pairwise(widths)
    layers = [layer for pair in pairs for layer in (nn.Linear(*pair), nn.ELU())]
    return nn.Sequential(*layers[:-1])


def rsl_rl(batch: int) -> Built:
    """What rsl-rl-lib makes of the actor of a legged robot."""
    model = package("rsl_rl.modules").MLP(48, 12, [512, 256, 128], "elu")
    return model, torch.randn(batch, 48)


def stable_baselines() -> Built:
    """The extractor of PPO's policy and value networks with nn.ELU, of its default width."""
    extractor = package("stable_baselines3.common.torch_layers").MlpExtractor(48, [64, 64], nn.ELU)
    return extractor.policy_net, torch.randn(256, 48)


def four_layers() -> Built:
    """Four hidden layers of 400, as in Dreamer."""
    return mlp([230, 400, 400, 400, 400, 1]), torch.randn(256, 230)


def codec(kind: str) -> Built:
    """The encoder, random weights, one second of sound."""
    transformers = package("transformers")
    model = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")())
    return model.encoder, torch.randn(1, 1, 24_000)


def braindecode(name: str, batch: int) -> Built:
    """22 electrodes, 4 seconds at 250 Hz."""
    package("torchaudio")  # which braindecode imports
    model = getattr(package("braindecode.models"), name)(n_chans=22, n_outputs=4, n_times=1000)
    return model, torch.randn(batch, 22, 1000)


def monai_unet() -> Built:
    """Two dimensions, two residual units a level, ELU in place of PReLU."""
    model = package("monai.networks.nets").UNet(
        2, 1, 2, channels=(16, 32, 64, 128), strides=(2, 2, 2), num_res_units=2, act="ELU"
    )
    return model, torch.randn(4, 1, 128, 128)


def efficientnet() -> Built:
    """efficientnet_b0 with CELU for SiLU."""
    model = package("timm").create_model("efficientnet_b0", act_layer=nn.CELU)
    return model, torch.randn(4, 3, 224, 224)


def graph_attention(trains: bool) -> list[Timed]:
    """Two layers as in arXiv:1710.10903, section 3.3, on a graph of Cora's size; override_aten."""
    layers = package("torch_geometric.nn")
    first, second = layers.GATConv(1433, 8, heads=8), layers.GATConv(64, 7)
    x, edges = torch.randn(2708, 1433), torch.randint(2708, (2, 10_556))
    overrides: list[torch_elu.override_aten] = []

    def make(activation: Callable[[Tensor], Tensor]) -> Run:
        def run() -> Tensor:
            result: Tensor = second(activation(first(x, edges)), edges)
            return result

        return (lambda: run().square().mean().backward()) if trains else torch.inference_mode()(run)

    def leave() -> None:
        while overrides:
            overrides.pop().remove()

    def enter() -> None:
        leave()
        overrides.append(torch_elu.override_aten())

    return [
        timed(NONE, make(lambda x: x), leave),
        timed(PYTORCH, make(nn.functional.elu), leave),
        timed(OURS, make(nn.functional.elu), enter),
    ]


MODELS: dict[str, Callable[[], Built]] = {
    "rsl-rl-lib's policy, batch 1": partial(rsl_rl, 1),
    "rsl-rl-lib's policy, batch 4096": partial(rsl_rl, 4096),
    "stable-baselines3's policy, batch 256": stable_baselines,
    "MLP 4 x 400, batch 256": four_layers,
    "EnCodec's encoder, 1 s": partial(codec, "Encodec"),
    "Mimi's encoder, 1 s": partial(codec, "Mimi"),
    "EEGNet, batch 16": partial(braindecode, "EEGNet", 16),
    "EEGTCNet, batch 16": partial(braindecode, "EEGTCNet", 16),
    "MONAI's UNet, batch 4": monai_unet,
    "efficientnet_b0 with CELU, batch 4": efficientnet,
}


def contenders_by_name(saves_output: bool) -> dict[str, Callable[[bool], list[Timed]]]:
    """Those of each model; GAT calls functions, so it has no modules to replace."""

    def of(build: Callable[[], Built]) -> Callable[[bool], list[Timed]]:
        return lambda trains: of_modules(trains, *build(), trains and saves_output)

    return {name: of(build) for name, build in MODELS.items()} | {
        "GAT under override_aten": graph_attention
    }


def measure(seconds: float, only: str, saves_output: bool) -> dict[str, dict[str, list[float]]]:
    """Seconds of each model with each activation, as many blocks in turn as fit into the time."""
    results = {}
    for name, contenders_of in (
        progress := tqdm(contenders_by_name(saves_output).items(), unit="model")
    ):
        if only not in name:
            continue
        progress.set_postfix_str(name)
        for trains in (False, True):
            torch.manual_seed(20151123)
            try:
                contenders = contenders_of(trains)
            except ImportError as error:
                progress.write(f"left out: {name}: {error}")
                break
            key = f"{name}, training" if trains else name
            results[key] = time_in_turn(contenders, ENDLESS, BLOCK_SECONDS, seconds)
            contenders[0].before_block()  # PyTorch's kernels are to be back
    return results


def row(name: str, times: dict[str, list[float]]) -> list[str]:
    """The shortest times in milliseconds, what each activation adds to none, and how much of what
    F.elu adds ours saves: nothing where F.elu adds less than 1 %. At last save="output" over
    save="input", where it was measured.
    """
    none, pytorch, ours = (min(times[of]) for of in (NONE, PYTORCH, OURS))
    saved = f"{(pytorch - ours) / (pytorch - none):.0%}" if pytorch > 1.01 * none else ""
    return [
        name,
        *(f"{t * 1e3:.3f}" for t in (none, pytorch, ours)),
        *(f"{t / none - 1:.1%}" for t in (pytorch, ours)),
        saved,
        f"{min(times[OUTPUT]) / ours:.3f}" if OUTPUT in times else "",
    ]


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/models"), metavar="DIRECTORY")
    parser.add_argument("--seconds", type=float, default=10, help="for a row (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--only", default="", metavar="TEXT", help="models whose name has this")
    parser.add_argument(
        "--save-output", action="store_true", help='training with save="output", too'
    )
    record.add_option(parser)
    arguments = parser.parse_args()
    pinned = Pinned()
    pinned.use(arguments.threads)
    machine = {**describe(pinned), "threads": str(arguments.threads)}
    results = measure(arguments.seconds, arguments.only, arguments.save_output)
    header = ["ms", NONE, PYTORCH, OURS, "F.elu adds", "torch_elu adds", "saved", "output / input"]
    rows = [row(name, times) for name, times in results.items()]
    table = format_table(header, rows)
    print("\n".join(f"{key}: {value}" for key, value in machine.items()), table, sep="\n\n")
    record.save(arguments.json, "Whole models", "performance.md#whole-models", header, rows)
    arguments.output.mkdir(parents=True, exist_ok=True)
    document = json.dumps({"machine": machine, "seconds": results}, indent=1)
    (arguments.output / "models.json").write_text(document + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

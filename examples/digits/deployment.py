"""Takes the ELU network to C++: exports it, as TorchScript and compiled, and builds the apps."""

import os
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch_elu
from torch import nn

from .data import Digits

SOURCE = Path(__file__).parents[1] / "cpp"


def export(network: nn.Sequential, digits: Digits, directory: Path) -> tuple[Path, Path]:
    """Writes the network as TorchScript, and the digits with Python's logits for the C++ apps."""
    network.eval()
    with warnings.catch_warnings():
        # PyTorch prefers torch.export by now: see compile_package.
        warnings.filterwarnings("ignore", "`torch.jit")
        script = torch.jit.script(network)
        model_path = directory / "elu.pt"
        torch.jit.save(script, model_path)
    operators = str(script.inlined_graph).count("torch_elu::elu(")
    report(model_path, "TorchScript", operators)
    with torch.no_grad():
        logits = network(digits.test_images)
    digits_path = directory / "digits.pt"
    torch.save({**digits._asdict(), "logits": logits}, digits_path)
    return model_path, digits_path


def compile_package(network: nn.Sequential, digits: Digits, directory: Path) -> Path:
    """Compiles the network ahead of time, for any number of images; this takes a C++ compiler."""
    network.eval()
    any_number = ({0: torch.export.Dim.DYNAMIC},)
    program = torch.export.export(network, (digits.test_images,), dynamic_shapes=any_number)
    package_path = directory / "elu.pt2"
    with torch.no_grad():
        torch._inductor.aoti_compile_and_package(program, package_path=str(package_path))
    targets = [node.target for node in program.graph.nodes]
    report(package_path, "compiled ahead of time", targets.count(torch.ops.torch_elu.elu.default))
    return package_path


def report(path: Path, form: str, operators: int) -> None:
    """Says what was written; a network that lost its operators would show nothing of them."""
    if operators == 0:
        raise RuntimeError(f"{path} does not call torch_elu::elu")
    print(f"wrote {path}: {form}, with {operators} calls of torch_elu::elu", flush=True)


@contextmanager
def failures_end_the_program() -> Iterator[None]:
    """With a sentence, where a tool is missing or a command fails."""
    try:
        yield
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} not found: install it with `pip install cmake ninja`")
    except subprocess.CalledProcessError as error:
        sys.exit(str(error))


def build_apps(directory: Path, *targets: str) -> None:
    """Builds those of the programs in examples/cpp against the installed package."""
    # cmake and ninja from the package index lie next to Python, on no PATH.
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path}
    configure = [
        "cmake",
        *("-S", str(SOURCE)),
        *("-B", str(directory)),
        *("-G", "Ninja"),
        "-DCMAKE_BUILD_TYPE=Release",
        # PyTorch need not lie beside torch_elu.
        f"-DCMAKE_PREFIX_PATH={torch_elu.cmake_prefix_path};{torch.utils.cmake_prefix_path}",
    ]
    build = ["cmake", "--build", str(directory), "--target", *targets]
    for command in (configure, build):
        subprocess.run(command, env=environment, check=True)

"""Takes the ELU network to C++: exports it as TorchScript, and builds the apps that use it."""

import os
import subprocess
import sysconfig
import warnings
from pathlib import Path

import torch
import torch_elu
from torch import nn

from .data import Digits

SOURCE = Path(__file__).parents[1] / "cpp"
OPERATOR = "torch_elu::elu"


def export(network: nn.Sequential, digits: Digits, directory: Path) -> tuple[Path, Path]:
    """Writes the network as TorchScript, and the digits with Python's logits for the C++ apps."""
    network.eval()
    with warnings.catch_warnings():
        # PyTorch prefers torch.export by now, which LibTorch cannot load.
        warnings.filterwarnings("ignore", "`torch.jit")
        script = torch.jit.script(network)
        operators = str(script.inlined_graph).count(f"{OPERATOR}(")
        if operators == 0:
            raise RuntimeError(f"the exported network does not call {OPERATOR}")
        model_path = directory / "elu.pt"
        torch.jit.save(script, model_path)
    with torch.no_grad():
        logits = network(digits.test_images)
    digits_path = directory / "digits.pt"
    torch.save({**digits._asdict(), "logits": logits}, digits_path)
    print(f"wrote {model_path}: TorchScript with {operators} calls of {OPERATOR}")
    return model_path, digits_path


def build_apps(directory: Path) -> None:
    """Builds examples/cpp against the installed package."""
    # cmake and ninja from the package index lie next to Python, on no PATH.
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path}
    configure = [
        "cmake",
        *("-S", str(SOURCE)),
        *("-B", str(directory)),
        *("-G", "Ninja"),
        "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_PREFIX_PATH={torch_elu.cmake_prefix_path}",
    ]
    for command in (configure, ["cmake", "--build", str(directory)]):
        subprocess.run(command, env=environment, check=True)

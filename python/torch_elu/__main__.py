"""``python -m torch_elu``: what a bug report needs."""

from __future__ import annotations

import platform

import torch

from . import _build_info, library_path


def report() -> str:
    """Versions, what the build was made with, and what it uses on this machine, a line each."""
    if torch.cuda.is_available():
        capability = ".".join(map(str, torch.cuda.get_device_capability()))
        device = f"{torch.cuda.get_device_name()} (compute capability {capability})"
    else:
        device = "none available to PyTorch"
    if _build_info.cuda_version:
        architectures = _build_info.cuda_architectures.replace(";", ", ")
        cuda = f"built with CUDA {_build_info.cuda_version} for {architectures}"
    else:
        cuda = "not built; CUDA tensors use PyTorch's own elu"
    lines = {
        "torch_elu": torch.ops.torch_elu.version(),
        "library": library_path,
        "built with PyTorch": _build_info.torch_version,
        "built with compiler": _build_info.compiler,
        "CUDA kernels": cuda,
        "PyTorch": f"{torch.__version__} (CUDA {torch.version.cuda or 'none'})",
        "Python": platform.python_version(),
        "system": platform.platform(),
        "GPU": device,
        "CPU instruction set": torch.ops.torch_elu.cpu_capability(),
        "CPU threads": str(torch.get_num_threads()),
    }
    width = max(map(len, lines))
    return "\n".join(f"{name + ':':<{width + 1}} {value}" for name, value in lines.items())


if __name__ == "__main__":
    print(report())

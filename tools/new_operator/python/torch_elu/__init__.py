"""elu for PyTorch: a C++/CUDA operator for Python, TorchScript and LibTorch.

>>> import torch, torch_elu
>>> torch_elu.elu(torch.tensor([-1.0, 0.0, 2.0]))
tensor([-0.5000,  0.0000,  2.0000])
"""

from ._library import __version__, cmake_prefix_path, include_paths, library_path
from .functional import elu
from .modules import ELU

__all__ = [
    "ELU",
    "__version__",
    "cmake_prefix_path",
    "elu",
    "include_paths",
    "library_path",
]

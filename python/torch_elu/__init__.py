r"""ELU, SELU and CELU for PyTorch, as one C++/CUDA operator.

.. math:: f(x) = \begin{cases} scale \cdot x & x > 0 \\
          \alpha \cdot scale \cdot (e^{input\_scale \cdot x} - 1) & x \le 0 \end{cases}

Use :func:`elu`, :func:`selu`, :func:`celu` and the modules :class:`ELU`, :class:`SELU`,
:class:`CELU` like those of the same names in :mod:`torch.nn`. :func:`convert` puts them into an
existing model and :func:`revert` takes them out again. :class:`override_aten` puts this package's
kernels under PyTorch's own functions. :func:`elu_plus_one` is the feature map of linear attention,
elu(x) + 1. :class:`ParametricELU`, :class:`ParametricCELU` and :class:`PELU` learn their alpha.

TorchScript models contain the operators ``torch_elu::elu`` and ``torch_elu::elu_``. A C++ app runs
them if it links the same library: see :data:`cmake_prefix_path`.

>>> import torch, torch_elu
>>> torch_elu.elu(torch.tensor([-1.0, 0.0, 2.0]))
tensor([-0.6321,  0.0000,  2.0000])
"""

from ._library import __version__, cmake_prefix_path, include_paths, library_path
from .conversion import convert
from .functional import celu, elu, elu_plus_one, selu
from .integrations.decompositions import decompositions
from .integrations.onnx import onnx_translations
from .modules import CELU, ELU, SELU
from .override import override_aten
from .parametric import PELU, ParametricCELU, ParametricELU
from .reversion import revert

__all__ = [
    "CELU",
    "ELU",
    "PELU",
    "SELU",
    "ParametricCELU",
    "ParametricELU",
    "__version__",
    "celu",
    "cmake_prefix_path",
    "convert",
    "decompositions",
    "elu",
    "elu_plus_one",
    "include_paths",
    "library_path",
    "onnx_translations",
    "override_aten",
    "revert",
    "selu",
]

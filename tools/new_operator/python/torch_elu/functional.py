"""The operator as a function."""

from __future__ import annotations

import torch
from torch import Tensor

from . import _library  # noqa: F401  (loading the library registers the operators)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    r"""Returns x for x > 0 and alpha * x / (1 - x) below, elementwise.

    Args:
        input: A tensor of any shape and layout; float64, float32, float16 or bfloat16.
        alpha: The result tends to -alpha for x towards -infinity. Default: 1.0
        inplace: Overwrite ``input``; alpha must be > 0 if gradients are recorded. Default:
            ``False``

    >>> import torch, torch_elu
    >>> torch_elu.elu(torch.tensor([-1.0, 0.0, 2.0]), alpha=0.5)
    tensor([-0.2500,  0.0000,  2.0000])
    """
    if inplace:
        return torch.ops.torch_elu.elu_(input, alpha)
    return torch.ops.torch_elu.elu(input, alpha)

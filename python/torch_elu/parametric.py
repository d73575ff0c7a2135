"""Modules whose alpha is a parameter: ELU and CELU in the manner of nn.PReLU, and PELU."""

# No `from __future__ import annotations`: TorchScript reads those of a class as they are.
from typing import Any

import torch
from torch import Tensor, nn

from . import _library  # noqa: F401  (loading the library registers the operators)


def _along_channels(parameter: Tensor, input: Tensor) -> Tensor:
    """One number for each element of dimension 1, as nn.PReLU has it."""
    if parameter.numel() == 1 or input.dim() < 3:
        return parameter
    return parameter.view([-1] + [1] * (input.dim() - 2))


class _OfChannels(nn.Module):
    __constants__ = ["num_parameters"]  # noqa: RUF012  (as in torch.nn)
    num_parameters: int

    def __init__(self, num_parameters: int, device: Any, dtype: Any, **init: float) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self._init = init
        for name in init:
            empty = torch.empty(num_parameters, device=device, dtype=dtype)
            self.register_parameter(name, nn.Parameter(empty))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Sets the parameters to what they were made with."""
        for name, value in self._init.items():
            nn.init.constant_(getattr(self, name), value)

    def extra_repr(self) -> str:
        """The number of parameters."""
        return f"num_parameters={self.num_parameters}"


class ParametricELU(_OfChannels):
    r"""ELU with an alpha that is learnt, in the manner of :class:`torch.nn.PReLU`.

    .. math:: f(x) = \max(0, x) + \min(0, \alpha \cdot (e^x - 1))

    Args:
        num_parameters: How many alphas there are: 1, or the number of channels, which are dimension
            1 of the input (the only one of an input of one dimension). Default: 1
        init: Their first value. Default: 1.0
        device: Of the parameter. Default: ``None``, PyTorch's default
        dtype: Of the parameter. Beside an input of float16 or bfloat16 it may be float32. Default:
            ``None``

    Attributes:
        alpha: The parameter, of shape (num_parameters,).

    Shape: any with that many channels; the output has the same.

    A class of its own, since :attr:`torch.nn.ELU.alpha` is a number to whatever looks at it.
    Weight decay pulls alpha to 0, where the function is ReLU: leave the parameter out of it.
    :func:`torch_elu.elu` has the dtypes and devices, the errors, the gradient.

    >>> import torch, torch_elu
    >>> layer = torch_elu.ParametricELU(num_parameters=2, init=0.5)
    >>> layer(torch.tensor([[-1.0, 2.0]])).sum().backward()
    >>> layer.alpha.grad
    tensor([-0.6321,  0.0000])
    """

    alpha: Tensor

    def __init__(
        self, num_parameters: int = 1, init: float = 1.0, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(num_parameters, device, dtype, alpha=init)

    def forward(self, input: Tensor) -> Tensor:
        """Applies the function to ``input``."""
        alpha = _along_channels(self.alpha, input)
        result: Tensor = torch.ops.torch_elu.parametric_elu(input, alpha)
        return result


class ParametricCELU(_OfChannels):
    r"""CELU with an alpha that is learnt.

    .. math:: f(x) = \max(0, x) + \min(0, \alpha \cdot (e^{x / \alpha} - 1))

    Args:
        num_parameters: As for :class:`ParametricELU`. Default: 1
        init: The first value of alpha. Default: 1.0
        device: Of the parameter. Default: ``None``
        dtype: Of the parameter, as for :class:`ParametricELU`. Default: ``None``

    Shape and attribute are those of :class:`ParametricELU`. An alpha of 0 gives the limit,
    max(0, x).

    >>> import torch, torch_elu
    >>> torch_elu.ParametricCELU(init=0.5)(torch.tensor([-1.0, 2.0]))
    tensor([-0.4323,  2.0000], grad_fn=<torch_elu::ParametricEluBackward>)
    """

    alpha: Tensor

    def __init__(
        self, num_parameters: int = 1, init: float = 1.0, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(num_parameters, device, dtype, alpha=init)

    def forward(self, input: Tensor) -> Tensor:
        """Applies the function to ``input``."""
        alpha = _along_channels(self.alpha, input)
        result: Tensor = torch.ops.torch_elu.parametric_elu(input, alpha, alpha)
        return result


class PELU(_OfChannels):
    r"""The parametric ELU of Trottier et al. (https://arxiv.org/abs/1605.09332, equation 3), of
    which both sides are learnt and meet with one slope.

    .. math:: f(x) = \begin{cases} \frac{a}{b} \cdot x & x > 0 \\
              a \cdot (e^{x / b} - 1) & x \le 0 \end{cases}

    Args:
        num_parameters: How many of each there are, as for :class:`ParametricELU`; the paper has one
            for a layer. Default: 1
        a: The first value of a. Default: 1.0
        b: The first value of b. Default: 1.0
        device: Of the parameters. Default: ``None``
        dtype: Of the parameters. Default: ``None``

    The paper keeps both at 0.1 or more: clamp them after each step, as below.

    >>> import torch, torch_elu
    >>> layer = torch_elu.PELU(a=1.0, b=2.0)
    >>> layer(torch.tensor([-1.0, 2.0])).detach()
    tensor([-0.3935,  1.0000])
    >>> with torch.no_grad():
    ...     for parameter in layer.parameters():
    ...         _ = parameter.clamp_(min=0.1)
    """

    a: Tensor
    b: Tensor

    def __init__(
        self,
        num_parameters: int = 1,
        a: float = 1.0,
        b: float = 1.0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_parameters, device, dtype, a=a, b=b)

    def forward(self, input: Tensor) -> Tensor:
        """Applies the function to ``input``."""
        a, b = _along_channels(self.a, input), _along_channels(self.b, input)
        celu: Tensor = torch.ops.torch_elu.parametric_elu(input, b, b)
        return a / b * celu

"""Modules whose alpha is a parameter: ELU and CELU like nn.PReLU, and PELU."""

# No `from __future__ import annotations`: TorchScript reads those of a class as they are.
from typing import Any

import torch
from torch import Tensor, nn

from . import _library  # noqa: F401  (loading the library registers the operators)


def _along_channels(parameter: Tensor, num_parameters: int, input: Tensor) -> Tensor:
    """One number for each element of dimension 1, as nn.PReLU has it."""
    if num_parameters == 1 or input.dim() < 2:
        return parameter
    if input.size(1) != num_parameters:
        raise ValueError(
            f"expected an input whose dimension 1 has num_parameters = {num_parameters} elements, "
            f"but got the shape {list(input.shape)}"
        )
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
    r"""ELU that learns its alpha, like :class:`torch.nn.PReLU`.

    .. math:: f(x) = \max(0, x) + \min(0, \alpha \cdot (e^x - 1))

    Args:
        num_parameters: The number of alphas: 1, or the number of channels (dimension 1 of the
            input, or its only dimension). Default: 1
        init: The initial value. Default: 1.0
        device: The parameter's device. Default: ``None``, PyTorch's default
        dtype: The parameter's dtype. For a float16 or bfloat16 input it may be float32. Default:
            ``None``

    Attributes:
        alpha: The parameter, of shape (num_parameters,).

    Shape: any with that many channels. The output has the same shape.

    It does not derive from :class:`torch.nn.ELU`, because tools read that class's alpha as a
    number. Leave the parameter out of weight decay, which pulls alpha to 0, where ELU is ReLU.
    Dtypes, devices, errors, gradient: see :func:`torch_elu.elu`.

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
        alpha = _along_channels(self.alpha, self.num_parameters, input)
        result: Tensor = torch.ops.torch_elu.parametric_elu(input, alpha)
        return result


class ParametricCELU(_OfChannels):
    r"""CELU that learns its alpha.

    .. math:: f(x) = \max(0, x) + \min(0, \alpha \cdot (e^{x / \alpha} - 1))

    Args:
        num_parameters: As for :class:`ParametricELU`. Default: 1
        init: The initial value of alpha. Default: 1.0
        device: The parameter's device. Default: ``None``
        dtype: The parameter's dtype, as for :class:`ParametricELU`. Default: ``None``

    Shape and attribute are those of :class:`ParametricELU`. Where alpha is 0 the result is the
    limit, max(0, x).

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
        alpha = _along_channels(self.alpha, self.num_parameters, input)
        result: Tensor = torch.ops.torch_elu.parametric_elu(input, alpha, alpha)
        return result


class PELU(_OfChannels):
    r"""The parametric ELU of Trottier et al. (https://arxiv.org/abs/1605.09332, equation 3), which
    learns both sides. At 0 they have the same slope.

    .. math:: f(x) = \begin{cases} \frac{a}{b} \cdot x & x > 0 \\
              a \cdot (e^{x / b} - 1) & x \le 0 \end{cases}

    Args:
        num_parameters: The number of a and of b, as for :class:`ParametricELU`. The paper has one
            per layer. Default: 1
        a: The initial value of a. Default: 1.0
        b: The initial value of b. Default: 1.0
        device: The parameters' device. Default: ``None``
        dtype: The parameters' dtype. Default: ``None``

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
        a = _along_channels(self.a, self.num_parameters, input)
        b = _along_channels(self.b, self.num_parameters, input)
        celu: Tensor = torch.ops.torch_elu.parametric_elu(input, b, b)
        return a / b * celu

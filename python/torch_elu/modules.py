"""ELU, SELU and CELU as modules, derived from those of :mod:`torch.nn`, to use in their place."""

from __future__ import annotations

from torch import Tensor, nn

from .functional import _saves_output, celu, elu, selu


class _WithSave(nn.Module):
    """The argument that ELU and CELU have beyond those of torch.nn."""

    __constants__ = ["alpha", "inplace", "save"]  # noqa: RUF012  (as in torch.nn)
    # Also where __init__ never ran: in a subclass that skips it, or unpickled from an nn.ELU.
    save: str = "input"

    def __init__(self, alpha: float = 1.0, inplace: bool = False, *, save: str = "input") -> None:
        super().__init__(alpha, inplace)
        _saves_output(save)  # raises where it is neither
        self.save = save

    def extra_repr(self) -> str:
        """The arguments, those with a default value left out where torch.nn does so."""
        return super().extra_repr() + ("" if self.save == "input" else f", save={self.save!r}")


class ELU(_WithSave, nn.ELU):
    r"""Applies :func:`torch_elu.elu` elementwise.

    .. math:: \text{ELU}(x) = \max(0, x) + \min(0, \alpha \cdot (e^x - 1))

    Args:
        alpha: The result tends to -alpha as x goes to -infinity. Default: 1.0
        inplace: Overwrite the input with the result. Default: ``False``
        save: What to save for backward, ``"input"`` or ``"output"``: see :func:`torch_elu.elu`.
            Default: ``"input"``

    Shape: any. The output has the same shape.

    Raises:
        ValueError: if ``save`` is anything else.

    Dtypes, devices, other errors, what is saved, source: see :func:`torch_elu.elu`.

    >>> import torch, torch_elu
    >>> torch_elu.ELU(alpha=0.5)(torch.tensor([-1.0, 2.0]))
    tensor([-0.3161,  2.0000])
    >>> torch_elu.ELU(save="output")
    ELU(alpha=1.0, save='output')
    """

    def forward(self, input: Tensor) -> Tensor:
        """Applies the function to ``input``."""
        return elu(input, self.alpha, self.inplace, save=self.save)


class SELU(nn.SELU):
    r"""Applies :func:`torch_elu.selu` elementwise.

    .. math:: \text{SELU}(x) = scale \cdot (\max(0, x) + \min(0, \alpha \cdot (e^x - 1)))

    with :math:`\alpha = 1.67326...` and :math:`scale = 1.05070...`.

    Args:
        inplace: Overwrite the input with the result. Default: ``False``

    Shape: any. The output has the same shape.

    Dtypes, devices, errors, what is saved, source: see :func:`torch_elu.selu`.

    >>> import torch, torch_elu
    >>> torch_elu.SELU()(torch.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Applies the function to ``input``."""
        return selu(input, self.inplace)


class CELU(_WithSave, nn.CELU):
    r"""Applies :func:`torch_elu.celu` elementwise.

    .. math:: \text{CELU}(x) = \max(0, x) + \min(0, \alpha \cdot (e^{x / \alpha} - 1))

    Args:
        alpha: The result tends to -alpha as x goes to -infinity. Not 0. Default: 1.0
        inplace: Overwrite the input with the result. Default: ``False``
        save: What to save for backward, ``"input"`` or ``"output"``: see :func:`torch_elu.elu`.
            Default: ``"input"``

    Shape: any. The output has the same shape.

    Raises:
        ValueError: if ``save`` is anything else.

    Dtypes, devices, other errors, what is saved, source: see :func:`torch_elu.celu`.

    >>> import torch, torch_elu
    >>> torch_elu.CELU(alpha=0.5)(torch.tensor([-1.0, 2.0]))
    tensor([-0.4323,  2.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Applies the function to ``input``."""
        return celu(input, self.alpha, self.inplace, save=self.save)

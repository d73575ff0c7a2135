"""The operator as a module."""

from __future__ import annotations

from torch import Tensor, nn

from .functional import elu


class ELU(nn.Module):
    """:func:`elu` as a module."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Applies the function to every element."""
        return elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """The arguments, as repr() shows them."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")

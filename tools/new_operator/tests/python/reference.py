"""What the operators should return, computed by PyTorch in float64; and the tensors to try."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda x: x,
    "0-dim": lambda x: x[0, 0, 0, 0],
    "empty": lambda x: x[:0],
    "channels_last": lambda x: x.to(memory_format=torch.channels_last),
    "transposed": lambda x: x.transpose(1, 3),
    "every third": lambda x: x[..., 1::3],
    "column": lambda x: x[..., 4],
    "expanded": lambda x: x[:, :1].expand(4, 6, 7, 9),
    "offset by one": lambda x: x.flatten()[1:],
}


def make(dtype: torch.dtype = torch.float32, device: str = "cpu") -> Tensor:
    """Numbers of all sizes, and both zeros, infinities and NaN."""
    x = torch.randn(4, 6, 7, 9, dtype=torch.float64) * torch.logspace(-8, 8, 9)
    x[0, 0, 0, :6] = torch.tensor([0.0, -0.0, 1.0, torch.inf, -torch.inf, torch.nan])
    return x.to(device, dtype)


def value(x: Tensor, alpha: float) -> Tensor:
    wide = x.double()
    negative = alpha * torch.where(wide == -torch.inf, -1.0, wide / (1 - wide))
    return torch.where(wide > 0, wide, negative)


def slope(x: Tensor, alpha: float) -> Tensor:
    wide = x.double()
    return torch.where(wide > 0, torch.ones_like(wide), alpha / (1 - wide) ** 2)


def assert_rounded(actual: Tensor, exact: Tensor) -> None:
    """Within four units in the last place of the exact value: each operation rounds once."""
    info = torch.finfo(actual.dtype)
    rounded = exact.to(actual.dtype).double()
    exact = torch.where(rounded.isinf(), rounded, exact)  # overflows the dtype
    torch.testing.assert_close(
        actual.double(), exact, rtol=4 * info.eps, atol=4 * info.tiny * info.eps, equal_nan=True
    )

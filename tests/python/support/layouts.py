"""Tensors of every layout that memory formats, views and slices bring about."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

# Each takes a function that makes a dense tensor of a given shape.
Dense = Callable[..., Tensor]
LAYOUTS: dict[str, Callable[[Dense], Tensor]] = {
    "0-dim": lambda dense: dense(),
    "one element": lambda dense: dense(1),
    "vector": lambda dense: dense(1000),
    "empty": lambda dense: dense(0),
    "empty, permuted": lambda dense: dense(3, 0, 2).permute(2, 0, 1),
    "contiguous": lambda dense: dense(2, 3, 4, 5),
    "channels_last": lambda dense: dense(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "channels_last, one channel": lambda dense: dense(2, 1, 4, 5).to(
        memory_format=torch.channels_last
    ),
    "channels_last_3d": lambda dense: dense(2, 3, 4, 5, 2).to(memory_format=torch.channels_last_3d),
    "transposed": lambda dense: dense(17, 19).t(),
    "permuted": lambda dense: dense(3, 4, 5, 6).permute(2, 0, 3, 1),
    "slice with a step": lambda dense: dense(7, 40)[:, 1::3],
    "slice of channels": lambda dense: dense(2, 6, 4, 5).to(memory_format=torch.channels_last)[
        :, 1:4
    ],
    "slice of a permuted tensor": lambda dense: dense(6, 5, 8).permute(1, 2, 0)[:, 2:7, ::2],
    "column": lambda dense: dense(33, 9)[:, 4],
    "expanded vector": lambda dense: dense(5).expand(4, 5),
    "expanded column": lambda dense: dense(4, 1).expand(4, 5),
    "expanded in the middle": lambda dense: dense(2, 1, 3).expand(2, 4, 3).permute(2, 0, 1),
    "expanded scalar": lambda dense: dense().expand(3, 3),
    "overlapping windows": lambda dense: dense(30).unfold(0, 7, 3),
    "odd strides of size 1": lambda dense: dense(24).as_strided((1, 4, 1, 6), (5, 6, 77, 1)),
    "channels_last with an odd stride of size 1": lambda dense: dense(60).as_strided(
        (1, 3, 4, 5), (777, 1, 15, 3)
    ),
    "offset by one element": lambda dense: dense(1001)[1:],
    "negative bit": lambda dense: torch._neg_view(dense(3, 5)),
    "negative bit, strided": lambda dense: torch._neg_view(dense(3, 10))[:, ::2].t(),
}


@dataclass(frozen=True)
class AsStrided:
    """Any strides, so that elements may overlap."""

    sizes: list[int]
    strides: list[int]
    offset: int

    def __call__(self, base: Tensor) -> Tensor:
        return base.as_strided(self.sizes, self.strides, self.offset)


@dataclass(frozen=True)
class Chain:
    """A dense tensor permuted, sliced and expanded."""

    sizes: list[int]
    order: list[int]
    starts: list[int]
    steps: list[int]
    expand: int

    def __call__(self, base: Tensor) -> Tensor:
        view = base[: math.prod(self.sizes)].view(self.sizes).permute(self.order)
        slices = [
            slice(start, None, step) for start, step in zip(self.starts, self.steps, strict=True)
        ]
        view = view[tuple(slices)]
        return view.unsqueeze(0).expand(self.expand, *view.shape) if self.expand > 1 else view


@st.composite
def views(draw: st.DrawFn) -> AsStrided | Chain:
    """A random view, to be taken of a vector of 5,000 elements."""

    def integers(low: int, high: int, count: int) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=count, max_size=count))

    if draw(st.booleans()):
        dims = draw(st.integers(0, 5))
        return AsStrided(integers(0, 4, dims), integers(0, 200, dims), draw(st.integers(0, 9)))
    dims = draw(st.integers(1, 4))
    order = draw(st.permutations(range(dims)))
    return Chain(
        integers(1, 5, dims),
        order,
        integers(0, 2, dims),
        integers(1, 3, dims),
        draw(st.integers(1, 3)),
    )

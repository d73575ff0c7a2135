"""Random views of views: each step is a view of the one before it, whatever that looks like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

POOL_SIZE = 5000


def narrow(view: Tensor, a: int, b: int) -> Tensor:
    dim = a % view.dim()
    start = b % (view.size(dim) + 1)
    return view.narrow(dim, start, min(a, view.size(dim) - start))


def every_nth(view: Tensor, a: int, b: int) -> Tensor:
    dim = a % view.dim()
    return view.movedim(dim, 0)[b % 3 :: b % 4 + 1].movedim(0, dim)


def unfold(view: Tensor, a: int, b: int) -> Tensor:
    dim = a % view.dim()
    return view.unfold(dim, b % (view.size(dim) + 1), a % 5 + 1)


def unflatten(view: Tensor, a: int, b: int) -> Tensor:
    dim = a % view.dim()
    inner = b % 5 + 1
    whole = view.size(dim) // inner * inner
    return view.narrow(dim, 0, whole).unflatten(dim, (whole // inner, inner))


def diagonal(view: Tensor, a: int, b: int) -> Tensor:
    first, second = a % view.dim(), b % view.dim()
    return view if first == second else view.diagonal(0, first, second)


def expand(view: Tensor, a: int, b: int) -> Tensor:
    dim = a % (view.dim() + 1)
    sizes = list(view.shape)
    sizes.insert(dim, b % 4)
    return view.unsqueeze(dim).expand(sizes)


STEPS: dict[str, Callable[[Tensor, int, int], Tensor]] = {
    "narrow": narrow,
    "every nth": every_nth,
    "unfold": unfold,
    "unflatten": unflatten,
    "diagonal": diagonal,
    "expand": expand,
    "select": lambda view, a, b: (
        view.select(a % view.dim(), b % n) if (n := view.size(a % view.dim())) else view
    ),
    "move": lambda view, a, b: view.movedim(a % view.dim(), b % view.dim()),
    "squeeze": lambda view, a, b: view.squeeze(),
    "negative bit": lambda view, a, b: torch._neg_view(view),
}


@dataclass(frozen=True)
class ViewOfViews:
    """To be taken of a vector of POOL_SIZE elements."""

    start: int
    length: int
    steps: list[tuple[str, int, int]]

    def __call__(self, base: Tensor) -> Tensor:
        view = base[self.start : self.start + self.length]
        for name, a, b in self.steps:
            if view.dim() == 0 and name not in ("expand", "squeeze", "negative bit"):
                continue
            following = STEPS[name](view, a, b)
            if following.dim() <= 6 and following.numel() <= 2000:
                view = following
        return view


def views_of_views() -> st.SearchStrategy[ViewOfViews]:
    step = st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 30), st.integers(0, 30))
    return st.builds(
        ViewOfViews, st.integers(0, 70), st.integers(0, 400), st.lists(step, max_size=6)
    )

"""Tensors that are not plain fare as with torch.nn.functional.elu, be it with an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from torch import Tensor

UNUSUAL: dict[str, Callable[[], Tensor]] = {
    "parameter": lambda: torch.nn.Parameter(torch.randn(3)),
    "jagged": lambda: torch.nested.nested_tensor(
        [torch.randn(2, 3), torch.randn(4, 3)], layout=torch.jagged
    ),
    "sparse": lambda: torch.eye(3).to_sparse(),
    "sparse csr": lambda: torch.eye(3).to_sparse_csr(),
    "mkldnn": lambda: torch.eye(3).to_mkldnn(),
    "zero tensor": lambda: torch._efficientzerotensor((3,)),
    "imaginary part of a conjugate": lambda: torch.randn(3, dtype=torch.cfloat).conj().imag,
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("make", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_unusual_tensors_fare_as_with_pytorch(make: Callable[[], Tensor]) -> None:
    def outcome(function: Callable[[Tensor], Tensor]) -> Tensor | type[Exception]:
        torch.manual_seed(1)
        try:
            return function(make())
        except (RuntimeError, NotImplementedError) as error:
            return type(error)

    theirs, ours = outcome(F.elu), outcome(torch_elu.elu)
    if not isinstance(theirs, Tensor):
        assert ours is theirs
        return
    assert type(ours) is type(theirs)
    assert ours.layout == theirs.layout
    if ours.is_nested:
        theirs, ours = theirs.values(), ours.values()
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", ["elu", "selu", "celu"])
def test_torch_function_overrides_see_the_call(name: str) -> None:
    class Logged(Tensor):
        calls: ClassVar[list[object]] = []

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            cls.calls.append(func)
            return super().__torch_function__(func, types, args, kwargs or {})

    function = getattr(torch_elu, name)
    x = torch.randn(3).as_subclass(Logged)
    assert type(function(x)) is Logged
    assert Logged.calls[0] is function


def test_torch_dispatch_subclasses_see_the_operator() -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Log(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[str] = []

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.seen.append(str(func))
            return func(*args, **(kwargs or {}))

    x = torch.randn(3, requires_grad=True)
    with Log() as log:
        torch_elu.elu(x).sum().backward()
    assert "torch_elu.elu.default" in log.seen
    assert "torch_elu.elu_backward.default" in log.seen


def test_autocast_leaves_the_dtype_alone_as_with_pytorch() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.randn(3, dtype=dtype)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch_elu.elu(x).dtype == F.elu(x).dtype

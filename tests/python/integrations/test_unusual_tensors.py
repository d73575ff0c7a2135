"""Tensors that are not plain fare as with torch.nn.functional.elu, be it with an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from references import PLUS_ONE, Coefficients, assert_same_bits, exact_slope
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils._python_dispatch import TorchDispatchMode

UNUSUAL: dict[str, Callable[[], Tensor]] = {
    "parameter": lambda: torch.nn.Parameter(torch.randn(3)),
    "jagged": lambda: torch.nested.nested_tensor(
        [torch.randn(2, 3), torch.randn(4, 3)], layout=torch.jagged
    ),
    "nested": lambda: torch.nested.nested_tensor([torch.randn(2, 3), torch.randn(4, 3)]),
    "nested that requires grad": lambda: torch.nested.nested_tensor(
        [torch.randn(2, 3), torch.randn(4, 3)], requires_grad=True
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
        assert ours is outcome(torch_elu.elu_plus_one) is theirs
        return
    assert type(ours) is type(theirs)
    assert ours.layout == theirs.layout
    if ours.is_nested:
        theirs, ours = theirs.values(), ours.values()
    torch.testing.assert_close(ours, theirs)


def compiled_or_not(function: Callable[..., Tensor], compiled: bool) -> Callable[..., Tensor]:
    torch.compiler.reset()
    if not compiled:
        return function
    return torch.compile(function, backend="aot_eager", fullgraph=True)


ELU_03 = Coefficients(0.3)
FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], Coefficients]] = {
    "elu": (lambda x: torch_elu.elu(x * 1.0, 0.3) * 2, ELU_03),
    "in place": (lambda x: torch_elu.elu(x * 1.0, 0.3, inplace=True) * 2, ELU_03),
    "output saved": (lambda x: torch_elu.elu(x * 1.0, 0.3, save="output") * 2, ELU_03),
    "elu_plus_one": (lambda x: torch_elu.elu_plus_one(x * 1.0) * 2, PLUS_ONE),
}
parametrize_functions = pytest.mark.parametrize(
    ("function", "c"), FUNCTIONS.values(), ids=FUNCTIONS.keys()
)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("compiled", [False, True])
@parametrize_functions
def test_jagged_tensors_have_a_gradient(
    function: Callable[[Tensor], Tensor], c: Coefficients, compiled: bool
) -> None:
    x = torch.nested.nested_tensor(
        [torch.randn(2, 3), torch.randn(4, 3)], layout=torch.jagged, requires_grad=True
    )
    y = compiled_or_not(function, compiled)(x)
    assert y.is_nested
    values = x.detach().values()
    assert_same_bits(y.values(), function(values))
    y.values().sum().backward()
    expected = 2 * exact_slope(values, c)
    torch.testing.assert_close(x.grad.values().double(), expected, rtol=1e-6, atol=1e-6)


JAGGED: dict[str, Callable[[], Tensor]] = {
    "transposed": lambda: UNUSUAL["jagged"]().transpose(1, 2),
    "with holes": lambda: torch.nested.narrow(
        torch.randn(3, 5, 2), 1, torch.tensor([0, 1, 2]), torch.tensor([2, 3, 1]), torch.jagged
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("make", JAGGED.values(), ids=JAGGED.keys())
def test_jagged_tensors_that_are_not_contiguous_have_a_gradient(make: Callable[[], Tensor]) -> None:
    x = make().detach().requires_grad_()
    (grad,) = torch.autograd.grad(torch_elu.elu(x, 0.3).sum(), x)
    for part, of_grad in zip(x.detach().unbind(), grad.unbind(), strict=True):
        expected = exact_slope(part, Coefficients(0.3))
        torch.testing.assert_close(of_grad.double(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
@parametrize_functions
def test_a_wrapper_subclass_passes_through(
    function: Callable[[Tensor], Tensor], c: Coefficients, compiled: bool
) -> None:
    parts = torch.randn(5), torch.randn(5)
    x = TwoTensor(*parts).requires_grad_()
    y = compiled_or_not(function, compiled)(x)
    y.sum().backward()
    assert type(y) is type(x.grad) is TwoTensor
    for part, of_y, of_grad in zip(parts, (y.a, y.b), (x.grad.a, x.grad.b), strict=True):
        assert_same_bits(of_y, function(part))
        expected = 2 * exact_slope(part, c)
        torch.testing.assert_close(of_grad.double(), expected, rtol=1e-6, atol=1e-6)


class Calls(TorchFunctionMode):
    """Functions and keyword arguments of the calls."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[object, object]] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.seen.append((func, kwargs))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["elu", "selu", "celu", "elu_plus_one"])
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


@pytest.mark.parametrize("name", ["elu", "selu", "celu", "elu_plus_one"])
@pytest.mark.parametrize("has_its_own", [False, True])
def test_a_subclass_compiles(has_its_own: bool, name: str) -> None:
    class Kind(Tensor):
        pass

    def its_own(cls, func, types, args=(), kwargs=None):
        return super(Kind, cls).__torch_function__(func, types, args, kwargs or {})

    if has_its_own:
        Kind.__torch_function__ = classmethod(its_own)
    function = getattr(torch_elu, name)
    x = torch.randn(3)
    torch.compiler.reset()
    in_one_graph = torch.__version__ >= "2.15"  # see functional.py
    compiled = torch.compile(function, backend="aot_eager", fullgraph=in_one_graph)
    result = compiled(x.as_subclass(Kind))
    assert type(result) is Kind
    assert_same_bits(result.as_subclass(Tensor), function(x))


@pytest.mark.parametrize("name", ["elu", "elu_plus_one"])
def test_torch_dispatch_modes_see_forward_and_backward(name: str) -> None:
    class Log(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append((str(func), torch.is_grad_enabled()))
            return func(*args, **(kwargs or {}))

    seen: list[tuple[str, bool]] = []
    x = torch.randn(3, requires_grad=True)
    with Log():
        getattr(torch_elu, name)(x).sum().backward()
        with torch.no_grad():
            getattr(torch_elu, name)(x)
        torch_elu.elu(x * 1, inplace=True)
    forward = f"torch_elu.{name}.default"
    assert [call for call in seen if call[0] == forward] == [(forward, True), (forward, False)]
    assert f"torch_elu.{name}_backward.default" in dict(seen)
    assert ("torch_elu.elu_.default", True) in seen


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["elu", "selu", "celu", "elu_plus_one"])
def test_autocast_leaves_the_dtype_alone_as_with_pytorch(
    name: str, dtype: torch.dtype, device: str
) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    x = torch.randn(3, dtype=dtype, device=device)
    with torch.autocast(device, torch.bfloat16):
        assert getattr(torch_elu, name)(x).dtype == getattr(F, name, F.elu)(x).dtype == dtype


KEYWORDS = {
    torch_elu.elu: {"alpha": 0.3, "inplace": True, "save": "output"},
    torch_elu.selu: {"inplace": True},
    torch_elu.celu: {"alpha": 0.3, "inplace": True, "save": "output"},
    torch_elu.elu_plus_one: {},
}


@pytest.mark.parametrize("function", KEYWORDS, ids=lambda function: function.__name__)
def test_torch_function_modes_see_every_argument(function: Callable[..., Tensor]) -> None:
    with Calls() as calls:
        function(torch.randn(3), **KEYWORDS[function])
    assert (function, KEYWORDS[function]) in calls.seen

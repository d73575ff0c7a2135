"""The overload elu.out: where it writes, what it resizes, what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch_elu  # noqa: F401
from references import Coefficients, exact_value
from torch import Tensor

elu_out = torch.ops.torch_elu.elu.out
IMPLEMENTATIONS = {"PyTorch": torch._C._nn.elu, "torch_elu": elu_out}

# How `out` is made for a given input.
ACCEPTED: dict[str, Callable[[Tensor], Tensor]] = {
    "same layout": torch.empty_like,
    "transposed": lambda x: x.new_empty(4, 3).t(),
    "strided": lambda x: x.new_empty(6, 8)[::2, ::2],
    "empty": lambda x: x.new_empty(0),
    "of another shape": lambda x: x.new_empty(7),
    "the input itself": lambda x: x,
}
REFUSED: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "expanded": (
        lambda x: x.new_empty(1, 4).expand(3, 4),
        "more than one element of the written-to",
    ),
    "overlapping the input": (
        lambda x: x._base.view(-1)[1:13].view(3, 4),
        "some elements of the input tensor and the written-to tensor refer to a single memory",
    ),
    "wider": (lambda x: x.new_empty(3, 4, dtype=torch.float64), "dtype"),
    "narrower": (lambda x: x.new_empty(3, 4, dtype=torch.float16), "dtype"),
    "integer": (lambda x: x.new_empty(3, 4, dtype=torch.int64), "dtype"),
    "on another device": (lambda x: x.new_empty(3, 4, device="meta"), "device"),
    "recording": (
        lambda x: x.new_empty(3, 4).requires_grad_(),
        "don't support automatic differentiation",
    ),
}


def make_input(device: str = "cpu", dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.linspace(-3, 3, 13, dtype=dtype, device=device)[:12].view(3, 4)


@pytest.mark.parametrize("make_out", ACCEPTED.values(), ids=ACCEPTED.keys())
@pytest.mark.filterwarnings("ignore:An output with one or more elements was resized")
def test_out_is_written_resized_and_returned_as_by_pytorch(
    make_out: Callable[[Tensor], Tensor],
) -> None:
    layouts = []
    for elu in IMPLEMENTATIONS.values():
        x = make_input()
        exact = exact_value(x, Coefficients(0.5))
        out = make_out(x)
        pointer = out.data_ptr()
        result = elu(x, 0.5, out=out)
        assert result is out
        assert out.data_ptr() == pointer or out.shape != make_out(make_input()).shape
        torch.testing.assert_close(out.double(), exact, rtol=3e-7, atol=0)
        layouts.append((out.shape, out.stride(), out.dtype))
    on_meta = make_input("meta")
    out = elu_out(on_meta, out=make_out(on_meta))
    layouts.append((out.shape, out.stride(), out.dtype))
    assert layouts[0] == layouts[1] == layouts[2]


@pytest.mark.parametrize(("make_out", "message"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_out_is_refused_as_by_pytorch(
    implementation: str, make_out: Callable[[Tensor], Tensor], message: str
) -> None:
    x = make_input()
    out = make_out(x)
    before = x._base.clone()
    with pytest.raises(RuntimeError, match=message):
        IMPLEMENTATIONS[implementation](x, out=out)
    assert torch.equal(x._base, before)


def test_out_of_another_dtype_is_refused_on_the_meta_device_too() -> None:
    x = make_input("meta")
    with pytest.raises(RuntimeError, match="Expected out tensor to have dtype float, but got doub"):
        elu_out(x, out=x.new_empty(3, 4, dtype=torch.float64))


@pytest.mark.parametrize("layout", [torch.channels_last, "transposed"], ids=str)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_an_empty_out_takes_the_memory_format_of_the_input(
    layout: torch.memory_format | str, device: str
) -> None:
    x = torch.randn(2, 3, 4, 5, device=device)
    x = x.mT if layout == "transposed" else x.to(memory_format=layout)
    out = torch.empty(0, device=device)
    elu_out(x, out=out)
    expected = torch._C._nn.elu(torch.empty_strided(x.shape, x.stride()), out=torch.empty(0))
    assert out.stride() == expected.stride()


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_resizing_an_out_that_holds_something_warns_as_pytorch_does(
    said_by: Callable[[Callable[[], object]], list[str]], device: str
) -> None:
    message = "An output with one or more elements was resized since it had shape"
    for elu in IMPLEMENTATIONS.values():
        said = said_by(lambda elu=elu: elu(make_input(device), out=torch.empty(7, device=device)))
        assert sum(message in text for text in said) == 1


def test_an_input_that_requires_grad_is_refused_but_not_under_no_grad() -> None:
    x = make_input().requires_grad_()
    with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
        elu_out(x, out=torch.empty(3, 4))
    with torch.no_grad():
        assert not elu_out(x, out=torch.empty(3, 4)).requires_grad


def test_writing_to_out_counts_as_a_change_of_it() -> None:
    out = torch.empty(3, 4)
    version = out._version
    elu_out(make_input(), out=out)
    assert out._version == version + 1

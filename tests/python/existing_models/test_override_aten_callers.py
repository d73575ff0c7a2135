"""override_aten: what a caller of F.elu sees stays PyTorch's, layouts and errors to the letter."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from layouts import LAYOUTS, Dense
from torch import Tensor
from torch._C import _nn

aten = torch.ops.aten


def dense(*shape: int) -> Tensor:
    return torch.randn(shape)


@pytest.mark.parametrize("make", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_results_and_gradients_have_the_layout_that_pytorch_gives_them(
    make: Callable[[Dense], Tensor],
) -> None:
    x = make(dense)

    def layouts() -> list[tuple[int, ...]]:
        grads = [x, x.new_ones(()).expand(x.shape), torch.ones_like(x).mT if x.dim() > 1 else x]
        results = [F.elu(x), F.selu(x), F.celu(x), _nn.elu(x, out=torch.empty(0))]
        results += [
            aten.elu_backward(grad, 1, 1, 1, False, x) for grad in grads if grad.shape == x.shape
        ]
        return [y.stride() for y in results]

    expected = layouts()
    with torch_elu.override_aten():
        assert layouts() == expected


def test_a_gradient_takes_the_layout_of_grad_output_first_as_in_pytorch() -> None:
    x, grad_output = torch.randn(3, 4), torch.randn(4, 3).t()
    expected = aten.elu_backward(grad_output, 1, 1, 1, False, x)
    with torch_elu.override_aten():
        actual = aten.elu_backward(grad_output, 1, 1, 1, False, x)
    assert actual.stride() == expected.stride() != x.stride()
    torch.testing.assert_close(actual, expected)


def test_backward_broadcasts_and_promotes_as_pytorchs() -> None:
    cases = [
        (torch.randn(3, 1), torch.randn(4)),
        (torch.randn(3, dtype=torch.float64), torch.randn(3)),
        (torch.randn(3).half(), torch.randn(3).bfloat16()),
        (torch.tensor(2.0, dtype=torch.float64), torch.randn(3)),
    ]
    expected = [aten.elu_backward(grad, 0.5, 1, 1, False, x) for grad, x in cases]
    with torch_elu.override_aten():
        actual = [aten.elu_backward(grad, 0.5, 1, 1, False, x) for grad, x in cases]
    torch.testing.assert_close(actual, expected)


def expanded() -> Tensor:
    return torch.ones(1).expand(3)


def overlapping() -> tuple[Tensor, Tensor]:
    base = torch.arange(5.0)
    return base[:4], base[1:]


MISTAKES: dict[str, Callable[[], object]] = {
    "int": lambda: F.elu(torch.ones(3, dtype=torch.int32)),
    "bool": lambda: F.selu(torch.ones(3, dtype=torch.bool)),
    "complex": lambda: F.celu(torch.ones(3, dtype=torch.complex64)),
    "int in place": lambda: F.elu(torch.ones(3, dtype=torch.int64), inplace=True),
    "int, empty": lambda: F.elu(torch.ones(0, dtype=torch.int64)),
    "int with out": lambda: _nn.elu(torch.ones(3, dtype=torch.int32), out=torch.ones(3)),
    "int backward": lambda: aten.elu_backward(
        *(torch.ones(3).int(), 1, 1, 1, False, torch.ones(3).int())
    ),
    "in place on an expanded tensor": lambda: F.elu(expanded(), inplace=True),
    "in place on a leaf": lambda: F.elu(torch.ones(3, requires_grad=True), inplace=True),
    "out expanded": lambda: _nn.elu(torch.ones(3), out=expanded()),
    "out overlaps": lambda: _nn.elu(overlapping()[0], out=overlapping()[0]),
    "input_scale beyond float": lambda: _nn.elu(torch.ones(3), 1, 1, 1e300),
    "out wider": lambda: _nn.elu(torch.ones(3), out=torch.ones(3, dtype=torch.float64)),
    "out integer": lambda: _nn.elu(torch.ones(3), out=torch.ones(3, dtype=torch.int64)),
    "out on meta": lambda: _nn.elu(torch.ones(3), out=torch.ones(3, device="meta")),
    "out with grad": lambda: _nn.elu(torch.ones(3, requires_grad=True), out=torch.ones(3)),
    "alpha beyond float": lambda: F.elu(torch.ones(3), 1e300),
    "alpha beyond float, half": lambda: F.elu(torch.ones(3).half(), 1e300),
    "alpha beyond float, in place": lambda: F.elu(torch.ones(3), 1e300, inplace=True),
    "alpha complex": lambda: F.elu(torch.ones(3), 1j),
    "scale complex": lambda: _nn.elu(torch.ones(3), 1, 1j),
    "celu of alpha 0": lambda: F.celu(torch.ones(3), 0.0),
    "backward, sizes": lambda: aten.elu_backward(torch.ones(3), 1, 1, 1, False, torch.ones(4)),
    "backward from a result, alpha < 0": lambda: aten.elu_backward(
        torch.ones(3), -1, 1, 1, True, torch.ones(3)
    ),
    "backward, alpha beyond float": lambda: aten.elu_backward(
        torch.ones(3), 1e300, 1, 1, False, torch.ones(3)
    ),
    "grad_input integer": lambda: aten.elu_backward.grad_input(
        torch.ones(3), 1, 1, 1, False, torch.ones(3), grad_input=torch.ones(3).int()
    ),
    "in place, alpha < 0, backward": lambda: (
        F.elu(torch.ones(3, requires_grad=True) * -1, -0.5, inplace=True).sum().backward()
    ),
}


def outcome(call: Callable[[], object]) -> tuple[type, str]:
    try:
        result = call()
    except Exception as error:
        return type(error), str(error)
    return type(result), str(result)


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_end_as_in_pytorch_to_the_letter(mistake: Callable[[], object]) -> None:
    expected = outcome(mistake)
    with torch_elu.override_aten():
        assert outcome(mistake) == expected


def test_resizing_an_out_warns_as_pytorch_does() -> None:
    messages = []
    for override in (False, True):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if override:
                with torch_elu.override_aten():
                    _nn.elu(torch.ones(3), out=torch.ones(7))
            else:
                _nn.elu(torch.ones(3), out=torch.ones(7))
        messages.append([str(warning.message) for warning in caught])
    assert len(messages[0]) == 1
    assert messages[0] == messages[1]


def test_meta_tensors_stay_meta_tensors() -> None:
    with torch_elu.override_aten():
        assert F.elu(torch.ones(3, device="meta")).device.type == "meta"


def test_a_contiguous_grad_output_gives_the_layout_too() -> None:
    x, grad_output = torch.randn(4, 3).t(), torch.randn(3, 4)
    expected = aten.elu_backward(grad_output, 1, 1, 1, False, x)
    with torch_elu.override_aten():
        actual = aten.elu_backward(grad_output, 1, 1, 1, False, x)
    assert actual.stride() == expected.stride()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_a_grad_input_of_another_dtype_fares_as_in_pytorch(dtype: torch.dtype) -> None:
    def run() -> object:
        grad_input, x = torch.empty(5, dtype=dtype), torch.linspace(-2, 2, 5)
        try:
            aten.elu_backward.grad_input(torch.ones(5), 0.3, 1, 1, False, x, grad_input=grad_input)
        except RuntimeError as error:
            return str(error)
        return grad_input

    expected = run()
    with torch_elu.override_aten():
        actual = run()
    if isinstance(expected, str):
        assert actual == expected
    else:
        torch.testing.assert_close(actual, expected)

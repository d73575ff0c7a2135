"""Values and gradients against float64: dtypes, layouts, instruction sets, errors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
import torch_elu
from reference import DEVICES, DTYPES, LAYOUTS, assert_rounded, make, slope, value
from torch import Tensor

ops = torch.ops.torch_elu


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("alpha", [1.0, 0.3, -2.0])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_and_gradients_are_the_rounded_ones(
    dtype: torch.dtype, alpha: float, device: str
) -> None:
    x = make(dtype, device).requires_grad_()
    result = torch_elu.elu(x, alpha)
    assert result.dtype == dtype
    assert_rounded(result.detach(), value(x.detach(), alpha))
    result.backward(torch.ones_like(x))
    assert_rounded(x.grad, slope(x.detach(), alpha))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_every_layout_gives_the_strides_of_pytorch(
    layout: Callable[[Tensor], Tensor], dtype: torch.dtype, device: str
) -> None:
    x = layout(make(dtype, device))
    result = torch_elu.elu(x)
    assert result.stride() == torch.relu(x).stride()
    assert_rounded(result, value(x, 1.0))
    grad = ops.elu_backward(torch.ones_like(x), 1.0, False, x)
    assert_rounded(grad, slope(x, 1.0))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", [1, 31, 1000, 2**20 + 3])
def test_all_elements_of_any_count_are_written(size: int, device: str) -> None:
    x = torch.randn(size, device=device)
    assert_rounded(torch_elu.elu(x), value(x, 1.0))


@pytest.mark.parametrize("device", DEVICES)
def test_in_place_and_out_give_the_same_values(device: str) -> None:
    x = make(torch.float32, device)
    expected = torch_elu.elu(x, 0.5)
    out = torch.empty(0, device=device)
    assert ops.elu.out(x, 0.5, out=out) is out
    torch.testing.assert_close(out, expected, rtol=0, atol=0, equal_nan=True)
    assert torch_elu.elu(x, 0.5, inplace=True) is x
    torch.testing.assert_close(x, expected, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("device", DEVICES)
def test_in_place_finds_the_gradient_from_the_result(device: str) -> None:
    x = torch.linspace(-3, 3, 25, device=device)
    leaf = x.clone().requires_grad_()
    overwritten = leaf * 1
    torch_elu.elu(overwritten, 0.5, inplace=True).sum().backward()
    torch.testing.assert_close(leaf.grad.double(), slope(x, 0.5), rtol=1e-5, atol=0)


SAME_ON = """
import torch, torch_elu
from reference import make
torch.manual_seed(0)
x = make().requires_grad_()
y = torch_elu.elu(x, 0.3)
y.backward(torch.ones_like(x))
print(torch.ops.torch_elu.cpu_capability(), y.view(torch.int32)[y == y].sum().item(),
      x.grad.view(torch.int32)[x == x].sum().item())
"""


def test_every_instruction_set_gives_the_same_bits() -> None:
    best = torch.backends.cpu.get_cpu_capability().lower()
    known = ["default", "avx2", "avx512"]
    if best not in known:
        pytest.skip("this processor has one instruction set alone")
    said = []
    for capability in known[: known.index(best) + 1]:
        environment = {**os.environ, "ATEN_CPU_CAPABILITY": capability}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        run = subprocess.run(
            [sys.executable, "-c", SAME_ON],
            env=environment,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        )
        said.append(run.stdout.split())
    assert [name for name, *_ in said] == ["baseline", "avx2", "avx512"][: len(said)]
    assert len({tuple(sums) for _, *sums in said}) == 1


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_device_without_a_kernel_here_gets_pytorchs_operators(dtype: torch.dtype) -> None:
    """As it would be there: the kernel for such devices, called on the CPU."""
    x = make(dtype)
    fallback = torch._C.DispatchKeySet(torch._C.DispatchKey.CompositeExplicitAutograd)
    for op, arguments in (
        (ops.elu.default, (x, 0.3)),
        (ops.elu_backward.default, (torch.ones_like(x), 0.3, False, x)),
    ):
        result = op.redispatch(fallback, *arguments)
        near = {"rtol": 4 * torch.finfo(dtype).eps, "atol": 2e-5}
        torch.testing.assert_close(result, op(*arguments), equal_nan=True, **near)


def test_errors_name_the_operator_and_what_came() -> None:
    with pytest.raises(NotImplementedError, match=r"torch_elu::elu.*'Int'"):
        torch_elu.elu(torch.ones(2, dtype=torch.int32))
    with pytest.raises(RuntimeError, match=r"torch_elu::elu_ .*alpha=-1"):
        torch_elu.elu(torch.ones(2, requires_grad=True) * 1, -1.0, inplace=True)
    with pytest.raises(RuntimeError, match=r"torch_elu::elu_backward .*alpha=-1"):
        ops.elu_backward(torch.ones(2), -1.0, True, torch.ones(2))
    with pytest.raises(RuntimeError, match=r"torch_elu::elu: alpha=1e\+300 overflows"):
        torch_elu.elu(torch.ones(2), 1e300)

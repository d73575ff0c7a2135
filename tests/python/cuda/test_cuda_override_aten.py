"""override_aten(cuda=True): PyTorch's own elu runs our CUDA kernels, with the CPU's bits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from references import assert_same_bits, in_range
from torch import Tensor

if not torch.ops.torch_elu.cuda_version():
    pytest.skip("this build has no CUDA kernels", allow_module_level=True)
if not torch.cuda.is_available():
    pytest.skip("no GPU is available to PyTorch", allow_module_level=True)

aten = torch.ops.aten
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": lambda x: F.elu(x, 0.3),
    "elu in place": lambda x: F.elu(x * 1, 0.3, inplace=True),
    "elu.out": lambda x: torch._C._nn.elu(x, 0.3, out=torch.empty_like(x)),
    "selu": F.selu,
    "celu": lambda x: F.celu(x, 0.5),
    "elu, transposed": lambda x: F.elu(x.view(-1, 3).t()),
    "elu, sliced": lambda x: F.elu(x[::2]),
    "nothing": lambda x: F.elu(x[:0]),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_and_gradients_have_the_bits_of_the_cpu_inside_and_pytorchs_outside(
    function: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    def value_and_gradient(x: Tensor) -> tuple[Tensor, Tensor]:
        leaf = x.clone().requires_grad_()
        y = function(leaf) if "out" not in name else function(x)
        if not y.requires_grad:
            return y, y
        return y, torch.autograd.grad(y, leaf, torch.ones_like(y))[0]

    name = next(key for key, value in FUNCTIONS.items() if value is function)
    x = in_range(dtype, 30_000, -8, 2)
    before = value_and_gradient(x.cuda())
    with torch_elu.override_aten(cuda=True):
        expected, actual = value_and_gradient(x), value_and_gradient(x.cuda())
    for on_cpu, on_gpu in zip(expected, actual, strict=True):
        assert on_gpu.is_cuda
        assert_same_bits(on_gpu.cpu(), on_cpu)
    for once, again in zip(before, value_and_gradient(x.cuda()), strict=True):
        assert_same_bits(again, once)


def test_pytorchs_kernels_take_what_ours_do_not() -> None:
    x = in_range(torch.float32, 1000, -8, 2).cuda()
    calls: dict[str, Callable[[], Tensor]] = {
        "gradient of another dtype": lambda: aten.elu_backward(x.double(), 1, 1, 1, False, x),
        "a number of the CPU's": lambda: aten.elu_backward(torch.tensor(2.0), 1, 1, 1, False, x),
        "alpha beyond the dtype": lambda: aten.elu(x, 1e300),
        "result of a negative scale": lambda: aten.elu_backward(x, 1, -1, 1, True, x),
        "integers": lambda: aten.elu(x.long()),
    }

    def outcome(call: Callable[[], Tensor]) -> Tensor | str:
        try:
            return call()
        except (RuntimeError, NotImplementedError) as error:
            return str(error)

    for name, call in calls.items():
        expected = outcome(call)
        with torch_elu.override_aten(cuda=True):
            actual = outcome(call)
        if isinstance(expected, str):
            assert actual == expected, name
        else:
            assert isinstance(actual, Tensor), f"{name}: {actual}"
            assert torch.equal(actual, expected), name


def test_without_the_word_cuda_tensors_keep_pytorchs_kernels() -> None:
    x = in_range(torch.float32, 30_000, -8, 2).cuda()
    before = F.elu(x)
    with torch_elu.override_aten(cuda=True), torch_elu.override_aten():
        pass
    with torch_elu.override_aten():
        assert_same_bits(F.elu(x), before)

"""Inductor's own formula, fused with its neighbours, gives the bits of the kernels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest
import torch
import torch_elu
from conftest import RunPython, available_capabilities
from references import (
    DTYPES,
    SELU,
    Coefficients,
    assert_same_bits,
    celu,
    in_range,
    many_floats,
)
from torch import Tensor
from torch._dynamo.utils import counters
from torch._inductor import metrics
from torch._inductor.utils import run_and_get_code

ops = torch.ops.torch_elu
needs_fma = pytest.mark.skipif(
    available_capabilities()[-1] not in ("avx2", "avx512"), reason="the kernel is called there"
)
Pair = tuple[Tensor, ...]


@pytest.fixture(autouse=True)
def nothing_compiled_before() -> Iterator[None]:
    torch.compiler.reset()
    counters.clear()
    metrics.reset()
    yield
    torch.compiler.reset()


FUSED = (
    *(Coefficients(), Coefficients(0.7), Coefficients(-0.5), SELU, celu(2.0), celu(0.3)),
    Coefficients(1.3, 0.7, 1.9),
)
CALLED = (Coefficients(0.0), celu(-0.5), Coefficients(1e30), Coefficients(1.0, 1.0, math.inf))


def everything(x: Tensor, grad: Tensor, family: tuple[Coefficients, ...]) -> list[Tensor]:
    results = []
    for c in family:
        results += [ops.elu(x, *c), ops.elu_backward(grad, *c, False, x)]
        if min(c) >= 0:
            results.append(ops.elu_backward(grad, *c, True, x))
    y = ops.elu_plus_one(x)
    return [*results, y, ops.elu_plus_one_backward(grad, x)]


def calls(code: list[str]) -> int:
    return sum(line.count("= torch.ops.torch_elu.") for text in code for line in text.splitlines())


def numbers(dtype: torch.dtype) -> Tensor:
    special = [0.0, -0.0, math.inf, -math.inf, math.nan, 1e-40, -1e-40, -5e-324, -3e-8]
    some = torch.tensor(special, dtype=torch.float64).to(dtype)
    return torch.cat([many_floats(dtype, 500_000), in_range(dtype, 500_000, -120, 3), some, -some])


@needs_fma
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_function_at_many_numbers(dtype: torch.dtype) -> None:
    """In the vectors, in what is left beside them, and where that is all there is."""
    x = numbers(dtype)
    grad = in_range(dtype, len(x), -3, 3)
    torch._dynamo.mark_dynamic(x, 0)
    torch._dynamo.mark_dynamic(grad, 0)
    compiled = torch.compile(lambda x, grad: everything(x, grad, FUSED), fullgraph=True)
    results, code = run_and_get_code(compiled, x, grad)
    assert calls(code) == 0
    for part in (slice(None), slice(-18, None), slice(-3, None)):
        results = compiled(x[part].clone(), grad[part].clone())
        for result, expected in zip(results, everything(x[part], grad[part], FUSED), strict=True):
            assert_same_bits(result, expected)
    assert counters["stats"]["unique_graphs"] == 1


def test_coefficients_beyond_the_formula_call_the_kernel() -> None:
    x = numbers(torch.float32)[::97]
    compiled = torch.compile(lambda x: everything(x, x, CALLED), fullgraph=True)
    results, code = run_and_get_code(compiled, x)
    assert calls(code) >= len(CALLED)
    for result, expected in zip(results, everything(x, x, CALLED), strict=True):
        assert_same_bits(result, expected)


# Each has a size of its own, so that no two of them share a kernel.
CHAINS: tuple[tuple[tuple[int, ...], Callable[[Tensor], Tensor]], ...] = (
    ((1000,), lambda x: torch_elu.elu(x * 2 + 1) * 0.5),
    ((1001,), lambda x: torch_elu.elu(x * 2 + 1, save="output") * 0.5),
    ((37, 29), lambda x: torch_elu.elu(x.t()[1:, ::2] * 3, 0.7)),
    ((2, 3, 7, 5), lambda x: torch_elu.selu(x.to(memory_format=torch.channels_last) * 1.5)),
    ((1003,), lambda x: torch_elu.celu(x - 0.5, 0.3, inplace=True) * 2),
    ((1004,), lambda x: x + torch_elu.elu(x * 0.7, -0.5)),
    ((1005,), lambda x: torch_elu.elu(torch_elu.celu(x, 2.0) * 2, 0.7)),
    ((1006,), lambda x: torch_elu.elu_plus_one(x * 2) - 0.5),
)


def of_chains(*inputs: Tensor) -> Pair:
    results = [chain(x) for (_, chain), x in zip(CHAINS, inputs, strict=True)]
    reduced = torch_elu.elu(inputs[-1].expand(3, -1) * 2 + 1, 0.3)
    return (*results, reduced, reduced.sum(1))


@needs_fma
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_chain_is_one_kernel_with_the_bits_of_its_parts(dtype: torch.dtype) -> None:
    inputs = [torch.randn(shape, dtype=dtype) * 3 for shape, _ in CHAINS]
    results, code = run_and_get_code(torch.compile(of_chains, fullgraph=True), *inputs)
    assert calls(code) == 0
    assert metrics.generated_kernel_count == len(CHAINS) + 1
    expected = of_chains(*inputs)
    for result, other in zip(results[:-1], expected[:-1], strict=True):  # the sum's order is free
        assert_same_bits(result, other)
        assert result.stride() == other.stride()


@needs_fma
def test_the_backward_of_a_chain_calls_no_operator_and_has_the_bits_of_its_parts() -> None:
    inputs = [torch.randn(shape).mul_(3).requires_grad_() for shape, _ in CHAINS]

    def gradients(function: Callable[..., Pair]) -> Pair:
        results = function(*inputs)[: len(CHAINS)]
        grads = [in_range(torch.float32, y.numel(), -2, 2).view(y.shape) for y in results]
        return torch.autograd.grad(results, inputs, grads)

    expected = gradients(of_chains)
    results, code = run_and_get_code(lambda: gradients(torch.compile(of_chains, fullgraph=True)))
    assert calls(code) == 0
    for result, other in zip(results, expected, strict=True):
        assert_same_bits(result, other)


@needs_fma
def test_without_dimensions_from_constants_and_from_indices() -> None:
    def function(x: Tensor, h: Tensor) -> list[Tensor]:
        index = torch.arange(-9.0, 2.0)
        results = [torch_elu.elu(x, 0.3), torch_elu.selu(torch.full((3,), -1.25)), index]
        results += [torch_elu.elu(index), torch_elu.celu(index * 0.37, 2.0), torch_elu.elu(h, 0.3)]
        return [*results, torch_elu.elu_plus_one(index), torch_elu.elu(x[None].expand(5))]

    inputs = torch.tensor(-1.3), torch.tensor(-0.7, dtype=torch.float16)
    results, code = run_and_get_code(torch.compile(function, fullgraph=True), *inputs)
    assert calls(code) == 0
    for result, expected in zip(results, function(*inputs), strict=True):
        assert_same_bits(result, expected)


# An alpha that changes

CHANGING: dict[str, tuple[Callable[..., Tensor], bool | None]] = {
    "elu": (lambda x, alpha: torch_elu.elu(x, alpha), None),
    "elu, output saved": (lambda x, alpha: torch_elu.elu(x, alpha, save="output"), True),
    "celu": (lambda x, alpha: torch_elu.celu(x, alpha), True),
}


@pytest.mark.parametrize(("function", "dynamic"), CHANGING.values(), ids=CHANGING.keys())
def test_an_alpha_that_changes_gives_eagers_bits_without_a_graph_for_each(
    function: Callable[..., Tensor], dynamic: bool | None
) -> None:
    x = in_range(torch.float32, 1001, -120, 3).requires_grad_()
    compiled = torch.compile(function, fullgraph=True, dynamic=dynamic)
    for alpha in (1.0, 0.3, 2.0, 7.1, 1.0, 1e-20, 1.7):
        y, expected = compiled(x, alpha), function(x, alpha)
        assert_same_bits(y, expected)
        grad, other = (torch.autograd.grad(y, x, x.detach())[0] for y in (y, expected))
        assert_same_bits(grad, other)
    assert counters["stats"]["unique_graphs"] <= 2


class OfModules(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.activations = torch.nn.ModuleList(
            [torch_elu.ELU(), torch_elu.ELU(0.3), torch_elu.CELU(2.0), torch_elu.SELU()]
        )

    def forward(self, x: Tensor) -> Tensor:
        for activation in self.activations:
            x = activation(x * 2)
        return torch_elu.elu(x)


@needs_fma
def test_with_dynamic_shapes_the_alphas_of_modules_and_defaults_stay_fixed() -> None:
    compiled, x = torch.compile(OfModules(), dynamic=True, fullgraph=True), torch.randn(1001)
    result, code = run_and_get_code(compiled, x)
    assert calls(code) == 0
    assert_same_bits(result, OfModules()(x))


# Where the kernel is called

SCRIPT = """
import logging, torch, torch_elu
logging.basicConfig(level=logging.INFO)
from torch._inductor.utils import run_and_get_code
x = torch.linspace(-3, 2, 1003)
function = lambda x: torch_elu.elu_plus_one(torch_elu.selu(x) * 2)
result, code = run_and_get_code(torch.compile(function, fullgraph=True), x)
print(code[0].count("= torch.ops.torch_elu."), torch.equal(result, function(x)))
"""


def test_without_fused_multiplication_and_addition_the_kernel_is_called_and_the_log_says_so(
    run_python: RunPython,
) -> None:
    run = run_python("-W", "ignore", "-c", SCRIPT, ATEN_CPU_CAPABILITY="default")
    assert run.stdout.split() == ["2", "True"]
    assert "Inductor calls torch_elu's kernels whole" in run.stderr


# What else Inductor does with it


def test_after_a_matrix_product_that_was_tuned() -> None:
    def function(x: Tensor, weight: Tensor) -> Pair:
        hidden = x @ weight
        return hidden, torch_elu.elu(hidden, 0.7)

    compiled = torch.compile(function, mode="max-autotune", fullgraph=True)
    hidden, y = compiled(torch.randn(32, 64), torch.randn(64, 48))
    assert_same_bits(y, torch_elu.elu(hidden, 0.7))


def test_compiled_autograd_gives_eagers_bits() -> None:
    x = torch.randn(1001, requires_grad=True)

    def gradient(function: Callable[[Tensor], Tensor]) -> Tensor:
        x.grad = None
        function(x).backward(x.detach())
        assert x.grad is not None
        return x.grad

    def function(x: Tensor) -> Tensor:
        return torch_elu.elu(torch_elu.celu(x * 2, 0.3), 0.7)

    with torch._dynamo.config.patch(compiled_autograd=True):
        result = gradient(torch.compile(function))
    assert_same_bits(result, gradient(function))

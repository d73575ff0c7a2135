"""On a GPU: the CPU's bits in every layout and at every alignment, and PyTorch's manners."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from torch import Tensor

pytest.importorskip("mpmath")
pytest.importorskip("hypothesis")
from cuda_bits import COEFFICIENTS, compare, compare_parametric, different, inputs
from cuda_sizes import staged_numel
from layouts import LAYOUTS, Dense
from references import (
    DTYPES,
    SELU,
    Coefficients,
    assert_same_bits,
    celu,
    in_range,
    many_floats,
)

if not torch.ops.torch_elu.cuda_version():
    pytest.skip("this build has no CUDA kernels", allow_module_level=True)
if not torch.cuda.is_available():
    pytest.skip("no GPU is available to PyTorch", allow_module_level=True)

DEVICE = "cuda"
ops = torch.ops.torch_elu
PLAIN = Coefficients(0.5)
EXTREME = Coefficients(-0.5, 1.0, -2.0)

parametrize_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def value(x: Tensor, grad: Tensor, c: Coefficients) -> Tensor:
    return ops.elu(x, *c)


def from_input(x: Tensor, grad: Tensor, c: Coefficients) -> Tensor:
    return ops.elu_backward(grad, *c, False, x)


def from_result(x: Tensor, grad: Tensor, c: Coefficients) -> Tensor:
    return ops.elu_backward(grad, *map(abs, c), True, x)


def plus_one(x: Tensor, grad: Tensor, c: Coefficients) -> Tensor:
    return ops.elu_plus_one(x)


def plus_one_backward(x: Tensor, grad: Tensor, c: Coefficients) -> Tensor:
    return ops.elu_plus_one_backward(grad, x)


FUNCTIONS = (value, from_input, from_result, plus_one, plus_one_backward)


def random_values(dtype: torch.dtype, *shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64).mul(3).to(dtype)


def needs_memory(gibibytes: float) -> None:
    torch.cuda.empty_cache()
    free = torch.cuda.mem_get_info()[0] / 2**30
    if free < gibibytes:
        pytest.skip(f"needs {gibibytes} GiB of the GPU's memory, and {free:.1f} are free")


# Bits


@parametrize_dtypes
@pytest.mark.parametrize("c", COEFFICIENTS.values(), ids=COEFFICIENTS.keys())
def test_bits_are_those_of_the_cpu(dtype: torch.dtype, c: tuple[float, float, float]) -> None:
    assert compare(dtype, c, DEVICE) == []


@parametrize_dtypes
def test_an_alpha_that_is_a_tensor_gives_the_cpus_bits_and_right_sums(dtype: torch.dtype) -> None:
    assert compare_parametric(dtype, DEVICE) == []


@parametrize_dtypes
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_an_alpha_that_is_a_tensor_takes_every_layout(
    layout: Callable[[Dense], Tensor], dtype: torch.dtype
) -> None:
    def results(device: str) -> list[Tensor]:
        torch.manual_seed(1)
        x = layout(lambda *shape: random_values(dtype, *shape).to(device))
        alphas = [torch.full((1,), 0.3), torch.linspace(0.2, 2, x.shape[-1] if x.dim() else 1)]
        y = [torch_elu.celu(x, alpha.to(device, dtype)) for alpha in alphas]
        assert y[0].stride() == torch_elu.elu(x).stride()
        mask = [True, True, False]
        grads = [
            ops.parametric_elu_backward(x, x, alpha.to(device, dtype), None, mask)[0]
            for alpha in alphas
        ]
        return [*y, *grads]

    for ours, expected in zip(results(DEVICE), results("cpu"), strict=True):
        assert_same_bits(ours.cpu(), expected)


def test_gradients_of_an_alpha_that_is_a_tensor_are_right_and_repeat() -> None:
    x = torch.randn(7, 5, 11, dtype=torch.float64, device=DEVICE).requires_grad_()
    for shape in ((), (5, 1), (11,), (7, 5, 11)):
        alpha = torch.rand(shape, dtype=torch.float64, device=DEVICE).add(0.4).requires_grad_()
        for function in (torch_elu.elu, torch_elu.celu):
            assert torch.autograd.gradcheck(function, (x, alpha))
            assert torch.autograd.gradgradcheck(function, (x, alpha))
    x, grad = (torch.randn(64, 32, 1000, device=DEVICE) for _ in range(2))
    for alpha in (torch.rand(32, 1, device=DEVICE), torch.rand(1000, device=DEVICE)):
        backward = [
            ops.parametric_elu_backward(grad, x, alpha, alpha, [True] * 3) for _ in range(2)
        ]
        for first, second in zip(*backward, strict=True):
            assert_same_bits(first.cpu(), second.cpu())


@parametrize_dtypes
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_layout_gives_the_cpus_bits_and_pytorchs_strides(
    layout: Callable[[Dense], Tensor], dtype: torch.dtype
) -> None:
    def on(device: str, seed: int) -> Tensor:
        torch.manual_seed(seed)
        return layout(lambda *shape: random_values(dtype, *shape).to(device))

    x, grad = on(DEVICE, 1), on(DEVICE, 2)
    assert ops.elu(x).stride() == F.elu(x).stride()
    for function in FUNCTIONS:
        for c in (PLAIN, EXTREME):
            result = function(x, grad, c)
            assert result.device == x.device
            assert_same_bits(result.cpu(), function(on("cpu", 1), on("cpu", 2), c))


@parametrize_dtypes
def test_every_start_and_length_gives_the_cpus_bits(dtype: torch.dtype) -> None:
    host_x, host_grad = random_values(dtype, 5000), random_values(dtype, 5000)
    x, grad, out = host_x.to(DEVICE), host_grad.to(DEVICE), torch.empty_like(host_x, device=DEVICE)
    expected = [function(host_x, host_grad, PLAIN) for function in FUNCTIONS]
    for length in (1, 5, 31, 32, 33, 100, 1023, 2049, 4900):
        for start in (*range(18), 31, 32, 33):
            part = slice(start, start + length)
            aligned = grad[part].clone()
            for function, want in zip(FUNCTIONS, expected, strict=True):
                assert_same_bits(function(x[part], grad[part], PLAIN).cpu(), want[part])
            assert_same_bits(from_input(x[part], aligned, PLAIN).cpu(), expected[1][part])
            for start_of_out in (0, 1, start):
                to = out.fill_(7)[start_of_out : start_of_out + length]
                ops.elu.out(x[part], *PLAIN, out=to)
                assert_same_bits(to.cpu(), expected[0][part])
                assert int((out != 7).sum()) <= length, "wrote outside"


@parametrize_dtypes
def test_staged_inputs_give_the_cpus_bits(dtype: torch.dtype) -> None:
    def of_staged_size(number_of_inputs: int, offset: int) -> Tensor:
        numel = staged_numel(dtype, number_of_inputs) + 5 + offset
        values = inputs(dtype)
        return values.repeat(numel // len(values) + 1)[:numel]

    capability = torch.cuda.get_device_capability()
    if capability < (8, 0):
        pytest.skip("needs asynchronous copies to shared memory")
    # Where there are accesses of 32 bytes, they come first: not with an output that lies otherwise.
    offset = 16 // dtype.itemsize
    results = []
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        for function in FUNCTIONS:
            x = of_staged_size(1 if function in (value, plus_one) else 2, offset)
            for name in ("elu(0.3)", "elu(-0.7)", "selu"):
                c = Coefficients(*COEFFICIENTS[name])
                got = function(x.to(DEVICE)[offset:], x.flip(0).to(DEVICE)[offset:], c)
                results.append((got, function(x[offset:], x.flip(0)[offset:], c)))
        if capability < (10, 0):
            x = of_staged_size(1, 3)
            results.append((ops.elu_(x.to(DEVICE)[3:], *PLAIN), ops.elu(x[3:], *PLAIN)))
        torch.cuda.synchronize()
    kernels = [event.name for event in profiler.events() or []]
    assert sum("staged_kernel" in name for name in kernels) == len(results), kernels
    for got, expected in results:
        assert not different(got.cpu(), expected).any()


@parametrize_dtypes
def test_rows_of_a_wider_tensor_give_the_cpus_bits(dtype: torch.dtype) -> None:
    """Those that are aligned runs of 16 bytes are accessed so, others element by element."""
    for width, columns in ((64, 32), (64, 40), (33, 16), (64, 5), (128, 64)):
        for first in (0, 8, 1):
            x, grad = random_values(dtype, 37, width), random_values(dtype, 37, width)
            part = (slice(None), slice(first, first + columns))
            for function in FUNCTIONS:
                got = function(x.to(DEVICE)[part], grad.to(DEVICE)[part], PLAIN)
                assert_same_bits(got.cpu(), function(x[part], grad[part], PLAIN))


@parametrize_dtypes
@pytest.mark.parametrize("layout", ["contiguous", "transposed", "slice with a step", "column"])
def test_in_place_writes_what_out_of_place_returns(dtype: torch.dtype, layout: str) -> None:
    torch.manual_seed(1)
    x = LAYOUTS[layout](lambda *shape: random_values(dtype, *shape).to(DEVICE))
    expected = ops.elu(x, *PLAIN)
    result = ops.elu_(x, *PLAIN)
    assert result is x
    assert_same_bits(x, expected)


def test_a_result_larger_than_the_l2_cache_has_the_same_bits() -> None:
    pattern = random_values(torch.float16, 1021).to(DEVICE)
    expected, gradient = ops.elu(pattern), from_input(pattern, pattern, PLAIN)
    x = pattern.repeat(2**27 // 1021)
    assert torch.equal(ops.elu(x).view(-1, 1021), expected.expand(2**27 // 1021, -1))
    assert torch.equal(from_input(x, x, PLAIN).view(-1, 1021), gradient.expand_as(x.view(-1, 1021)))


@pytest.mark.parametrize(
    "function",
    [
        ops.elu,
        ops.elu_,
        lambda x: ops.elu_backward(x, *PLAIN, False, x),
    ],
    ids=["forward", "in place", "backward"],
)
def test_more_than_2_to_the_31_elements(function: Callable[[Tensor], Tensor]) -> None:
    needs_memory(16)
    numel = 2**31 + 1021
    pattern = torch.linspace(-12, 3, 509, device=DEVICE).half()
    x = pattern.repeat(numel // 509 + 1)[:numel]
    y = function(x)
    del x
    expected = function(pattern)
    assert torch.equal(y[-(numel % 509) :], expected[: numel % 509])
    for chunk in y[: numel // 509 * 509].view(-1, 509).split(2**18):
        assert torch.equal(chunk, expected.expand_as(chunk))


def test_more_than_2_to_the_31_strided_elements() -> None:
    """Every second column, so that neither numbers nor offsets fit into 31 bits."""
    needs_memory(16)
    rows = 2**31 // 509 + 3
    pattern = torch.linspace(-12, 3, 509, device=DEVICE).half()
    x = pattern.repeat_interleave(2).expand(rows, -1).contiguous()[:, ::2]
    y = torch_elu.elu(x)
    del x
    expected = torch_elu.elu(pattern)
    for chunk in y.split(2**18):
        assert torch.equal(chunk, expected.expand_as(chunk))


@parametrize_dtypes
def test_empty_tensors_stay_empty(dtype: torch.dtype) -> None:
    for shape in ((0,), (3, 0, 2)):
        x = torch.empty(shape, dtype=dtype, device=DEVICE)
        assert ops.elu(x).shape == ops.elu_backward(x, *PLAIN, False, x).shape == shape
        assert ops.elu_(x) is x
        assert ops.elu.out(x, out=torch.empty_like(x)).shape == shape


# Autograd and compilers


def test_gradients_of_any_order_are_right() -> None:
    x = torch.linspace(-4, 4, 30, dtype=torch.float64, device=DEVICE).requires_grad_()
    for function in (
        torch_elu.selu,
        lambda x: torch_elu.elu(x, 0.5),
        lambda x: torch_elu.celu(x, 0.3),
        lambda x: torch_elu.elu(x, 0.5, save="output"),
        torch_elu.elu_plus_one,
    ):
        assert torch.autograd.gradcheck(function, x)
        assert torch.autograd.gradgradcheck(function, x)


@parametrize_dtypes
def test_backward_gives_the_cpus_bits(dtype: torch.dtype) -> None:
    host = random_values(dtype, 3001)
    grads = []
    for device in (DEVICE, "cpu"):
        x = host.to(device).detach().requires_grad_()
        torch_elu.elu(x, 0.5).backward(host.flip(0).to(device))
        assert x.grad is not None
        grads.append(x.grad.cpu())
    assert_same_bits(*grads)


@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.elu_plus_one])
def test_transforms_give_the_cpus_bits(function: Callable[[Tensor], Tensor]) -> None:
    x, tangent = (random_values(torch.float32, 100, 30) for _ in range(2))

    def derivatives(x: Tensor, tangent: Tensor) -> list[Tensor]:
        value, pushed = torch.func.jvp(function, (x,), (tangent,))
        gradient = torch.vmap(torch.func.grad(lambda row: function(row).sum()))(x)
        return [value, pushed, gradient]

    on_device = derivatives(x.to(DEVICE), tangent.to(DEVICE))
    for ours, expected in zip(on_device, derivatives(x, tangent), strict=True):
        assert_same_bits(ours.cpu(), expected)


@parametrize_dtypes
def test_compiled_gives_the_kernels_bits(dtype: torch.dtype) -> None:
    ops = torch.ops.torch_elu

    def results(x: Tensor, grad: Tensor) -> list[Tensor]:
        family = (Coefficients(), Coefficients(0.7), Coefficients(-0.5), SELU, celu(2.0), celu(0.3))
        y = [ops.elu(x, *c) for c in (*family, Coefficients(0.0))]
        slopes = [ops.elu_backward(grad, *c, False, x) for c in family]
        slopes += [ops.elu_backward(grad, *c, True, x) for c in family if min(c) >= 0]
        plus_one = ops.elu_plus_one(x)
        return [*y, *slopes, plus_one, ops.elu_plus_one_backward(grad, x)]

    x = torch.cat([many_floats(dtype, 500_000), in_range(dtype, 500_000, -120, 3)]).to(DEVICE)
    grad = x.flip(0)
    for ours, expected in zip(torch.compile(results)(x, grad), results(x, grad), strict=True):
        assert_same_bits(ours.cpu(), expected.cpu())


def test_a_compiled_chain_without_sums_gives_the_bits_of_its_parts() -> None:
    def chain(x: Tensor) -> Tensor:
        return torch_elu.selu(torch_elu.elu(x * 2.0, 0.5) * 3.0) * 0.5

    def value_and_gradient(function: Callable[[Tensor], Tensor]) -> list[Tensor]:
        x = random_values(torch.float32, 3001).to(DEVICE).detach().requires_grad_()
        y = function(x)
        return [y, *torch.autograd.grad(y, x, torch.ones_like(y))]

    results = value_and_gradient(torch.compile(chain))
    for ours, expected in zip(results, value_and_gradient(chain), strict=True):
        assert_same_bits(ours.cpu(), expected.cpu())


def test_scripted_model_runs_on_the_gpu() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch_elu.ELU(0.5)).to(DEVICE)
    x = torch.randn(5, 8, device=DEVICE)
    assert torch.equal(torch.jit.script(model)(x), model(x))

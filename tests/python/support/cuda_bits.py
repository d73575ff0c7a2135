"""The CUDA kernels' bits against the CPU kernels': ``python tests/python/support/cuda_bits.py``.

Needs PyTorch, a GPU and nothing else. All numbers of the half types, and millions of the others.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import torch
import torch_elu  # noqa: F401  (loads the operators)
from torch import Tensor

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
SELU = (1.6732632423543772, 1.0507009873554805, 1.0)
# alpha, scale, input_scale; those behind SELU belong to the formula for extreme coefficients.
COEFFICIENTS: dict[str, tuple[float, float, float]] = {
    "elu": (1.0, 1.0, 1.0),
    "elu(0.3)": (0.3, 1.0, 1.0),
    "elu(-0.7)": (-0.7, 1.0, 1.0),
    "celu(0.3)": (0.3, 1.0, 1 / 0.3),
    "celu(5)": (5.0, 1.0, 0.2),
    "selu": SELU,
    "celu(-0.5)": (-0.5, 1.0, -2.0),
    "elu(0)": (0.0, 1.0, 1.0),
    "elu(1e-30)": (1e-30, 1.0, 1.0),
    "elu(1e30)": (1e30, 1.0, 1.0),
    "input_scale 1e-12": (1.0, 1.0, 1e-12),
    "input_scale inf": (1.0, 1.0, math.inf),
    "alpha nan": (math.nan, 1.0, 1.0),
}
# Of an alpha that is a tensor: every path of the formula, one channel after the other.
ALPHAS = (0.3, -1.7, 1.0, 0.7, 0.0, 1e-30, 1e20, 2.0, math.nan)
DIVISORS = (0.5, 1.0, 1.0, 3.0, 1.0, 1e-6, -2.0)
MANY = 1 << 22  # too many to be staged in shared memory, which test_cuda.py has


def inputs(dtype: torch.dtype) -> Tensor:
    """Every half; else numbers of every sign and exponent, and as many where elu bends."""
    if dtype.itemsize == 2:
        return torch.arange(-(2**15), 2**15).to(torch.int16).view(dtype)
    generator = torch.Generator().manual_seed(20151123)
    integer = torch.int32 if dtype == torch.float32 else torch.int64
    lowest, highest = torch.iinfo(integer).min, torch.iinfo(integer).max
    patterns = torch.randint(lowest, highest, (MANY,), dtype=integer, generator=generator)
    special = [0.0, -0.0, math.inf, -math.inf, math.nan, torch.finfo(dtype).smallest_normal]
    near = torch.rand(MANY, dtype=torch.float64, generator=generator) * 115 - 110
    return torch.cat([patterns.view(dtype), near.to(dtype), torch.tensor(special, dtype=dtype)])


def different(a: Tensor, b: Tensor) -> Tensor:
    """Where the bits differ; one NaN is as good as another."""
    integer = {8: torch.int64, 4: torch.int32, 2: torch.int16}[a.element_size()]
    is_nan = a.isnan() & b.isnan()
    return (a.contiguous().view(integer) != b.contiguous().view(integer)) & ~is_nan


def results(x: Tensor, grad: Tensor, c: tuple[float, float, float]) -> Iterator[tuple[str, Tensor]]:
    """Forward, backward from the input and from the result, and those of elu_plus_one."""
    ops = torch.ops.torch_elu
    y = ops.elu(x, *c)
    yield "forward", y
    yield "backward", ops.elu_backward(grad, *c, False, x)
    if min(c) >= 0:
        yield "backward from the result", ops.elu_backward(grad, *c, True, y)
    if c == (1.0, 1.0, 1.0):
        y = ops.elu_plus_one(x)
        yield "elu_plus_one", y
        yield "its backward", ops.elu_plus_one_backward(grad, y)


def compare(dtype: torch.dtype, c: tuple[float, float, float], device: str = "cuda") -> list[str]:
    """A line for each operation whose bits differ."""
    x = inputs(dtype)
    grad = x.flip(0)
    lines = []
    on_device = results(x.to(device), grad.to(device), c)
    for (operation, got), (_, expected) in zip(on_device, results(x, grad, c), strict=True):
        where = different(got.cpu(), expected).nonzero().flatten()
        if len(where):
            first = where[0]
            lines.append(
                f"{operation}: {len(where)} of {len(x)} differ, the first at {x[first]!s}: "
                f"{got[first].item()!r} and on the CPU {expected[first].item()!r}"
            )
    return lines


def channels(numbers: tuple[float, ...], shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The numbers again and again."""
    count = math.prod(shape)
    whole = torch.tensor(numbers, dtype=dtype).repeat(count // len(numbers) + 1)
    return whole[:count].view(shape)


def parametric_cases(x: Tensor) -> Iterator[tuple[str, Tensor, tuple[int, ...]]]:
    """Shapes of self and of alpha: runs, columns, and elements of their own."""
    x = x[: len(x) // 4096 * 4096]
    yield "one for all", x, (1,)
    yield "channels", x.view(2, 4, -1), (4, 1)
    yield "short runs", x.view(-1, 8, 32), (8, 1)
    yield "channels last", x.view(-1, 128), (128,)
    yield "each", x.view(-1, 512), (len(x) // 512, 512)


def compare_parametric(dtype: torch.dtype, device: str = "cuda") -> list[str]:
    """A line for each case in which the bits of the value or of self's gradient differ, or where
    what alpha and the divisor learn is not what float64 gives of moderate numbers.
    """
    ops = torch.ops.torch_elu
    lines = []
    computed_in = torch.promote_types(dtype, torch.float32)
    for name, x, shape in parametric_cases(inputs(dtype)):
        grad = x.flip(0)
        alpha, divisor = (channels(c, shape, computed_in) for c in (ALPHAS, DIVISORS))
        for d in (None, divisor):
            mask = [True, True, d is not None]
            host = (x, alpha, d)
            there = tuple(None if t is None else t.to(device) for t in host)
            y = ops.parametric_elu(*there)
            of_self = ops.parametric_elu_backward(grad.to(device), *there, mask)[0]
            expected = ops.parametric_elu_backward(grad, *host, mask)[0]
            kind = f"{name}{'' if d is None else ', divisor'}"
            for operation, got, want in (
                ("value", y, ops.parametric_elu(*host)),
                ("gradient of self", of_self, expected),
            ):
                if count := int(different(got.cpu(), want).sum()):
                    lines.append(f"{operation}, {kind}: {count} of {len(want.flatten())} differ")
            lines += wrong_sums(dtype, kind, x.shape, alpha, d, device)
    return lines


def wrong_sums(
    dtype: torch.dtype,
    kind: str,
    shape: torch.Size,
    alpha: Tensor,
    divisor: Tensor | None,
    device: str,
) -> Iterator[str]:
    """Against float64, relative to the sum of the terms' sizes."""
    generator = torch.Generator().manual_seed(7)
    x, grad = (torch.randn(shape, generator=generator).to(dtype) for _ in range(2))
    alpha = alpha.nan_to_num(1.5).clamp(-2, 2)
    divisor = None if divisor is None else divisor.clamp(0.5)
    there = (None if t is None else t.to(device) for t in (grad, x, alpha, divisor))
    mask = [True, True, divisor is not None]
    sums = torch.ops.torch_elu.parametric_elu_backward(*there, mask)[1:]
    d = torch.ones((), dtype=torch.float64) if divisor is None else divisor.double()
    z = x.double().clamp(max=0) / d
    by_alpha = grad.double() * torch.expm1(z)
    by_divisor = grad.double() * -alpha.double() / d * z * torch.exp(z)
    eps = 2**-9 if dtype.itemsize == 2 else 16 * torch.finfo(dtype).eps
    for name, got, terms in zip(
        ("alpha", "the divisor"), sums, (by_alpha, by_divisor), strict=True
    ):
        if got is not None:
            error = (got.cpu().double() - terms.sum_to_size(alpha.shape)).abs()
            if bool((error > eps * terms.abs().sum_to_size(alpha.shape)).any()):
                yield f"gradient of {name}, {kind}: off by up to {error.max().item():.3g}"


def main() -> None:
    """Prints a line for each dtype and set of coefficients; exits with 1 where bits differ."""
    if not torch.cuda.is_available():
        sys.exit("no GPU is available to PyTorch: nothing was compared")
    failed = False
    for dtype in DTYPES:
        for name, c in COEFFICIENTS.items():
            lines = compare(dtype, c)
            failed |= bool(lines)
            print(f"{dtype} {name}: {'; '.join(lines) or 'the same bits'}", flush=True)
        lines = compare_parametric(dtype)
        failed |= bool(lines)
        print(f"{dtype} alpha a tensor: {'; '.join(lines) or 'the same bits'}", flush=True)
    print(f"{len(inputs(torch.float32))} float32 values, {len(inputs(torch.float16))} halves each")
    sys.exit(failed)


if __name__ == "__main__":
    main()

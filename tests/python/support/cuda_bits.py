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
    print(f"{len(inputs(torch.float32))} float32 values, {len(inputs(torch.float16))} halves each")
    sys.exit(failed)


if __name__ == "__main__":
    main()

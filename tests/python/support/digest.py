"""For test_same_bits.py: prints the instruction set in use and a digest of many results."""

from __future__ import annotations

import hashlib
import math

import torch
import torch_elu  # noqa: F401  (loads the operators)
from references import DTYPES, SELU, Coefficients, bits, celu, in_range, many_floats

COEFFICIENTS = (
    Coefficients(),
    Coefficients(0.3),
    SELU,
    celu(0.7),
    celu(5.0),
    Coefficients(0.0),
    Coefficients(-0.3),
    celu(-0.5),
    Coefficients(1e-30),
    Coefficients(1.0, 1.0, 1e-12),
)


def digest() -> str:
    hashed = hashlib.sha256()
    for dtype in DTYPES:
        x = torch.cat([many_floats(dtype, 30_000), in_range(dtype, 30_000, -120, 3)])
        grad_output = in_range(dtype, len(x), -3, 3)
        for c in COEFFICIENTS:
            y = torch.ops.torch_elu.elu(x, *c)
            results = [y, torch.ops.torch_elu.elu_backward(grad_output, *c, False, x)]
            if min(c) >= 0:
                results.append(torch.ops.torch_elu.elu_backward(grad_output, *c, True, y))
            for result in results:
                hashed.update(bits(result).numpy().tobytes())
        y = torch.ops.torch_elu.elu_plus_one(x)
        for result in (y, torch.ops.torch_elu.elu_plus_one_backward(grad_output, y)):
            hashed.update(bits(result).numpy().tobytes())
        # An alpha, and a divisor, that are tensors: of runs, of columns, of elements; sums too.
        x, grad = (in_range(dtype, 48_000, -9, 3).view(3, 100, 160) for _ in range(2))
        grad = grad.flip(0)
        computed_in = torch.promote_types(dtype, torch.float32)
        for shape in ((1,), (100, 1), (160,), (100, 160)):
            # Exact: PyTorch's own functions have other bits with another instruction set.
            alpha = (torch.arange(math.prod(shape)) % 97 + 13).to(computed_in).view(shape) / 32
            for divisor in (None, alpha + 0.125):
                mask = [True, True, divisor is not None]
                parametric = torch.ops.torch_elu.parametric_elu
                results = [parametric(x, alpha, divisor)]
                results += torch.ops.torch_elu.parametric_elu_backward(
                    grad, x, alpha, divisor, mask
                )
                for result in results:
                    if result is not None:
                        hashed.update(bits(result).numpy().tobytes())
    return hashed.hexdigest()


if __name__ == "__main__":
    print(torch.ops.torch_elu.cpu_capability(), digest())

"""Few calls of every kernel, for compute-sanitizer: ``python tests/python/support/cuda_memory.py``.

Each tensor has an allocation of its own (PYTORCH_NO_CUDA_MEMORY_CACHING), so that an access beside
it is one beside an allocation.
"""

from __future__ import annotations

import os
import sys

os.environ["PYTORCH_NO_CUDA_MEMORY_CACHING"] = "1"

import torch
import torch_elu  # noqa: F401  (loads the operators)
from cuda_sizes import staged_numel
from torch import Tensor

# Around the ends of chunks, accesses and tiles.
SIZES = (1, 7, 16, 33, 1000, 2048, 4099)
PLAIN, EXTREME = (0.5, 1.0, 1.0), (-0.5, 1.0, -2.0)


def on_gpu(host: Tensor, offset: int = 0) -> Tensor:
    """A copy that starts so many elements behind the start of an allocation, and ends with it."""
    whole = torch.cat([host.new_zeros(offset), host.flatten()]).cuda()
    return whole[offset:].view(host.shape)


def call_all(x: Tensor, grad: Tensor) -> None:
    """Every kernel, forward and backward."""
    ops = torch.ops.torch_elu
    for c in (PLAIN, EXTREME):
        ops.elu(x, *c)
        ops.elu_backward(grad, *c, False, x)
    ops.elu_backward(grad, *PLAIN, True, x)
    ops.elu.out(x, out=torch.empty_like(x))
    ops.elu_plus_one_backward(grad, ops.elu_plus_one(x))


def call_parametric(x: Tensor, grad: Tensor) -> None:
    """One alpha for all, one for each column, one for each row, one for each element."""
    ops = torch.ops.torch_elu
    rows, columns = x.shape
    for shape in ((1,), (columns,), (rows, 1), (rows, columns)):
        alpha = on_gpu(torch.full(shape, 0.7).to(x.dtype))
        for divisor in (None, on_gpu(torch.full(shape, 1.3).to(x.dtype))):
            ops.parametric_elu(x, alpha, divisor)
            ops.parametric_elu_backward(grad, x, alpha, divisor, [True, True, divisor is not None])


def main() -> None:
    """Dense operands of several sizes and alignments, and strided ones."""
    if not torch.cuda.is_available():
        sys.exit("no GPU is available to PyTorch")
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        for size in SIZES:
            host = torch.randn(size).to(dtype)
            for offset in (0, 1, 16 // dtype.itemsize):
                call_all(on_gpu(host, offset), on_gpu(host))
            torch.ops.torch_elu.elu_(on_gpu(host, 3))
        for inputs in (1, 2):  # sizes at which kernels of so many inputs stage them
            host = torch.randn(staged_numel(dtype, inputs) + 5).to(dtype)
            offset = 16 // dtype.itemsize
            call_all(on_gpu(host, offset), on_gpu(host, offset))
            torch.ops.torch_elu.elu_(on_gpu(host, 3))
        host = torch.randn(24, 48).to(dtype)
        for view in (lambda x: x.t()[::2], lambda x: x[:, :16], lambda x: x[:1].expand(5, -1)):
            call_all(view(on_gpu(host)), view(on_gpu(host)))
        for shape in ((3, 5000), (5, 256), (70, 128), (101, 7), (1, 400)):
            host = torch.randn(shape).to(dtype)
            call_parametric(on_gpu(host, 1), on_gpu(host, 1))
    torch.cuda.synchronize()
    print("every kernel was called")


if __name__ == "__main__":
    main()

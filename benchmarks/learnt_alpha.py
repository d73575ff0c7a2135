"""Forward and backward with one alpha a channel, against a number and PyTorch's operators.

    python -m benchmarks.learnt_alpha

One thread; CPU time of the fastest run of each, of ROUNDS in turn. Every result is new memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
import torch_elu
from torch import Tensor

ROUNDS = 7
SHAPES = ((64, 256, 28, 28), (4096, 256))


def fastest(contenders: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Milliseconds of the fastest run of each, of ROUNDS in turn, and of as many as take 5 ms."""
    best: dict[str, float] = {}
    repeats: dict[str, int] = {}
    for name, run in contenders.items():
        run()
        start = time.process_time()
        run()
        repeats[name] = max(1, round(5e-3 / max(time.process_time() - start, 1e-6)))
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            start = time.process_time()
            for _ in range(repeats[name]):
                run()
            of_one = (time.process_time() - start) * 1e3 / repeats[name]
            best[name] = min(best.get(name, of_one), of_one)
    return best


def step(function: Callable[..., Tensor], x: Tensor, *parameters: Tensor) -> Callable[[], object]:
    """Forward and backward."""
    operands = [t.detach().requires_grad_() for t in (x, *parameters)]
    grad = torch.ones_like(x)
    return lambda: torch.autograd.grad(function(*operands), operands, grad)


def where(x: Tensor, alpha: Tensor) -> Tensor:
    """ELU in PyTorch's operators."""
    return torch.where(x > 0, x, alpha * torch.expm1(x))


def print_shape(shape: tuple[int, ...], memory_format: torch.memory_format) -> None:
    """A line for each contender, with its time as a multiple of the number's."""
    x = torch.randn(shape).contiguous(memory_format=memory_format)
    alpha = torch.linspace(0.3, 1.7, shape[1]).view(-1, *(1 for _ in shape[2:]))
    contenders = {
        "elu(x, 0.5)": step(lambda x: torch_elu.elu(x, 0.5), x),
        "elu(x, alpha)": step(torch_elu.elu, x, alpha),
        "celu(x, 0.5)": step(lambda x: torch_elu.celu(x, 0.5), x),
        "celu(x, alpha)": step(torch_elu.celu, x, alpha),
        "torch.where": step(where, x, alpha),
    }
    print(f"{shape} {memory_format}, {torch.backends.cpu.get_cpu_capability()}, milliseconds:")
    times = fastest(contenders)
    for name, milliseconds in times.items():
        number = times["celu(x, 0.5)" if name.startswith("celu") else "elu(x, 0.5)"]
        print(f"  {name:15}{milliseconds:9.3f} ({milliseconds / number:.2f})", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for each in SHAPES:
        formats = (torch.contiguous_format, torch.channels_last) if len(each) == 4 else ()
        for layout in formats or (torch.contiguous_format,):
            print_shape(each, layout)

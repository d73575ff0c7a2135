"""Forward and backward with one alpha a channel, against a number and PyTorch's operators.

    python -m benchmarks.learnt_alpha
    python -m benchmarks.learnt_alpha --compiled

One thread; CPU time of the fastest block of each, of ROUNDS in turn. Every result is new memory.
``--compiled``: what fusing the formula would save, beside what its three paths take.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import torch
import torch_elu
from torch import Tensor

from . import record
from .tables import format_table
from .timing import fastest

ROUNDS = 7
CASES = (
    ((64, 256, 28, 28), torch.contiguous_format),
    ((64, 256, 28, 28), torch.channels_last),
    ((4096, 256), torch.contiguous_format),
)


def step(function: Callable[..., Tensor], x: Tensor, *parameters: Tensor) -> Callable[[], object]:
    """Forward and backward."""
    operands = [t.detach().requires_grad_() for t in (x, *parameters)]
    grad = torch.ones_like(x)
    return lambda: torch.autograd.grad(function(*operands), operands, grad)


def where(x: Tensor, alpha: Tensor) -> Tensor:
    """ELU in PyTorch's operators."""
    return torch.where(x > 0, x, alpha * torch.expm1(x))


def rows_of(shape: tuple[int, ...], memory_format: torch.memory_format) -> list[list[str]]:
    """A row for each contender, with its time as a multiple of the number's."""
    x = torch.randn(shape).contiguous(memory_format=memory_format)
    alpha = torch.linspace(0.3, 1.7, shape[1]).view(-1, *(1 for _ in shape[2:]))
    contenders = {
        "elu(x, 0.5)": step(lambda x: torch_elu.elu(x, 0.5), x),
        "elu(x, alpha)": step(torch_elu.elu, x, alpha),
        "celu(x, 0.5)": step(lambda x: torch_elu.celu(x, 0.5), x),
        "celu(x, alpha)": step(torch_elu.celu, x, alpha),
        "torch.where": step(where, x, alpha),
    }
    times = fastest(contenders, ROUNDS, "cpu")
    layout = str(memory_format).removeprefix("torch.")
    rows = []
    for name, milliseconds in times.items():
        number = times["celu(x, 0.5)" if name.startswith("celu") else "elu(x, 0.5)"]
        of_number = f"{milliseconds / number:.2f}"
        rows.append([f"{shape}, {layout}: {name}", f"{milliseconds:.4g}", of_number])
    return rows


def compiled_rows(n: int) -> list[list[str]]:
    """A chain with a number, which is fused, and with a tensor; and each path of the formula."""
    x, alpha = torch.randn(n), torch.full((1,), 0.3)
    numbers = {"1": 1.0, "of usual size": 0.3, "tiny": 1e-12}
    contenders: dict[str, Callable[[], object]] = {
        f"elu, alpha {name}": partial(torch_elu.elu, x, number) for name, number in numbers.items()
    }
    number_chain = torch.compile(lambda x: torch.relu(torch_elu.elu(x * 0.9, 0.3) + 0.1))
    tensor_chain = torch.compile(lambda x, a: torch.relu(torch_elu.elu(x * 0.9, a) + 0.1))
    contenders["compiled chain, number"] = lambda: number_chain(x)
    contenders["compiled chain, tensor"] = lambda: tensor_chain(x, alpha)
    with torch.inference_mode():
        times = fastest(contenders, ROUNDS, "cpu")
    return [[f"{n:,}: {name}", f"{1e6 * time / n:.2f}"] for name, time in times.items()]


def main() -> None:
    """Measures on one thread and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learnt_alpha", description=__doc__)
    record.add_option(parser)
    parser.add_argument("--compiled", action="store_true", help="the table of compiled chains")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.compiled:
        rows = [row for n in (1 << 16, 1 << 24) for row in compiled_rows(n)]
        what, page = "A compiled chain with a tensor for alpha", "under-torchcompile"
        header = ["nanoseconds an element", ""]
    else:
        rows = [row for case in CASES for row in rows_of(*case)]
        what, page = "One alpha per channel", "how-fast"
        header = ["milliseconds", "", "of the number's"]
    print(format_table(header, rows))
    record.save(arguments.json, what, f"learnt-alpha.md#{page}", header, rows)


if __name__ == "__main__":
    main()

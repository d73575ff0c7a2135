"""What a call costs by the way in which an operator is registered.

python -m benchmarks.registration
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
import torch_elu
from torch import Tensor
from torch_elu.doctor.timing import Contender, Timed, time_in_turn

from . import record
from .tables import format_table


@torch.library.custom_op("torch_elu_benchmark::elu", mutates_args=())
def elu_of_python(x: Tensor) -> Tensor:
    """The same kernel behind an operator that Python registers."""
    return torch_elu.elu(x)


@torch.library.custom_op("torch_elu_benchmark::elu_backward", mutates_args=())
def elu_backward_of_python(grad_output: Tensor, x: Tensor) -> Tensor:
    """And its gradient."""
    result: Tensor = torch.ops.torch_elu.elu_backward(grad_output, 1, 1, 1, False, x)
    return result


class EluFunction(torch.autograd.Function):
    """A function of Python around calls of pybind11."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        """The value."""
        return torch_elu.elu(x)

    @staticmethod
    def setup_context(
        ctx: torch.autograd.function.FunctionCtx, inputs: tuple[Tensor], output: Tensor
    ) -> None:
        """Saves the input."""
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """The gradient."""
        result: Tensor = torch.ops.torch_elu.elu_backward(grad, 1, 1, 1, False, *ctx.saved_tensors)
        return result


elu_of_python.register_autograd(
    lambda ctx, grad: elu_backward_of_python(grad, *ctx.saved_tensors),
    setup_context=EluFunction.setup_context,
)

WAYS = {
    "TORCH_LIBRARY, called through pybind11": torch_elu.elu,
    "TORCH_LIBRARY, called by torch.ops": torch.ops.torch_elu.elu.default,
    "torch.autograd.Function": EluFunction.apply,
    "torch.library.custom_op": elu_of_python,
}


def main() -> None:
    """Measures 16 floats on one thread, in turn, and prints microseconds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.registration", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="for a column (%(default)s)")
    record.add_option(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    grad = torch.ones(16)
    columns = []
    for statement, trains in (("f(x)", False), ("f(x)", True), ("backward(f(x), x, grad)", True)):
        x = torch.randn(16, requires_grad=trains)
        names: dict[str, object] = {"x": x, "grad": grad, "backward": torch.autograd.grad}
        contenders = [
            Timed(Contender(way, statement, {**names, "f": f})) for way, f in WAYS.items()
        ]
        columns.append(time_in_turn(contenders, 1_000_000, 0.02, arguments.seconds))
    header = ["microseconds", "without gradient", "forward", "forward and backward"]
    rows = [[way, *(f"{min(column[way]) * 1e6:.2f}" for column in columns)] for way in WAYS]
    print(format_table(header, rows))
    page = "performance.md#what-a-way-to-register-costs"
    record.save(arguments.json, "What a way to register costs", page, header, rows)


if __name__ == "__main__":
    main()

"""What is timed on a GPU: elu by direction, dtype, size and layout, calls, training steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch_elu
from torch import Tensor, nn
from torch.nn import functional
from torch_elu.doctor.timing import time_after_cuda

from .. import policy
from .timing import (
    COPY,
    NUMBER,
    OURS,
    PYTORCH,
    RELU,
    L2Flush,
    Measured,
    Run,
    time_by_clock,
    time_on_gpu,
)

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
POWERS = range(10, 29)
FEW = 16
BATCH = 4096


def make_input(dtype: torch.dtype, numel: int) -> Tensor:
    """Normally distributed, as what comes out of a layer."""
    generator = torch.Generator("cuda").manual_seed(20151123)
    pattern = torch.randn(min(numel, 1 << 20), device="cuda", generator=generator).to(dtype)
    return pattern.repeat(-(-numel // len(pattern)))[:numel]


def forward(dtype: torch.dtype, numel: int, rounds: int, flush: Run) -> Measured:
    """Into an output that exists."""
    x = make_input(dtype, numel)
    out = torch.empty_like(x)
    ours, pytorch = torch.ops.torch_elu.elu.out, torch.ops.aten.elu.out
    contenders: dict[str, Run] = {
        OURS: lambda: ours(x, out=out),
        PYTORCH: lambda: pytorch(x, out=out),
        COPY: lambda: out.copy_(x),
    }
    times = time_on_gpu(contenders, rounds, flush)
    moved = dict.fromkeys(contenders, 2 * x.nbytes)
    return measured("forward", dtype, numel, times, moved)


def backward(dtype: torch.dtype, numel: int, rounds: int, flush: Run) -> Measured:
    """From the input and from the result; PyTorch from the input."""
    x, grad = make_input(dtype, numel), make_input(dtype, numel).flip(0)
    y, out = functional.elu(x), torch.empty_like(x)
    ours, pytorch = torch.ops.torch_elu.elu_backward, torch.ops.aten.elu_backward
    contenders: dict[str, Run] = {
        OURS: lambda: ours(grad, 1, 1, 1, False, x),
        f"{OURS}, of the result": lambda: ours(grad, 1, 1, 1, True, y),
        PYTORCH: lambda: pytorch(grad, 1, 1, 1, False, x),
        COPY: lambda: out.copy_(x),
    }
    times = time_on_gpu(contenders, rounds, flush)
    moved = {name: (2 if name == COPY else 3) * x.nbytes for name in contenders}
    return measured("backward", dtype, numel, times, moved)


def measured(
    group: str,
    dtype: torch.dtype,
    numel: int,
    times: dict[str, list[float]],
    moved: dict[str, int],
) -> Measured:
    """Named by dtype and power of two."""
    short = str(dtype).removeprefix("torch.")
    return Measured(group, f"{short}, 2^{numel.bit_length() - 1}", times, short, numel, moved)


def sizes(rounds: int, powers: range = POWERS) -> Iterator[Measured]:
    """Forward and backward of every dtype and size that fits into half of the free memory."""
    flush = L2Flush()
    for dtype in DTYPES:
        for power in powers:
            numel = 1 << power
            if 5 * numel * dtype.itemsize > torch.cuda.mem_get_info()[0] // 2:
                continue
            yield forward(dtype, numel, rounds, flush)
            yield backward(dtype, numel, rounds, flush)
            torch.cuda.empty_cache()


def layouts(rounds: int, numel: int = 1 << 24) -> Iterator[Measured]:
    """Views that start anywhere, and rows of a wider tensor."""
    flush = L2Flush()
    for dtype in (torch.float32, torch.float16):
        whole = make_input(dtype, 2 * numel)
        views = {
            "starts 1 element behind": whole[1 : numel + 1],
            "half of each row": whole.view(-1, 1024)[:, :512],
            "transposed": whole[:numel].view(1 << 12, -1).t(),
            "every second element": whole[::2],
        }
        for name, x in views.items():
            contenders: dict[str, Run] = {
                OURS: lambda x=x: torch_elu.elu(x),  # type: ignore[misc]
                PYTORCH: lambda x=x: functional.elu(x),  # type: ignore[misc]
            }
            times = time_on_gpu(contenders, rounds, flush)
            short = str(dtype).removeprefix("torch.")
            yield Measured("layout", f"{short}, {name}", times, short, numel)


def learnt_alphas(rounds: int, shape: tuple[int, ...] = (64, 256, 28, 28)) -> Iterator[Measured]:
    """Forward and backward with one alpha a channel, against the same with a number."""
    flush = L2Flush()
    dtype = torch.float32
    for memory_format in (torch.contiguous_format, torch.channels_last):
        numel = math.prod(shape)
        x = make_input(dtype, numel).view(shape).contiguous(memory_format=memory_format)
        grad = torch.ones_like(x)
        alpha = torch.linspace(0.3, 1.7, shape[1], device="cuda").view(-1, 1, 1)
        for name, divisor, number in (("elu", None, 1.0), ("celu", alpha, 2.0)):
            contenders = {
                OURS: forward_and_backward(grad, x, alpha, divisor),
                NUMBER: forward_and_backward_of_number(grad, x, (0.5, 1.0, number)),
            }
            short = str(memory_format).removeprefix("torch.")
            times = time_on_gpu(contenders, rounds, flush)
            yield Measured("learnt alpha", f"{name}, {short}", times, "float32", numel)


def forward_and_backward(grad: Tensor, x: Tensor, alpha: Tensor, divisor: Tensor | None) -> Run:
    """Of an alpha that is a tensor."""
    ops = torch.ops.torch_elu
    mask = [True, True, divisor is not None]

    def run() -> None:
        ops.parametric_elu(x, alpha, divisor)
        ops.parametric_elu_backward(grad, x, alpha, divisor, mask)

    return run


def forward_and_backward_of_number(
    grad: Tensor, x: Tensor, coefficients: tuple[float, float, float]
) -> Run:
    """Of numbers."""
    ops = torch.ops.torch_elu

    def run() -> None:
        ops.elu(x, *coefficients)
        ops.elu_backward(grad, *coefficients, False, x)

    return run


def calls(rounds: int, block_seconds: float = 2e-3) -> Iterator[Measured]:
    """What the CPU spends on a call for few elements."""
    x = make_input(torch.float32, FEW)
    with_grad = x.clone().requires_grad_()
    pairs: dict[str, dict[str, Run]] = {
        f"{FEW} elements": {OURS: lambda: torch_elu.elu(x), PYTORCH: lambda: functional.elu(x)},
        f"{FEW} elements, with grad": {
            OURS: lambda: torch_elu.elu(with_grad),
            PYTORCH: lambda: functional.elu(with_grad),
        },
    }
    for name, contenders in pairs.items():
        yield Measured("call", name, time_by_clock(contenders, rounds, block_seconds))


class Trainer(policy.Trainer):
    """Stepped eagerly or as a CUDA graph."""

    def __init__(self, activation: Callable[[], nn.Module]) -> None:
        super().__init__(activation, BATCH, "cuda")

    def captured(self) -> Run:
        """The step as one CUDA graph."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step()
        return graph.replay


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    OURS: torch_elu.ELU,
    PYTORCH: nn.ELU,
    RELU: nn.ReLU,
}


def training_steps(rounds: int) -> Iterator[Measured]:
    """Eager, then captured."""
    eager: dict[str, Run] = {name: Trainer(a).step for name, a in ACTIVATIONS.items()}
    times = time_by_clock(eager, 20 * rounds, 0, time_after_cuda)
    yield Measured("training step", "eager", times, by_median=True)
    captured = {name: Trainer(a).captured() for name, a in ACTIVATIONS.items()}
    times = time_by_clock(captured, rounds, 5e-3, time_after_cuda)
    yield Measured("training step", "CUDA graph", times, by_median=True)


def kernels_of(run: Run) -> int:
    """How many kernels an execution starts, as the profiler sees it."""
    from torch.profiler import ProfilerActivity, profile

    for _ in range(3):
        run()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        run()
        torch.cuda.synchronize()
    events: list[Any] = list(profiler.events() or [])
    on_gpu = [event for event in events if str(event.device_type).endswith("CUDA")]
    return sum(not event.name.startswith(("Memcpy", "Memset")) for event in on_gpu)


def compiled_kernels() -> dict[str, dict[str, int]]:
    """Kernels of compiled functions: forward and backward of one layer, and a training step."""

    def layer(elu: Callable[[Tensor], Tensor]) -> Run:
        compiled = torch.compile(lambda x: elu(x * 2.0 + 1.0) * 3.0)
        x = torch.randn(1 << 16, device="cuda", requires_grad=True)
        return lambda: compiled(x).sum().backward()

    def network(activation: Callable[[], nn.Module]) -> Run:
        trainer = Trainer(activation)
        trainer.network.compile()
        return trainer.step

    functions = {OURS: torch_elu.elu, PYTORCH: functional.elu}
    return {
        "pointwise chain": {name: kernels_of(layer(elu)) for name, elu in functions.items()},
        "training step": {name: kernels_of(network(ACTIVATIONS[name])) for name in (OURS, PYTORCH)},
    }

"""What is kept for backward decides the memory of training, to the byte."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")
from benchmarks import memory


def test_the_peak_is_that_of_the_tensors_that_live_at_once() -> None:
    def work() -> None:
        a = torch.empty(1000, dtype=torch.uint8)
        b = torch.empty(300, dtype=torch.uint8)
        del a
        c = torch.empty(900, dtype=torch.uint8)
        del b, c

    assert memory.peak_of_allocator(work) == 1300


@pytest.mark.parametrize("kind", ["linear", "convolution"])
def test_save_output_takes_no_more_memory_than_pytorch_in_place(kind: str) -> None:
    stack = {
        "linear": memory.Stack(partial(nn.Linear, 64, 64), 4, (1024, 64)),
        "convolution": memory.Stack(partial(nn.Conv2d, 8, 8, 3, padding=1), 4, (4, 8, 16, 16)),
    }[kind]
    peaks = {
        name: memory.peak_of_allocator(partial(memory.train, stack, activation))
        for name, activation in memory.ACTIVATIONS.items()
    }
    activation_bytes = 4 * torch.Size(stack.batch).numel()
    assert peaks[memory.OURS_OUTPUT] <= peaks[memory.PYTORCH_IN_PLACE]
    assert peaks[memory.OURS] <= peaks[memory.PYTORCH]
    # One tensor less for each layer.
    assert peaks[memory.PYTORCH] - peaks[memory.OURS_OUTPUT] >= (stack.depth - 1) * activation_bytes

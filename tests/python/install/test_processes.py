"""Several processes: in place on memory that they share, and in a DataLoader's workers."""

from __future__ import annotations

from conftest import RunPython

# Each process writes every fourth row, so that neighbours in memory belong to different ones.
SHARED = """
import torch, torch_elu
from torch import multiprocessing

def work(shared, first):
    torch.set_num_threads(1)
    for _ in range(3):
        torch_elu.elu(shared[first::4], 0.5, inplace=True)

if __name__ == "__main__":
    x = torch.linspace(-5, 5, 4 * 333 * 501, dtype=torch.float32).view(4 * 333, 501)
    shared = x.clone().share_memory_()
    processes = [
        multiprocessing.get_context("fork").Process(target=work, args=(shared, first))
        for first in range(4)
    ]
    for process in processes: process.start()
    for process in processes: process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    for _ in range(3):
        x = torch_elu.elu(x, 0.5)
    assert torch.equal(shared, x)
"""


def test_in_place_on_shared_memory_from_several_processes(run_python: RunPython) -> None:
    run_python("-c", SHARED)


# The workers are forked from a process whose OpenMP threads have been at work.
DATA_LOADER = """
import torch, torch_elu

class Squared(torch.utils.data.Dataset):
    def __init__(self):
        self.layer = torch_elu.ELU(0.5)

    def __len__(self):
        return 12

    def __getitem__(self, index):
        x = torch.linspace(-5, 5, 300_001).add(index).requires_grad_()
        y = self.layer(x)
        (grad,) = torch.autograd.grad(y.sum(), x)
        return torch.stack([y.detach(), grad, torch_elu.selu(x.detach().clone(), inplace=True)])

if __name__ == "__main__":
    torch.set_num_threads(2)
    data = Squared()
    expected = torch.stack([data[index] for index in range(12)])
    for context in ("fork", None):
        loader = torch.utils.data.DataLoader(
            data, batch_size=2, num_workers=2, multiprocessing_context=context, timeout=120
        )
        assert torch.equal(torch.cat(list(loader)), expected)
"""


def test_data_loader_workers_get_the_bits_of_the_parent(run_python: RunPython) -> None:
    run_python("-c", DATA_LOADER)

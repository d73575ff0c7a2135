"""Several threads may call at once, a large call uses several, and Python goes on meanwhile."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch_elu
from conftest import RunPython
from references import assert_same_bits
from torch import Tensor


def test_many_python_threads_get_the_bits_that_one_gets() -> None:
    inputs = [torch.randn(size) for size in (1, 100, 10_000, 300_000) for _ in range(8)]

    def work(x: Tensor) -> tuple[Tensor, ...]:
        leaf = x.clone().requires_grad_()
        y, z = torch_elu.elu(leaf, 0.7), torch_elu.elu_plus_one(leaf)
        grads = [torch.autograd.grad(result.sum(), leaf)[0] for result in (y, z)]
        return y.detach(), z.detach(), *grads, torch_elu.selu(x.clone(), inplace=True)

    expected = [work(x) for x in inputs]
    with ThreadPoolExecutor(16) as pool:
        for _ in range(3):
            for results, wanted in zip(pool.map(work, inputs), expected, strict=True):
                for result, other in zip(results, wanted, strict=True):
                    assert_same_bits(result, other)


def test_sixteen_threads_that_read_one_tensor_get_the_bits_that_one_gets() -> None:
    x = torch.randn(300_001).requires_grad_()
    start = threading.Barrier(16)

    def work(_: int) -> tuple[Tensor, Tensor]:
        start.wait()
        y = torch_elu.celu(x, 0.7)
        return y.detach(), torch.autograd.grad(y.sum(), x)[0]

    y = torch_elu.celu(x, 0.7)
    expected = y.detach(), torch.autograd.grad(y.sum(), x)[0]
    with ThreadPoolExecutor(16) as pool:
        for results in pool.map(work, range(16)):
            for result, wanted in zip(results, expected, strict=True):
                assert_same_bits(result, wanted)


def test_the_number_of_threads_may_change_while_calls_are_under_way(
    threads: Callable[[int], None],
) -> None:
    # A change holds for the thread that makes it. At its first call a thread takes the last one.
    x = torch.randn(1_000_003)
    strided = torch.stack([x, x], dim=1)[:, 0]
    expected = torch_elu.elu(x)

    def work(x: Tensor) -> list[Tensor]:
        results = [torch_elu.elu(x)]
        for count in range(1, 13):
            threads(count % 4 + 1)
            results.append(torch_elu.elu(x))
            assert torch.get_num_threads() == count % 4 + 1
        return results

    with ThreadPoolExecutor(4) as pool:
        for results in pool.map(work, [x, strided, x, strided]):
            for result in results:
                assert_same_bits(result, expected)


def test_first_calls_may_come_from_many_threads_at_once(run_python: RunPython) -> None:
    # The choice of the instruction set and the look-up of the operators happen then.
    run_python(
        "-c",
        "import threading, torch, torch_elu\n"
        "start, failed = threading.Barrier(16), []\n"
        "x = torch.linspace(-3, 3, 1000)\n"
        "expected = torch.nn.functional.elu(x)\n"
        "def work():\n"
        "    start.wait()\n"
        "    if not torch.allclose(torch_elu.elu(x), expected): failed.append(1)\n"
        "threads = [threading.Thread(target=work) for _ in range(16)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "assert not failed\n",
    )


# Prints, for one thread and for three, how many of them spent CPU time in calls of an operator.
BUSY_THREADS = """
import os, sys, torch, torch_elu

def cpu_time():
    times = {}
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/schedstat") as file:
                times[task] = int(file.read().split()[0])
        except FileNotFoundError:
            pass
    return times

def busy_threads(function):
    function()  # starts the workers
    before = cpu_time()
    for _ in range(20):
        function()
    after = cpu_time()
    spent = {task: time - before.get(task, 0) for task, time in after.items()}
    total = sum(spent.values())
    return sum(time > total / 10 for time in spent.values())

x = torch.linspace(-10, 10, 4_000_000, dtype=torch.float64)
strided = torch.stack([x, x], dim=1)[:, 0]
small = torch.ones(1000)
g = torch.ones_like(x)
functions = {
    "contiguous": lambda: torch_elu.elu(x),
    "strided": lambda: torch_elu.elu(strided),
    "in place": lambda: torch_elu.elu(x, inplace=True),
    "backward": lambda: torch.ops.torch_elu.elu_backward(g, 1, 1, 1, False, x),
}
for threads in (1, 3):
    torch.set_num_threads(threads)
    for name, function in functions.items():
        print(threads, name, busy_threads(function), sep=";")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_large_call_uses_as_many_threads_as_pytorch_allows(run_python: RunPython) -> None:
    # OpenMP's workers must sleep when they have nothing to do, else their waiting counts as work.
    output = run_python(
        "-c", BUSY_THREADS, OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="0", KMP_BLOCKTIME="0"
    ).stdout
    lines = [line.split(";") for line in output.splitlines()]
    assert len(lines) == 8
    assert [(allowed, name) for allowed, name, used in lines if used != allowed] == []


def test_the_interpreter_is_free_during_a_call() -> None:
    # Without the periodic switch between threads, this one goes on before the call is done only
    # if the call gives the interpreter up. One success proves that; the machine may be too busy
    # at the first try.
    x = torch.zeros(1).expand(2**25)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        assert any(went_on_during(lambda: torch_elu.elu(x)) for _ in range(10))
    finally:
        sys.setswitchinterval(interval)


def went_on_during(call: Callable[[], object]) -> bool:
    about_to_call, done = threading.Event(), False

    def work() -> None:
        nonlocal done
        about_to_call.set()
        result = call()
        done = True
        del result  # which gives the interpreter up, too

    thread = threading.Thread(target=work)
    thread.start()
    about_to_call.wait()
    went_on = not done
    thread.join()
    return went_on

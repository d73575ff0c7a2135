"""Nothing leaks, and what cannot be allocated is an exception after which everything goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import RunPython

# Prints by how many bytes the process has grown for each call, of every kind of call.
GROWTH = """
import re, sys, torch, torch_elu

torch.set_num_threads(1)
CALLS = int(sys.argv[1])
x = torch.linspace(-3, 3, 32)
leaf = x.clone().requires_grad_()
integers = torch.ones(3, dtype=torch.int32)
out, wide_out = torch.empty(32), torch.empty(32, dtype=torch.float64)
elu_out = torch.ops.torch_elu.elu.out
scripted = torch.jit.script(torch_elu.ELU(0.5))

def raises(error, function, *arguments, **keywords):
    try:
        function(*arguments, **keywords)
    except error:
        return
    raise SystemExit("no error")

def gradient(**keywords):
    torch.autograd.grad(torch_elu.elu(leaf, 0.5, **keywords).sum(), leaf)

def gradient_of_plus_one():
    torch.autograd.grad(torch_elu.elu_plus_one(leaf).sum(), leaf)

def second_gradient():
    (slope,) = torch.autograd.grad(torch_elu.selu(leaf).sum(), leaf, create_graph=True)
    torch.autograd.grad(slope.sum(), leaf)

def overridden():
    with torch_elu.override_aten():
        torch.nn.functional.elu(x)

kinds = {
    "forward": lambda: torch_elu.elu(x, 0.5),
    "strided": lambda: torch_elu.celu(x[::2]),
    "in place": lambda: torch_elu.selu(x, inplace=True),
    "out": lambda: elu_out(x, out=out),
    "elu_plus_one": lambda: torch_elu.elu_plus_one(x),
    "gradient": gradient,
    "gradient of elu_plus_one": gradient_of_plus_one,
    "gradient from the output": lambda: gradient(save="output"),
    "second gradient": second_gradient,
    "TorchScript": lambda: scripted(x),
    "override_aten": overridden,
    "TypeError": lambda: raises(TypeError, torch_elu.elu, x, "1"),
    "not a tensor": lambda: raises(TypeError, torch_elu.elu, [1.0]),
    "ValueError": lambda: raises(ValueError, torch_elu.elu, x, save="result"),
    "NotImplementedError": lambda: raises(NotImplementedError, torch_elu.elu, integers),
    "celu of 0": lambda: raises(RuntimeError, torch_elu.celu, x, 0.0),
    "a leaf in place": lambda: raises(RuntimeError, torch_elu.elu, leaf, 1.0, True),
    "a negative alpha": lambda: raises(RuntimeError, torch_elu.elu, leaf, -1.0, save="output"),
    "another dtype of out": lambda: raises(RuntimeError, elu_out, x, out=wide_out),
}

def allocated():
    # Exact, and in kB; statm counts pages, of a size of the machine's, and with newer kernels 32 at
    # a time.
    with open("/proc/self/smaps_rollup") as file:
        return int(re.search("Anonymous: *([0-9]+) kB", file.read())[1]) * 1024

for kind, function in kinds.items():
    for _ in range(1000):
        function()
    before = allocated()
    for _ in range(CALLS):
        function()
    print(kind, (allocated() - before) / CALLS, sep=";")
"""


def growths(run_python: RunPython, calls: int) -> dict[str, float]:
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("this system does not tell how much memory a process has")
    lines = run_python("-W", "ignore", "-c", GROWTH, str(calls)).stdout.splitlines()
    assert len(lines) == 19
    return {kind: float(growth) for kind, growth in (line.split(";") for line in lines)}


def test_no_kind_of_call_leaks_with_an_exception_or_without(run_python: RunPython) -> None:
    # malloc gives out no block of less than 32 bytes; what grows once, by 100 KB, is far below.
    grown = growths(run_python, 10_000)
    assert {kind: growth for kind, growth in grown.items() if growth > 24} == {}


@pytest.mark.slow
def test_the_process_stays_as_it_is_over_1_900_000_calls(run_python: RunPython) -> None:
    grown = growths(run_python, 100_000)
    assert {kind: growth for kind, growth in grown.items() if growth > 2} == {}


# The address space is limited so that there is room for nothing of the size of x.
FAILED_ALLOCATION = """
import resource, torch, torch_elu

x = torch.linspace(-5, 5, 2**26)
ones = torch.ones(1).expand(2**26)
leaf = x.clone().requires_grad_()
y = torch_elu.elu(leaf)
expected = torch_elu.elu(x[:1000])
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 2**27, resource.RLIM_INFINITY))

calls = {
    "PyTorch's": lambda: torch.nn.functional.elu(x),
    "forward": lambda: torch_elu.elu(x),
    "strided": lambda: torch_elu.selu(x.view(2**13, 2**13).t()[:, 1:]),
    "gradient": lambda: torch.autograd.grad(y, leaf, ones, retain_graph=True),
    "out": lambda: torch.ops.torch_elu.elu.out(x, out=torch.empty(0)),
}
for _ in range(3):
    for name, function in calls.items():
        try:
            function()
        except RuntimeError as error:
            assert "can't allocate memory" in str(error), error
        else:
            raise SystemExit(f"{name}: no error")
        assert torch.equal(torch_elu.elu(x[:1000]), expected)

resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert torch.equal(torch_elu.elu(x)[:1000], expected)
torch.autograd.grad(y, leaf, ones)
torch_elu.elu(x, inplace=True)
assert torch.equal(x[:1000], expected)
"""


def test_a_failed_allocation_is_an_exception_and_everything_goes_on(
    run_python: RunPython,
) -> None:
    run_python("-W", "ignore", "-c", FAILED_ALLOCATION)

"""Large results of the CPU operators lie in huge pages, and nothing else does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import RunPython

SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
pytestmark = pytest.mark.skipif(
    not SETTING.exists() or "[madvise]" not in SETTING.read_text(),
    reason="huge pages are not set to madvise here",
)

# Prints of each result how much of its memory Linux was asked to lay into huge pages, and how much
# it laid there, in MiB.
RESULTS = """
import json, re, torch, torch_elu

def huge(tensor):
    first, advised, huge, size = tensor.data_ptr(), 0, 0, tensor.nbytes
    for mapping in re.split("\\n(?=[0-9a-f]+-[0-9a-f]+ )", open("/proc/self/smaps").read()):
        start, end = (int(part, 16) for part in mapping.split(" ")[0].split("-"))
        inside = min(end, first + size) - max(start, first)
        if inside > 0 and " hg" in re.search("VmFlags:(.*)", mapping)[1]:
            advised += inside
            huge += int(re.search("AnonHugePages: *([0-9]+) kB", mapping)[1]) * 1024
    return advised / 2**20, huge / 2**20

operators = torch.ops.torch_elu
n = 2**23  # 32 MiB
x = torch.zeros(1).expand(n)
small, image = torch.zeros(1).expand(n - 1), torch.zeros(8, 64, 128, 128)
image = image.contiguous(memory_format=torch.channels_last)
out, itself = torch.empty(n), torch.full((n,), -1.0)
leaf = torch.zeros(n, requires_grad=True)
(grad,) = torch.autograd.grad(torch_elu.elu(leaf), leaf, x)
plus_one = torch_elu.elu_plus_one(x)
print(json.dumps({
    "elu": huge(torch_elu.elu(x)),
    "celu": huge(torch_elu.celu(x.to(torch.float64), 0.5)),
    "channels last": huge(torch_elu.elu(image)),
    "contiguous": huge(torch_elu.elu(leaf.detach())),
    "gradient": huge(grad),
    "elu_plus_one": huge(plus_one),
    "gradient of elu_plus_one": huge(operators.elu_plus_one_backward(x, plus_one)),
    "smaller": huge(torch_elu.elu(small)),
    "out": huge(operators.elu.out(x, out=out)),
    "in place": huge(torch_elu.elu(itself, inplace=True)),
    "PyTorch": huge(torch.nn.functional.elu(x)),
}))
"""
LARGE = {
    "elu",
    "celu",
    "channels last",
    "contiguous",
    "gradient",
    "elu_plus_one",
    "gradient of elu_plus_one",
}


def results(run_python: RunPython, **environment: str) -> dict[str, tuple[float, float]]:
    found = json.loads(run_python("-c", RESULTS, THP_MEM_ALLOC_ENABLE="", **environment).stdout)
    assert set(found) > LARGE
    return {name: tuple(mebibytes) for name, mebibytes in found.items()}


def test_results_of_32_mebibytes_and_more_are_in_huge_pages_and_nothing_else(
    run_python: RunPython,
) -> None:
    found = results(run_python)
    assert {name for name, (advised, _) in found.items() if advised >= 30} == LARGE
    assert {name for name, (advised, _) in found.items() if advised > 0} == LARGE
    assert {name for name, (_, huge) in found.items() if huge > 0} == LARGE


def test_an_environment_variable_turns_them_off(run_python: RunPython) -> None:
    found = results(run_python, TORCH_ELU_HUGE_PAGES="0")
    assert {name: mebibytes for name, mebibytes in found.items() if mebibytes != (0, 0)} == {}


# Prints by how many MiB the process has grown after 1,000 results of which eight live at a time.
# The C library gives back first what it would keep by chance.
GROWTH = """
import ctypes, random, re, torch, torch_elu

def allocated():
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/smaps_rollup") as file:
        return int(re.search("Anonymous: *([0-9]+) kB", file.read())[1]) / 1024

choose = random.Random(3)
one, held = torch.zeros(1), [None] * 8
torch_elu.elu(one)
before = allocated()
for call in range(1000):
    mebibytes = choose.uniform(32, 40) if call % 50 == 7 else 2 ** choose.uniform(-10, 1)
    held[choose.randrange(8)] = torch_elu.elu(one.expand(int(mebibytes * 2**18)))
held.clear()
print(allocated() - before)
"""


def test_a_process_grows_no_more_with_them_than_without(run_python: RunPython) -> None:
    grown, grown_without = (
        float(run_python("-c", GROWTH, TORCH_ELU_HUGE_PAGES=wanted).stdout) for wanted in ("1", "0")
    )
    assert grown <= grown_without + 1

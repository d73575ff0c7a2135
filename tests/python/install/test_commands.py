"""``python -m torch_elu check`` and ``bench``: what they print, and that a fault is found."""

from __future__ import annotations

import contextlib
import math
import re
import runpy
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch_elu
from conftest import RunPython
from torch_elu import _C, __main__, _build_info, _library
from torch_elu.doctor import bench as _bench
from torch_elu.doctor import check as _check
from torch_elu.doctor import timing as _timing

Function = Callable[..., Any]


def test_check_goes_through_every_part_and_finds_it_right(run_python: RunPython) -> None:
    result = run_python("-m", "torch_elu", "check")
    assert "Warning" not in result.stderr
    printed = result.stdout.splitlines()
    names = [re.split(r"  +", line)[1] for line in printed]
    assert names == list(_check.CHECKS)
    assert {line.split()[0] for line in printed} <= {"ok", "skipped"}
    assert not [line for line in printed if line.startswith("skipped") and "CUDA" not in line]


def exit_status(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["torch_elu", *arguments])
    with pytest.raises(SystemExit) as exited:
        runpy.run_module("torch_elu", run_name="__main__")
    return exited.value.code


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
def test_a_fault_is_named_and_is_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise RuntimeError("it is broken")

    monkeypatch.setattr(_check, "CHECKS", {"right": lambda: None, "wrong": broken})
    assert exit_status(monkeypatch, "check") == 1
    printed = capsys.readouterr().out
    assert re.search(r"^ok +right$", printed, re.MULTILINE)
    assert re.search(r"^FAILED +wrong +RuntimeError: it is broken$", printed, re.MULTILINE)
    assert "1 of 2 checks failed" in printed
    assert "built with compiler" in printed  # what a bug report needs
    monkeypatch.setattr(_check, "CHECKS", {"right": lambda: None})
    assert exit_status(monkeypatch, "check") == 0


def test_without_a_cpp_compiler_compiling_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor.exc import InvalidCxxCompiler

    def fails(function: Function, **_: Any) -> Function:
        raise RuntimeError("in the backend") from InvalidCxxCompiler()

    monkeypatch.setattr(_check, "CHECKS", {"torch.compile": _check.CHECKS["torch.compile"]})
    monkeypatch.setattr(torch, "compile", fails)
    assert list(_check.results()) == [
        ("skipped", "torch.compile", "Inductor finds no C++ compiler")
    ]


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
def test_the_report_stands_in_two_columns_and_says_what_a_bug_report_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_build_info, "cuda_version", "13.2")
    monkeypatch.setattr(_build_info, "cuda_architectures", "80;90")
    monkeypatch.setattr(_library, "without_cuda", "")
    monkeypatch.setattr(torch.version, "cuda", None)
    assert exit_status(monkeypatch) == 0
    lines = capsys.readouterr().out.splitlines()
    (values,) = {re.match(r"[^:]+: +", line).end() for line in lines}
    found = {line[:values].rstrip(" :"): line[values:] for line in lines}
    assert all(found.pop(name) for name in ("built with compiler", "Python", "system", "GPU"))
    assert ".".join(torch.__version__.split(".")[:2]) in found.pop("built for PyTorch")
    assert found.pop("calls").startswith(
        "directly" if _C.__name__ == "torch_elu._C" else "through torch.ops, since this torch_elu"
    )
    assert found == {
        "torch_elu": torch_elu.__version__,
        "library": torch_elu.library_path,
        "PyTorch": f"{torch.__version__} (CUDA none)",
        "CPU instruction set": torch.ops.torch_elu.cpu_capability(),
        "CPU threads": str(torch.get_num_threads()),
        "CUDA kernels": "built with CUDA 13.2 for 80, 90",
    }
    monkeypatch.setattr(_library, "without_cuda", "not built")
    assert "not built; GPUs use PyTorch's own elu" in __main__.report()


def cancelling(x: torch.Tensor, *arguments: Any) -> torch.Tensor:
    return torch.where(x > 0, x, x.exp() - 1)


def lost_nan(x: torch.Tensor, *arguments: Any) -> torch.Tensor:
    return torch_elu.elu(x, *arguments).nan_to_num(0.0, math.inf, -math.inf)


def wrong_gradient(x: torch.Tensor) -> torch.Tensor:
    return torch_elu.elu(x.detach()) + x - x.detach()


def without_curvature(x: torch.Tensor) -> torch.Tensor:
    z = x.detach().requires_grad_()
    y = torch_elu.elu(z)
    (slope,) = torch.autograd.grad(y.sum(), z)
    return y.detach() + (x - x.detach()) * slope


def breaking_the_graph(x: torch.Tensor) -> torch.Tensor:
    torch._dynamo.graph_break()
    return torch_elu.elu(x)


def compiled_to_pytorchs(function: Function, **_: Any) -> Function:
    return torch.nn.functional.elu


def does_not_compile(function: Function, **_: Any) -> Function:
    raise RuntimeError("it does not compile")


FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        f"inexact {dtype}": ("CPU", {"DTYPES": [dtype], "elu": cancelling})
        for dtype in _check.DTYPES
    },
    "a number for NaN": ("CPU", {"elu": lost_nan}),
    "gradient": ("autograd", {"elu": wrong_gradient}),
    "second derivative": ("autograd", {"elu": without_curvature}),
    "gradient of selu": ("autograd", {"selu": wrong_gradient}),
    "gradient of celu": ("autograd", {"celu": wrong_gradient}),
    "script": ("TorchScript", {"ELU": torch.nn.ELU}),
    "compiled": ("torch.compile", {"torch.compile": compiled_to_pytorchs}),
    "a graph break": ("torch.compile", {"elu": breaking_the_graph}),
    "not compiled": ("torch.compile", {"torch.compile": does_not_compile}),
    "no conversion": ("existing models", {"convert": lambda model: model}),
    "no override": ("existing models", {"override_aten": contextlib.nullcontext}),
    "no headers": ("C++", {"include_paths": lambda: ["/elsewhere"]}),
    "no CMake package": ("C++", {"cmake_prefix_path": "/elsewhere"}),
}


@pytest.mark.parametrize(("check", "faults"), FAULTS.values(), ids=FAULTS.keys())
def test_each_check_can_fail(
    check: str, faults: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_check, "CHECKS", {check: _check.CHECKS[check]})
    assert [status for status, _, _ in _check.results()] == ["ok"]
    for name, fault in faults.items():
        monkeypatch.setattr(f"torch_elu.doctor.check.{name}", fault)
    assert [status for status, _, _ in _check.results()] == ["FAILED"]


def test_bench_measures_for_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[float] = []
    monkeypatch.setattr(__main__, "bench", lambda seconds: measured.append(seconds) or 0)
    for options in ([], ["--seconds", "2.5"], ["--seconds", "0"]):
        monkeypatch.setattr(sys, "argv", ["torch_elu", "bench", *options])
        assert __main__.main() == 0
    assert measured == [18, 2.5, 0]


def test_bench_prints_a_row_for_each_call(run_python: RunPython) -> None:
    command = ("-m", "torch_elu", "bench", "--seconds", "0.5", "--threads", "1")
    printed = run_python(*command).stdout
    assert "CPU threads: 1," in printed
    rows = [re.split(r" *\| *", line)[1:-1] for line in printed.splitlines() if line[:1] == "|"]
    assert "inplace=True" in printed.splitlines()[-1]  # its results are no new tensors
    header, _, *body = rows
    assert header[-3:] == ["torch_elu.elu, us", "F.elu, us", "speedup"]
    assert len(body) == len(_bench.CPU_ROWS) + len(_bench.CUDA_ROWS) * torch.cuda.is_available()
    for row in body:
        ours, pytorch, speedup = map(float, row[-3:])
        assert ours > 0
        assert speedup == pytest.approx(pytorch / ours, rel=0.02, abs=0.01)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--threads", "0", "expected 1 or more, but got 0"),
        ("--threads", "-2", "expected 1 or more, but got -2"),
        ("--threads", "two", "invalid count value: 'two'"),
        ("--seconds", "nan", "expected 0 or more seconds, but got nan"),
        ("--seconds", "inf", "expected 0 or more seconds, but got inf"),
        ("--seconds", "-1", "expected 0 or more seconds, but got -1"),
    ],
)
def test_bench_refuses_what_is_no_number_of_threads_or_seconds(
    option: str,
    value: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(__main__, "bench", lambda seconds: 0)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    monkeypatch.setattr(sys, "argv", ["torch_elu", "bench", f"{option}={value}"])
    with pytest.raises(SystemExit) as error:
        __main__.main()
    assert error.value.code == 2
    assert f"argument {option}: {message}" in capsys.readouterr().err


def test_bench_calls_what_its_columns_say(monkeypatch: pytest.MonkeyPatch) -> None:
    called: dict[str, set[tuple[int, torch.dtype]]] = {name: set() for name in _bench.FUNCTIONS}

    def recording(name: str, function: Function) -> Function:
        def call(x: torch.Tensor, **options: bool) -> Any:
            called[name].add((x.numel(), x.dtype))
            return function(x, **options)

        return call

    recorded = {name: recording(name, function) for name, function in _bench.FUNCTIONS.items()}
    assert list(_bench.FUNCTIONS.values()) == [torch_elu.elu, torch.nn.functional.elu]
    monkeypatch.setattr(_bench, "FUNCTIONS", recorded)
    for statement in (_bench.FORWARD, _bench.TRAINING, _bench.IN_PLACE):
        times = _bench.measure(_bench.Row(statement, 100, torch.float64), seconds=0.01)
        assert times.keys() == recorded.keys()
    assert set(map(frozenset, called.values())) == {frozenset({(100, torch.float64)})}


def test_contenders_take_turns_and_each_begins_a_round() -> None:
    order: list[str] = []
    contenders = [
        _timing.Timed(_timing.Contender(name, "order.append(name)", {"order": order, "name": name}))
        for name in "abc"
    ]
    samples = _timing.time_in_turn(contenders, rounds=3, block_seconds=0, seconds=60)
    assert {name: len(times) for name, times in samples.items()} == dict.fromkeys("abc", 3)
    assert "".join(order) == "aabbcc" + "abc" + "bca" + "cab"

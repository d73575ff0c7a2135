"""decompositions(): programs for those who know ATen's operators alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch_elu
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

aten = torch.ops.aten
ours = torch.ops.torch_elu


def targets(graph: torch.fx.Graph) -> list[str]:
    return [str(node.target) for node in graph.nodes if node.op == "call_function"]


class InPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch_elu.elu(x * 2, 0.3, inplace=True)


OF_OTHERS = {"aten.gt.Scalar", "aten.mul.Tensor", "aten.expm1.default", "aten.where.self"}
MODULES: dict[str, tuple[nn.Module, set[str]]] = {
    "ELU": (torch_elu.ELU(0.3), {"aten.elu.default"}),
    "ELU in place": (InPlace(), {"aten.mul.Tensor", "aten.elu.default"}),
    "ELU that saves its output": (torch_elu.ELU(0.3, save="output"), {"aten.elu.default"}),
    "SELU": (torch_elu.SELU(), OF_OTHERS),
    "CELU": (torch_elu.CELU(0.7), OF_OTHERS),
}
TABLES = {
    "alone": torch_elu.decompositions,
    "with PyTorch's": lambda: {
        **torch.export.default_decompositions(),
        **torch_elu.decompositions(),
    },
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
@pytest.mark.parametrize(("module", "expected"), MODULES.values(), ids=MODULES.keys())
@pytest.mark.parametrize("is_dynamic", [False, True], ids=["static", "dynamic"])
def test_an_exported_program_calls_aten_and_computes_what_aten_does(
    is_dynamic: bool,
    module: nn.Module,
    expected: set[str],
    table: Callable[[], dict[object, object]],
) -> None:
    shapes = ({0: torch.export.Dim("n", min=2)},) if is_dynamic else None
    program = torch.export.export(module, (torch.randn(5, 3),), dynamic_shapes=shapes)
    decomposed = program.run_decompositions(table())
    assert set(targets(decomposed.graph)) == expected
    x = torch.randn(9 if is_dynamic else 5, 3) * 4
    torch.testing.assert_close(decomposed.module()(x), module(x))


def test_a_program_of_elu_computes_the_bits_of_pytorch() -> None:
    program = torch.export.export(torch_elu.ELU(0.3), (torch.randn(5, 3),))
    x = torch.randn(5, 3) * 4
    decomposed = program.run_decompositions(torch_elu.decompositions())
    assert torch.equal(decomposed.module()(x), nn.functional.elu(x, 0.3))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_selu_of_other_dtypes_is_rounded_once(dtype: torch.dtype) -> None:
    x = torch.linspace(-8, 2, 1001, dtype=dtype)
    program = torch.export.export(torch_elu.SELU(), (x,))
    decomposed = program.run_decompositions(torch_elu.decompositions()).module()(x)
    assert decomposed.dtype == dtype
    exact = nn.functional.selu(x.double())
    ulp = torch.finfo(dtype).eps * exact.abs().clamp(min=torch.finfo(dtype).tiny)
    assert (
        (decomposed.double() - exact).abs() <= (0.51 if dtype != torch.float64 else 3) * ulp
    ).all()


def test_the_default_table_keeps_our_operator() -> None:
    program = torch.export.export(torch_elu.ELU(), (torch.randn(3),))
    assert targets(program.run_decompositions().graph) == ["torch_elu.elu.default"]


def test_a_table_is_the_callers_own() -> None:
    torch_elu.decompositions().clear()
    assert torch_elu.decompositions()


def with_gradient(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], list[Tensor]]:
    def run(x: Tensor) -> list[Tensor]:
        x = x.detach().requires_grad_()
        y = function(x)
        return [y, *torch.autograd.grad(y.square().sum(), x)]

    return run


FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], set[str]]] = {
    "elu": (lambda x: torch_elu.elu(x, 0.3), {"aten.elu.default", "aten.elu_backward.default"}),
    "elu, output saved": (
        lambda x: torch_elu.elu(x, 0.3, save="output"),
        {"aten.elu.default", "aten.elu_backward.default"},
    ),
    "elu in place": (
        lambda x: torch_elu.elu(x * 1, 0.3, inplace=True),
        {"aten.elu_.default", "aten.elu_backward.default"},
    ),
    "celu": (lambda x: torch_elu.celu(x, 0.7), OF_OTHERS | {"aten.elu_backward.default"}),
    "elu_plus_one": (
        torch_elu.elu_plus_one,
        {"aten.gt.Scalar", "aten.add.Tensor", "aten.exp.default", "aten.where.self"},
    ),
}


@pytest.mark.parametrize("tracing_mode", ["real", "fake", "symbolic"])
@pytest.mark.parametrize(("function", "expected"), FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_make_fx_decomposes_forward_and_backward(
    function: Callable[[Tensor], Tensor], expected: set[str], tracing_mode: str
) -> None:
    run = with_gradient(function)
    traced = make_fx(run, torch_elu.decompositions(), tracing_mode=tracing_mode)(torch.randn(7, 2))
    assert not [name for name in targets(traced.graph) if "torch_elu" in name]
    assert expected <= set(targets(traced.graph))
    x = torch.randn(11 if tracing_mode == "symbolic" else 7, 2, dtype=torch.float64) * 3
    torch.testing.assert_close(traced(x), run(x), rtol=1e-13, atol=0)


def test_out_is_decomposed() -> None:
    traced = make_fx(
        lambda x, out: ours.elu.out(x, 0.3, 1.7, 0.6, out=out), torch_elu.decompositions()
    )(torch.randn(3), torch.empty(3))
    assert targets(traced.graph) == ["aten.elu.out"]


def test_coefficients_that_data_or_sizes_tell_are_passed_on() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
            return torch_elu.elu(x, alpha.item()), torch_elu.celu(x, x.shape[0] / 4)

    program = torch.export.export(
        Model(),
        (torch.randn(5), torch.tensor(0.3)),
        dynamic_shapes=({0: torch.export.Dim("n")}, {}),
    )
    decomposed = program.run_decompositions(torch_elu.decompositions())
    assert "torch_elu" not in str(decomposed.graph)
    x = torch.randn(9, dtype=torch.float32)
    y, z = decomposed.module()(x, torch.tensor(0.5))
    assert torch.equal(y, torch.nn.functional.elu(x, 0.5))
    torch.testing.assert_close(z, torch.nn.functional.celu(x, 9 / 4))


def test_half_and_nan_come_out_as_from_aten() -> None:
    x = torch.tensor([float("nan"), -float("inf"), -0.0, 0.0, float("inf")])
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        run = with_gradient(torch_elu.elu_plus_one)
        traced = make_fx(run, torch_elu.decompositions())(x.to(dtype))
        torch.testing.assert_close(traced(x.to(dtype)), run(x.to(dtype)), equal_nan=True)


def test_a_saved_program_runs_in_a_process_without_this_package(tmp_path: Path) -> None:
    program = torch.export.export(nn.Sequential(torch_elu.ELU(0.3)), (torch.ones(2, 3),))
    torch.export.save(
        program.run_decompositions(torch_elu.decompositions()), tmp_path / "model.pt2"
    )
    code = (
        "import sys, torch\n"
        "print(torch.export.load(sys.argv[1]).module()(-torch.ones(2, 3)).tolist())\n"
        "assert not any(name.split('.')[0] == 'torch_elu' for name in sys.modules)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.pt2")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(torch.nn.functional.elu(-torch.ones(2, 3), 0.3).tolist())

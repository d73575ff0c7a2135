"""The operator in graphs: opcheck, torch.compile, torch.export, AOTInductor, TorchScript."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torch_elu
from reference import DTYPES, LAYOUTS
from torch import Tensor
from torch.library import opcheck

ops = torch.ops.torch_elu
BATCH = ({0: torch.export.Dim.DYNAMIC},)


class Model(torch.nn.Module):
    """Each overload."""

    def __init__(self) -> None:
        super().__init__()
        self.elu = torch_elu.ELU(0.5)

    def forward(self, x: Tensor) -> Tensor:
        overwritten = torch_elu.elu(x * 1, 0.25, inplace=True)
        return self.elu(x) + overwritten + ops.elu.out(x, 2.0, out=torch.empty_like(x))


def operands(x: Tensor) -> Iterator[tuple[torch._ops.OpOverload, tuple[object, ...]]]:
    yield ops.elu.default, (x, 0.3)
    yield ops.elu_backward.default, (torch.randn_like(x), 0.3, False, x)
    yield ops.elu_backward.default, (torch.randn_like(x).requires_grad_(), 0.3, True, x)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_opcheck_passes_for_every_layout(layout: Callable[[Tensor], Tensor]) -> None:
    without_compiling = ("test_schema", "test_autograd_registration", "test_faketensor")
    x = layout(torch.randn(4, 6, 7, 9))
    out = {"out": torch.empty_like(x)}
    opcheck(ops.elu.out, (x, 0.3), out, test_utils=without_compiling)
    opcheck(ops.elu_.default, (x.clone(), 0.3), test_utils=without_compiling)
    for op, arguments in operands(x.detach().requires_grad_()):
        opcheck(op, arguments, test_utils=without_compiling)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_opcheck_passes_for_every_dtype(dtype: torch.dtype) -> None:
    x = torch.randn(3, 4, dtype=dtype)
    opcheck(ops.elu_.default, (x.clone(), 0.3))
    for op, arguments in operands(x.requires_grad_()):
        opcheck(op, arguments)


def test_meta_tensors_have_the_shape_and_refuse_other_dtypes() -> None:
    result = torch_elu.elu(torch.empty(3, 4, device="meta").t())
    assert result.shape == (4, 3)
    assert result.stride() == (1, 4)
    with pytest.raises(RuntimeError, match=r"torch_elu::elu"):
        torch_elu.elu(torch.empty(2, dtype=torch.int32, device="meta"))


def test_compiled_values_and_gradients_are_the_eager_ones() -> None:
    model = Model()
    compiled = torch.compile(model, fullgraph=True, dynamic=True)
    function = torch.compile(lambda x: torch_elu.elu(x, 0.5).sum(), fullgraph=True, dynamic=True)
    for size in (3, 5):
        x = torch.randn(size, 4, requires_grad=True)
        torch.testing.assert_close(compiled(x.detach()), model(x.detach()))
        (gradient,) = torch.autograd.grad(function(x), x)
        (expected,) = torch.autograd.grad(torch_elu.elu(x, 0.5).sum(), x)
        torch.testing.assert_close(gradient, expected)


def test_an_exported_program_is_saved_and_loaded(tmp_path: Path) -> None:
    model, path = Model(), tmp_path / "model.pt2"
    program = torch.export.export(model, (torch.randn(4, 3),), dynamic_shapes=BATCH)
    torch.export.save(program, path)
    x = torch.randn(7, 3)
    torch.testing.assert_close(torch.export.load(path).module()(x), model(x))
    targets = [str(node.target) for node in program.run_decompositions().graph.nodes]
    assert targets.count("torch_elu.elu.default") == 3  # without elu_ and elu.out


def test_an_aotinductor_package_runs(tmp_path: Path) -> None:
    model, path = Model(), str(tmp_path / "model.pt2")
    program = torch.export.export(model, (torch.randn(4, 3),), dynamic_shapes=BATCH)
    torch._inductor.aoti_compile_and_package(program, package_path=path)
    package = torch._inductor.aoti_load_package(path)
    x = torch.randn(7, 3)
    torch.testing.assert_close(package(x), model(x))


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_scripted_model_is_saved_loaded_and_differentiated() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch_elu.ELU(0.5), torch.nn.Linear(4, 1))
    x = torch.randn(7, 3)
    for script in (torch.jit.script(model), torch.jit.trace(model, x)):
        buffer = io.BytesIO()
        torch.jit.save(script, buffer)
        buffer.seek(0)
        loaded = torch.jit.load(buffer)
        torch.testing.assert_close(loaded(x), model(x))
        assert "torch_elu::elu" in str(loaded.inlined_graph)
        loaded(x).sum().backward()
        model.zero_grad()
        model(x).sum().backward()
        gradient = dict(loaded.named_parameters())["0.weight"].grad
        torch.testing.assert_close(gradient, model[0].weight.grad)

"""An alpha that is a tensor in graphs: opcheck, compile, export, decompositions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch_elu
from references import assert_same_bits
from torch import Tensor, nn
from torch.library import opcheck

ops = torch.ops.torch_elu
MODULES = {
    "ParametricELU": lambda: torch_elu.ParametricELU(3, init=0.7),
    "ParametricCELU": lambda: torch_elu.ParametricCELU(3, init=0.7),
    "PELU": lambda: torch_elu.PELU(3, a=0.7, b=1.2),
}
parametrize_modules = pytest.mark.parametrize("make", MODULES.values(), ids=MODULES.keys())


@pytest.mark.parametrize("shape", [(), (3, 1), (4,), (2, 3, 4), (5, 1, 1, 1)], ids=str)
@pytest.mark.parametrize("has_divisor", [False, True], ids=["", "divisor"])
def test_opcheck_passes(has_divisor: bool, shape: tuple[int, ...]) -> None:
    x, alpha = torch.randn(2, 3, 4, requires_grad=True), torch.rand(shape, requires_grad=True)
    divisor = (torch.rand(shape) + 0.5).requires_grad_() if has_divisor else None
    opcheck(ops.parametric_elu.default, (x, alpha, divisor))
    shape_of_result = torch.broadcast_shapes(x.shape, shape)
    grad = torch.randn(shape_of_result, requires_grad=True)
    mask = [True, True, has_divisor]
    opcheck(ops.parametric_elu_backward.default, (grad, x, alpha, divisor, mask))


@parametrize_modules
def test_meta_tensors_get_the_layout_of_real_ones(make: Callable[[], nn.Module]) -> None:
    for x in (torch.randn(2, 3, 4), torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)):
        real, meta = make()(x), make().to("meta")(x.to("meta"))
        assert (meta.shape, meta.stride(), meta.dtype) == (real.shape, real.stride(), real.dtype)


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
@parametrize_modules
def test_compiled_in_one_graph_it_gives_eagers_bits(
    make: Callable[[], nn.Module], backend: str
) -> None:
    torch.compiler.reset()
    module = make()
    compiled = torch.compile(module, fullgraph=True, backend=backend, dynamic=True)
    for size in (5, 7):
        x = torch.randn(2, 3, size)
        outputs, gradients = [], []
        for call in (module, compiled):
            module.zero_grad()
            y = call(x)
            y.sum().backward()
            outputs.append(y.detach())
            gradients.append([p.grad.clone() for p in module.parameters() if p.grad is not None])
        assert_same_bits(*outputs)
        for ours, theirs in zip(*gradients, strict=True):
            torch.testing.assert_close(ours, theirs)


def test_functions_compile_with_an_alpha_that_is_a_tensor() -> None:
    torch.compiler.reset()
    x = torch.randn(2, 3)
    for function in (torch_elu.elu, torch_elu.celu):
        compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
        for alpha in (torch.rand(3) + 0.3, torch.tensor(0.7, requires_grad=True)):
            assert_same_bits(compiled(x, alpha), function(x, alpha))


@parametrize_modules
def test_an_exported_program_holds_the_operator_and_decomposes_to_where(
    make: Callable[[], nn.Module],
) -> None:
    module, x = make(), torch.randn(2, 3, 4)
    program = torch.export.export(
        module, (x,), dynamic_shapes={"input": {0: torch.export.Dim("n")}}
    )
    assert "torch_elu.parametric_elu.default" in program.graph_module.code
    assert_same_bits(program.module()(x[:1]), module(x[:1]))
    table = {**torch.export.default_decompositions(), **torch_elu.decompositions()}
    decomposed = program.run_decompositions(table)
    assert "torch_elu" not in decomposed.graph_module.code
    assert "aten.where" in decomposed.graph_module.code
    torch.testing.assert_close(decomposed.module()(x), module(x))


def test_an_aotinductor_package_gives_the_same_bits(tmp_path: Path) -> None:
    model, path = nn.Sequential(*(make() for make in MODULES.values())), str(tmp_path / "model.pt2")
    batch = {"input": {0: torch.export.Dim("n")}}
    program = torch.export.export(model, (torch.randn(2, 3, 4),), dynamic_shapes=batch)
    torch._inductor.aoti_compile_and_package(program, package_path=path)
    package = torch._inductor.aoti_load_package(path)
    for size in (1, 50):
        x = torch.randn(size, 3, 4)
        assert_same_bits(package(x), model(x))


@pytest.mark.parametrize("has_divisor", [False, True], ids=["", "divisor"])
def test_make_fx_decomposes_the_backward(has_divisor: bool) -> None:
    x, alpha = torch.tensor([-3.0, -0.0, 0.0, 2.0, 200.0]), torch.tensor([0.7])
    divisor = torch.tensor([1.3]) if has_divisor else None
    mask = [True, True, has_divisor]

    def backward(*tensors: Tensor) -> tuple[Tensor, ...]:
        grads = ops.parametric_elu_backward(*tensors, divisor, mask)
        return tuple(grad for grad in grads if grad is not None)

    grad = torch.randn(5)
    traced = torch.fx.experimental.proxy_tensor.make_fx(
        backward, decomposition_table=torch_elu.decompositions()
    )(grad, x, alpha)
    assert "torch_elu" not in traced.code
    torch.testing.assert_close(traced(grad, x, alpha), backward(grad, x, alpha))


def test_vmap_over_alpha_compiles() -> None:
    torch.compiler.reset()
    x, alphas = torch.randn(5), torch.rand(4) + 0.3

    def each(alphas: Tensor) -> Tensor:
        return torch.vmap(lambda a: torch_elu.elu(x, a))(alphas)

    compiled = torch.compile(each, fullgraph=True, backend="aot_eager")
    assert_same_bits(compiled(alphas), each(alphas))

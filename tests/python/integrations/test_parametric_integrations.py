"""An alpha that is a tensor in ONNX and on a mesh, and for subclasses of torch.Tensor."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest
import torch
import torch_elu
from references import assert_same_bits
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

MODULES = {
    "ParametricELU": lambda: torch_elu.ParametricELU(3, init=0.7),
    "ParametricCELU": lambda: torch_elu.ParametricCELU(3, init=0.7),
    "PELU": lambda: torch_elu.PELU(3, a=0.7, b=1.2),
}
parametrize_modules = pytest.mark.parametrize("make", MODULES.values(), ids=MODULES.keys())


@pytest.mark.filterwarnings("ignore")  # the exporter's own
@pytest.mark.parametrize("dynamo", [True, False])
@parametrize_modules
def test_onnxruntime_computes_it_from_basic_operators(
    make: Callable[[], nn.Module], dynamo: bool
) -> None:
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    module, file = make(), io.BytesIO()
    x = torch.randn(2, 3, 50) * torch.logspace(-6, 2, 50)
    torch.onnx.export(module, (x,), file, dynamo=dynamo, verbose=False)
    model = onnx.load_from_string(file.getvalue())
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    session = onnxruntime.InferenceSession(file.getvalue())
    (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    # Near 0, too: exp(z) - 1 is written without cancellation.
    torch.testing.assert_close(torch.from_numpy(y), module(x).detach(), rtol=2e-6, atol=0)


@pytest.fixture
def mesh() -> Iterator[object]:
    if not torch.distributed.is_available():
        pytest.skip("PyTorch has no torch.distributed here")
    from torch.distributed.device_mesh import init_device_mesh
    from torch.testing._internal.distributed.fake_pg import FakeStore

    torch.distributed.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
    yield init_device_mesh("cpu", (2,))
    torch.distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("has_divisor", [False, True], ids=["", "divisor"])
def test_on_a_mesh_shards_of_self_stay_and_what_alpha_learns_is_a_sum(
    mesh: object, has_divisor: bool
) -> None:
    from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor

    def check(
        x: Tensor, alpha: Tensor, dim: int, alpha_placement: object, gradient: object
    ) -> None:
        spread = distribute_tensor(x, mesh, [Shard(dim)]).requires_grad_()
        parameter = distribute_tensor(alpha, mesh, [alpha_placement]).requires_grad_()
        y = torch.ops.torch_elu.parametric_elu(
            spread, parameter, parameter if has_divisor else None
        )
        assert isinstance(y, DTensor)
        assert y.placements == (Shard(dim),)
        own = parameter.detach()
        grads = torch.ops.torch_elu.parametric_elu_backward(
            y.detach(),
            spread.detach(),
            own,
            own if has_divisor else None,
            [True, True, has_divisor],
        )
        assert grads[0].placements == (Shard(dim),)
        for of_parameter in grads[1 : 3 if has_divisor else 2]:
            assert of_parameter.placements == (gradient,)

    x = torch.randn(4, 6, 8)
    check(x, torch.rand(6, 1), 0, Replicate(), Partial())
    check(x, torch.rand(6, 1), 1, Shard(0), Shard(0))
    check(x, torch.rand(1), 2, Replicate(), Partial())
    check(x, torch.rand(4, 6, 8), 1, Shard(1), Shard(1))


class Wrapped(Tensor):
    pass


def test_subclasses_and_fake_tensors_reach_the_operator() -> None:
    x, alpha = torch.randn(3), torch.tensor(0.7)
    result = torch_elu.elu(x, alpha.as_subclass(Wrapped))
    assert type(result) is Wrapped
    assert_same_bits(result.as_subclass(Tensor), torch_elu.elu(x, alpha.item()))
    with FakeTensorMode(), torch.device("cpu"):
        for alpha in (torch.empty(()), torch.empty(3)):
            assert torch_elu.celu(torch.empty(2, 3), alpha).shape == (2, 3)


def test_functionalization_and_compiled_autograd_take_it() -> None:
    x, alpha = torch.randn(4, 3), (torch.rand(3) + 0.3).requires_grad_()
    functional = torch.func.functionalize(lambda x, a: torch_elu.elu(x.mul_(2), a))
    assert_same_bits(functional(x.clone(), alpha.detach()), torch_elu.elu(x * 2, alpha))
    torch.compiler.reset()
    y = torch_elu.celu(x, alpha).square().sum()
    (expected,) = torch.autograd.grad(y, alpha, retain_graph=True)
    with torch._dynamo.compiled_autograd._enable(torch.compile(backend="aot_eager")):
        y.backward()
    assert alpha.grad is not None
    assert_same_bits(alpha.grad, expected)

"""Two processes: DDP, FSDP2 and tensor parallelism train as one, and communicate as with PyTorch's.

What stands in a function that begins with "on_" runs in both processes.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed
import torch.nn.functional as F
import torch_elu
from torch import Tensor, nn

if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
    pytest.skip("PyTorch has no gloo here", allow_module_level=True)

from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import (
    DTensor,
    Partial,
    Placement,
    Replicate,
    Shard,
    distribute_tensor,
)
from torch.distributed.tensor.debug import CommDebugMode
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)
from torch.testing._internal.distributed.fake_pg import FakeStore

aten, ops = torch.ops.aten, torch.ops.torch_elu

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def in_two_processes(tmp_path: Path) -> Callable[[Callable[[DeviceMesh], None]], None]:
    def run(function: Callable[[DeviceMesh], None]) -> None:
        torch.multiprocessing.spawn(start, (str(tmp_path / "store"), function), nprocs=2)

    return run


def start(rank: int, store: str, function: Callable[[DeviceMesh], None]) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=2
    )
    torch.manual_seed(0)  # the same in both
    function(init_device_mesh("cpu", (2,)))
    torch.distributed.barrier()  # neither leaves while the other still waits for it
    torch.distributed.destroy_process_group()
    os._exit(0)  # where meshes keep groups, gloo's threads may end the process in its destructors


# Training


def network(package: object = torch_elu, *, inplace: bool = False) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(6, 8),
        package.ELU(0.5, inplace),
        nn.Linear(8, 8),
        package.SELU(),
        nn.Linear(8, 8),
        package.CELU(2.0, inplace),
        nn.Linear(8, 4),
    )


def train(model: nn.Module, x: Tensor, y: Tensor, steps: int = 5) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        output = model(x)
        if isinstance(output, DTensor):
            output = output.full_tensor()
        F.mse_loss(output, y).backward()
        optimizer.step()


def data() -> tuple[Tensor, Tensor]:
    return torch.randn(16, 6), torch.randn(16, 4)


def own_half(tensor: Tensor) -> Tensor:
    return tensor.chunk(2)[torch.distributed.get_rank()]


def train_and_count(model: nn.Module, x: Tensor, y: Tensor) -> dict[object, int]:
    """Trains as above; returns the communications of the first step."""
    with CommDebugMode() as communication:
        train(model, x, y, steps=1)
    train(model, x, y, steps=4)
    return communication.get_comm_counts()


def assert_same_parameters(model: nn.Module, expected: nn.Module) -> None:
    for actual, other in zip(model.parameters(), expected.parameters(), strict=True):
        full = actual.full_tensor() if isinstance(actual, DTensor) else actual
        torch.testing.assert_close(full, other)


def trained_in_one_process(x: Tensor, y: Tensor) -> nn.Module:
    model = network()
    untrained = [parameter.clone() for parameter in model.parameters()]
    train(model, x, y)
    assert all(
        (p - q).abs().max() > 1e-3 for p, q in zip(model.parameters(), untrained, strict=True)
    )
    return model


def on_ddp(mesh: DeviceMesh) -> None:
    x, y = data()
    model = nn.parallel.DistributedDataParallel(network(inplace=True))
    train(model, own_half(x), own_half(y))
    assert_same_parameters(model, trained_in_one_process(x, y))


def on_fully_shard(mesh: DeviceMesh) -> None:
    x, y = data()

    def sharded(package: object) -> tuple[nn.Module, dict[object, int]]:
        model = network(package)
        for layer in model:
            if isinstance(layer, nn.Linear):
                fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        return model, train_and_count(model, own_half(x), own_half(y))

    (model, count), (_, expected) = sharded(torch_elu), sharded(nn)
    assert_same_parameters(model, trained_in_one_process(x, y))
    assert count == expected
    assert sum(count.values()) > 0


# The activations between get and give tensors that are spread over the mesh.
PLAN = {
    "0": ColwiseParallel(use_local_output=False),
    "2": RowwiseParallel(),
    "4": ColwiseParallel(use_local_output=False),
    "6": RowwiseParallel(),
}


def on_tensor_parallel(mesh: DeviceMesh) -> None:
    x, y = data()

    def parallel(package: object) -> tuple[nn.Module, dict[object, int]]:
        model = parallelize_module(network(package), mesh, PLAN)
        return model, train_and_count(model, x, y)

    (model, count), (_, expected) = parallel(torch_elu), parallel(nn)
    assert_same_parameters(model, trained_in_one_process(x, y))
    assert count == expected
    # Forward one for each row-wise layer, backward one for each column-wise one but the first.
    assert set(count.values()) - {0} == {3}


def on_compiled_tensor_parallel(mesh: DeviceMesh) -> None:
    x, y = data()
    model = parallelize_module(network(), mesh, PLAN)
    train(torch.compile(model, backend="aot_eager", fullgraph=True), x, y)
    assert_same_parameters(model, trained_in_one_process(x, y))


@pytest.mark.parametrize(
    "function",
    [on_ddp, on_fully_shard, on_tensor_parallel, on_compiled_tensor_parallel],
    ids=lambda function: function.__name__,
)
def test_two_processes_train_as_one(
    function: Callable[[DeviceMesh], None],
    in_two_processes: Callable[[Callable[[DeviceMesh], None]], None],
) -> None:
    in_two_processes(function)


# Each operator, for every placement

Call = Callable[[DTensor, DTensor], DTensor]


def gradient(function: Callable[[Tensor], Tensor], x: DTensor, grad: DTensor) -> DTensor:
    x = x.detach().requires_grad_()
    (result,) = torch.autograd.grad(function(x), x, grad)
    return result


CALLS: dict[str, tuple[Call, Call]] = {
    "elu": (lambda x, _: torch_elu.elu(x, 0.3), lambda x, _: F.elu(x, 0.3)),
    "selu": (lambda x, _: torch_elu.selu(x), lambda x, _: F.selu(x)),
    "celu": (lambda x, _: torch_elu.celu(x, 2.0), lambda x, _: F.celu(x, 2.0)),
    "elu, output saved": (
        lambda x, _: ops.elu(x, save_output=True),
        lambda x, _: F.elu(x),
    ),
    "in place": (
        lambda x, _: torch_elu.elu(x, inplace=True),
        lambda x, _: F.elu(x, inplace=True),
    ),
    "out": (
        lambda x, _: ops.elu.out(x, out=torch.empty_like(x)),
        lambda x, _: aten.elu.out(x, out=torch.empty_like(x)),
    ),
    "gradient": (
        lambda x, grad: gradient(torch_elu.elu, x, grad),
        lambda x, grad: gradient(F.elu, x, grad),
    ),
    "elu_plus_one": (lambda x, _: torch_elu.elu_plus_one(x), lambda x, _: F.elu(x) + 1),
    "gradient of elu_plus_one": (
        lambda x, grad: gradient(torch_elu.elu_plus_one, x, grad),
        lambda x, grad: gradient(F.elu, x, grad),
    ),
    "backward": (
        lambda x, grad: ops.elu_backward(grad, 0.3, 1, 1, False, x),
        lambda x, grad: aten.elu_backward(grad, 0.3, 1, 1, False, x),
    ),
    "backward, broadcast": (
        lambda x, grad: ops.elu_backward(grad[0], 0.3, 1, 1, False, x),
        lambda x, grad: aten.elu_backward(grad[0], 0.3, 1, 1, False, x),
    ),
}


def spread(tensor: Tensor, mesh: DeviceMesh, placement: Placement) -> DTensor:
    if placement.is_partial():  # the sum of what the processes have is the tensor
        return DTensor.from_local(tensor / 2, mesh, [placement])
    return distribute_tensor(tensor.clone(), mesh, [placement])


def outcome(call: Call, x: DTensor, grad: DTensor) -> tuple[object, ...] | type[Exception]:
    """Placements, communications and values of the result; or what was raised."""
    try:
        with CommDebugMode() as communication:
            result = call(x, grad)
    except RuntimeError as error:
        return type(error)
    counts = {str(name): count for name, count in communication.get_comm_counts().items()}
    return result.placements, counts, result.full_tensor()


def on_every_placement(mesh: DeviceMesh) -> None:
    for name in CALLS:
        compare_on_every_placement(name, mesh)


def compare_on_every_placement(name: str, mesh: DeviceMesh) -> None:
    ours, theirs = CALLS[name]
    placements = [Replicate(), Shard(0), Shard(1), Partial()]
    for shape in ((4, 6), (3, 5)):
        values, grads = torch.randn(shape), torch.randn(shape)
        for of_x in placements:
            for of_grad in placements:
                case = f"{name} of {shape}, {of_x}, gradient {of_grad}"

                def call(function: Call) -> tuple[object, ...] | type[Exception]:
                    x, grad = spread(values, mesh, of_x), spread(grads, mesh, of_grad)  # noqa: B023
                    return outcome(function, x, grad)

                result, expected = call(ours), call(theirs)
                if not isinstance(expected, tuple):
                    assert result is expected, case
                    continue
                assert isinstance(result, tuple), case
                if name == "gradient of elu_plus_one":  # of the result, which is never partial
                    assert result[0] == expected[0], case
                    assert sum(result[1].values()) <= sum(expected[1].values()), case
                elif "broadcast" not in name:
                    assert result[:2] == expected[:2], case
                torch.testing.assert_close(result[2], expected[2], msg=case)
                if "backward" not in name and "gradient" not in name:
                    local = theirs(values.clone(), grads)
                    torch.testing.assert_close(result[2], local, msg=case)


@pytest.fixture
def mesh_of_eight() -> Iterator[DeviceMesh]:
    """Of two dimensions, in one process: nothing is sent."""
    torch.distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=8)
    try:
        yield init_device_mesh("cpu", (2, 4))
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("name", ["elu", "gradient", "in place", "out"])
def test_on_a_mesh_of_two_dimensions_too(name: str, mesh_of_eight: DeviceMesh) -> None:
    def outcome(function: Call) -> object:
        x, grad = (
            DTensor.from_local(torch.ones(16, 8, 24), mesh_of_eight, placements, run_check=False)
            for _ in range(2)
        )
        try:
            with CommDebugMode() as communication:
                result = function(x, grad)
        except RuntimeError as error:
            return type(error)
        return result.placements, communication.get_comm_counts()

    ours, theirs = CALLS[name]
    for placements in itertools.product(
        [Replicate(), Shard(0), Shard(1), Shard(2), Partial()], repeat=2
    ):
        assert outcome(ours) == outcome(theirs), placements


@pytest.mark.parametrize("order", [1, -1])
def test_an_out_keeps_its_placement_or_is_refused_whatever_came_before(
    order: int, mesh_of_eight: DeviceMesh
) -> None:
    # PyTorch 2.15 does so, 2.11 gives its own elu.out an out of another placement.
    x = distribute_tensor(-torch.ones(16), mesh_of_eight, [Replicate(), Replicate()])
    for first in [Replicate(), Partial(), Shard(0)][::order]:
        local = torch.zeros(8 if first.is_shard() else 16)
        out = DTensor.from_local(local, mesh_of_eight, [first, Replicate()], run_check=False)
        if first.is_partial():
            with pytest.raises(RuntimeError):
                ops.elu.out(x, out=out)
        else:
            ops.elu.out(x, out=out)
            assert out.placements == (first, Replicate())
            torch.testing.assert_close(out.to_local(), F.elu(-torch.ones_like(local)))


def test_every_operator_places_and_communicates_as_pytorchs(
    in_two_processes: Callable[[Callable[[DeviceMesh], None]], None],
) -> None:
    in_two_processes(on_every_placement)

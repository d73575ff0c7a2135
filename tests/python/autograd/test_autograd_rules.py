"""What is saved for backward, and autograd's errors: PyTorch's, before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

NEGATIVE = "only if alpha, scale and input_scale are >= 0, but got alpha=-0.5"


def random(*shape: int) -> Tensor:
    return torch.randn(shape, requires_grad=True)


class Seen(TorchDispatchMode):
    """The names of the operators that run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.names.append(function.name())
        return function(*args, **(kwargs or {}))


def error_of(function: Callable[..., Tensor], *arguments: object, **keywords: object) -> str:
    with pytest.raises(RuntimeError) as raised:
        function(*arguments, **keywords)
    return str(raised.value)


# What is saved


def saved_tensors(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, list[Tensor]]:
    saved = []

    def pack(tensor: Tensor) -> Tensor:
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        return function(x), saved


@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.selu, torch_elu.celu])
def test_the_input_is_saved_and_nothing_else(function: Callable[[Tensor], Tensor]) -> None:
    x = random(10)
    _, saved = saved_tensors(function, x)
    assert [tensor.data_ptr() for tensor in saved] == [x.data_ptr()]


SAVES_OUTPUT = {
    "elu": partial(torch_elu.elu, save="output"),
    "celu": partial(torch_elu.celu, save="output"),
    "elu_plus_one": torch_elu.elu_plus_one,
}
parametrize_saves_output = pytest.mark.parametrize(
    "function", SAVES_OUTPUT.values(), ids=SAVES_OUTPUT.keys()
)


@parametrize_saves_output
def test_save_output_saves_the_output_and_nothing_else(function: Callable[..., Tensor]) -> None:
    y, saved = saved_tensors(function, random(10))
    assert [tensor.data_ptr() for tensor in saved] == [y.data_ptr()]


@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.selu, torch_elu.celu])
def test_in_place_saves_the_result_and_nothing_else(function: Callable[..., Tensor]) -> None:
    x = random(10).clone()
    y, saved = saved_tensors(lambda x: function(x, inplace=True), x)
    assert [tensor.data_ptr() for tensor in saved] == [x.data_ptr()] == [y.data_ptr()]


def test_in_place_on_a_view_saves_the_view_and_no_copy() -> None:
    x = random(10)
    (view,), saved = saved_tensors(lambda x: (torch_elu.elu((x * 1)[2:5], inplace=True),), x)
    assert [(tensor.data_ptr(), tensor.shape) for tensor in saved] == [(view.data_ptr(), (3,))]


def test_a_view_in_place_and_then_another_write_to_its_base_is_pytorchs_error() -> None:
    def message(elu: Callable[..., Tensor]) -> str:
        x = random(6) * 1
        elu(x[:3], inplace=True)
        elu(x[3:], inplace=True)
        return error_of(x.sum().backward)

    assert "modified by an inplace operation" in message(torch_elu.elu)
    assert "modified by an inplace operation" in message(F.elu)


@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.elu_plus_one])
def test_nothing_is_saved_where_no_gradient_is_recorded(
    function: Callable[[Tensor], Tensor],
) -> None:
    assert saved_tensors(function, torch.randn(10))[1] == []
    with torch.no_grad():
        y, saved = saved_tensors(function, random(10))
    assert saved == []
    assert not y.requires_grad


@pytest.mark.parametrize("keywords", [{}, {"save": "output"}, {"inplace": True}], ids=str)
@pytest.mark.parametrize(
    "hooks",
    [
        lambda: torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: tensor.numpy(force=True), torch.from_numpy
        ),
        torch.autograd.graph.save_on_cpu,
    ],
    ids=["hooks", "save_on_cpu"],
)
def test_saved_tensor_hooks_may_replace_what_was_saved(
    hooks: Callable[[], AbstractContextManager[None]], keywords: dict[str, object]
) -> None:
    x = random(10)
    with hooks():
        y = torch_elu.elu(x * 1, 0.5, **keywords)
    (grad,) = torch.autograd.grad(y.sum(), x)
    expected = torch_elu.elu(x * 1, 0.5, **keywords)
    assert torch.equal(grad, torch.autograd.grad(expected.sum(), x)[0])


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_activation_checkpointing_gives_the_same_gradient(use_reentrant: bool) -> None:
    x = random(10)

    def layer(x: Tensor) -> Tensor:
        return torch_elu.elu(torch_elu.elu(x * 2), 0.5, inplace=True)

    y = checkpoint(layer, x, use_reentrant=use_reentrant)
    (grad,) = torch.autograd.grad(y.sum(), x) if not use_reentrant else (backward_of(y, x),)
    assert torch.equal(grad, torch.autograd.grad(layer(x).sum(), x)[0])


def backward_of(y: Tensor, x: Tensor) -> Tensor:
    y.sum().backward()
    assert x.grad is not None
    return x.grad


@pytest.mark.parametrize("keywords", [{}, {"save": "output"}, {"inplace": True}], ids=str)
def test_what_was_saved_is_freed_with_the_graph(keywords: dict[str, object]) -> None:
    x = random(10) * 1.0
    y = torch_elu.elu(x, **keywords)
    memory = [StorageWeakRef(tensor.untyped_storage()) for tensor in (x, y)]
    del x
    y.sum().backward()
    assert memory[0].expired() == ("inplace" not in keywords)  # though y still holds its node
    del y
    assert all(reference.expired() for reference in memory)


@pytest.mark.parametrize("keywords", [{}, {"save": "output"}, {"inplace": True}], ids=str)
@pytest.mark.parametrize("view", [lambda x: x, lambda x: x[2:5]], ids=["tensor", "view"])
def test_what_was_saved_is_freed_where_no_backward_comes(
    view: Callable[[Tensor], Tensor], keywords: dict[str, object]
) -> None:
    x = random(10) * 1.0
    y = torch_elu.elu(view(x), **keywords)
    memory = [StorageWeakRef(tensor.untyped_storage()) for tensor in (x, y)]
    del x, y
    assert all(reference.expired() for reference in memory)


# Errors of the forward call leave the data as it was


@pytest.mark.parametrize("view", [lambda x: x, lambda x: x[2:5]], ids=["leaf", "view of leaf"])
def test_in_place_on_a_leaf_is_pytorchs_error_and_writes_nothing(
    view: Callable[[Tensor], Tensor],
) -> None:
    x = random(10)
    before = x.detach().clone()
    message = error_of(torch_elu.elu, view(x), inplace=True)
    assert torch.equal(x.detach(), before)
    assert x._version == 0
    assert message == error_of(F.elu, view(random(10)), inplace=True)
    assert "leaf Variable that requires grad" in message


def test_in_place_on_an_unsafe_view_is_pytorchs_error() -> None:
    messages = [
        error_of(elu, random(6).clone().chunk(2)[0], inplace=True) for elu in (torch_elu.elu, F.elu)
    ]
    assert messages[0] == messages[1]


@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.celu])
def test_in_place_with_a_negative_alpha_is_an_error_of_forward_and_writes_nothing(
    function: Callable[..., Tensor],
) -> None:
    x = random(10) * 1.0
    before = x.detach().clone()
    with pytest.raises(
        RuntimeError, match=f"elu_ keeps its output for backward, .*{NEGATIVE}.*out of place"
    ):
        function(x, -0.5, inplace=True)
    assert torch.equal(x.detach(), before)
    assert x._version == 0


@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.celu])
def test_save_output_with_a_negative_alpha_is_an_error_of_forward(
    function: Callable[..., Tensor],
) -> None:
    with pytest.raises(RuntimeError, match=f'elu keeps its output.*{NEGATIVE}.*save="input"'):
        function(random(10), -0.5, save="output")


@pytest.mark.parametrize("keywords", [{"inplace": True}, {"save": "output"}])
def test_a_negative_alpha_is_no_error_where_no_gradient_is_recorded(
    keywords: dict[str, object],
) -> None:
    x = torch.randn(10)
    expected = F.elu(x, -0.5)
    torch.testing.assert_close(torch_elu.elu(x.clone(), -0.5, **keywords), expected)
    with torch.no_grad():
        torch.testing.assert_close(
            torch_elu.elu(x.clone().requires_grad_(), -0.5, **keywords), expected
        )


# Changes between forward and backward


@pytest.mark.parametrize("change", [torch.zero_, torch_elu.elu, torch_elu.celu])
def test_a_saved_input_that_was_changed_is_an_error_of_backward(
    change: Callable[..., Tensor],
) -> None:
    x = random(10) * 1
    y = torch_elu.elu(x)
    _ = change(x, inplace=True) if change is not torch.zero_ else change(x)
    assert "modified by an inplace operation" in error_of(y.sum().backward)


@pytest.mark.parametrize(
    "function",
    [*SAVES_OUTPUT.values(), partial(torch_elu.elu, inplace=True)],
    ids=[*SAVES_OUTPUT, "elu in place"],
)
def test_a_saved_output_that_was_changed_is_an_error_of_backward(
    function: Callable[[Tensor], Tensor],
) -> None:
    y = function(random(10) * 1)
    y.mul_(2)
    assert "modified by an inplace operation" in error_of(y.sum().backward)


def test_in_place_counts_as_one_change() -> None:
    x = torch.randn(10)
    torch_elu.elu(x, inplace=True)
    assert x._version == 1
    y = random(10) * 1
    torch_elu.elu(y, inplace=True)
    assert y._version == 1


# Backward twice, inference mode, the graph


@pytest.mark.parametrize("keywords", [{}, {"save": "output"}, {"inplace": True}], ids=str)
def test_backward_twice_needs_retain_graph(keywords: dict[str, object]) -> None:
    x = random(10)
    y = torch_elu.elu(x * 1, **keywords).sum()
    y.backward(retain_graph=True)
    once = x.grad.clone()
    y.backward()
    assert torch.equal(x.grad, 2 * once)
    assert "second time" in error_of(y.backward)


def test_inference_tensors() -> None:
    with torch.inference_mode():
        x = torch.randn(10)
        y = torch_elu.elu(x)
        assert y.is_inference()
        torch_elu.elu(y, inplace=True)
    assert torch_elu.elu(x).is_inference() == F.elu(x).is_inference()
    assert error_of(torch_elu.elu, x, inplace=True) == error_of(F.elu, x, inplace=True)
    with torch.inference_mode():
        assert not torch_elu.elu(random(3)).requires_grad


@pytest.mark.parametrize("keywords", [{}, {"save": "output"}], ids=str)
def test_the_result_is_no_view_and_no_leaf(keywords: dict[str, object]) -> None:
    y = torch_elu.elu(random(10), **keywords)
    assert not y._is_view()
    assert not y.is_leaf
    y.mul_(1)  # may be written to
    z = random(10) * 1
    assert torch_elu.elu(z, inplace=True) is z


def test_nodes_have_names() -> None:
    x = random(3)
    assert "grad_fn=<EluBackward>" in repr(torch_elu.elu(x))
    assert "grad_fn=<EluPlusOneBackward>" in repr(torch_elu.elu_plus_one(x))
    for function in (torch_elu.elu, torch_elu.elu_plus_one):
        (grad,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
        name = function(x).grad_fn.name()
        assert name.startswith("torch_elu::Elu")
        assert grad.grad_fn.name() == f"{name}Backward"
    node = torch_elu.elu(x).grad_fn
    assert type(node).__name__ == "CppFunction"
    assert not isinstance(node, torch.autograd.graph.Node)
    assert not hasattr(node, "_saved_self")


def test_the_profiler_and_anomaly_mode_name_the_node() -> None:
    x = random(3)
    with torch.profiler.profile() as profiler:
        torch_elu.elu(x).sum().backward()
    assert any("torch_elu::EluBackward" in event.name for event in profiler.events())
    with (
        pytest.warns(UserWarning, match="Anomaly|Error detected"),
        torch.autograd.detect_anomaly(),
        pytest.raises(RuntimeError, match="'torch_elu::EluBackward' returned nan"),
    ):
        torch_elu.elu(x).backward(torch.full_like(x, torch.nan))


def created_nodes(function: Callable[[Tensor], Tensor]) -> list[str]:
    """The names of the nodes that a forward and its backward create, without PyTorch's numbers."""
    if not hasattr(torch.autograd.graph, "node_creation_hook"):
        pytest.skip("PyTorch has these hooks since 2.14")
    names: list[str] = []
    x = random(6)
    with torch.autograd.graph.node_creation_hook(lambda node: names.append(node.name())):
        torch.autograd.grad(function(x).sum(), x, create_graph=True)
    return [name.removeprefix("torch_elu::").rstrip("01") for name in names]


@pytest.mark.parametrize("keywords", [{}, {"inplace": True}], ids=str)
@pytest.mark.parametrize("view", [lambda x: x, lambda x: x[1:]], ids=["tensor", "view"])
def test_hooks_on_new_nodes_see_what_they_see_of_pytorch(
    view: Callable[[Tensor], Tensor], keywords: dict[str, object]
) -> None:
    expected = created_nodes(lambda x: F.elu(view(x * 1), **keywords))
    assert "EluBackwardBackward" in expected
    assert created_nodes(lambda x: torch_elu.elu(view(x * 1), **keywords)) == expected


def test_recomputing_a_checkpoint_stops_before_what_is_not_needed() -> None:
    y = checkpoint(lambda x: torch_elu.elu(x * 2), random(4), use_reentrant=False)
    with Seen() as seen:
        y.sum().backward()
    assert [name for name in seen.names if "torch_elu" in name] == ["torch_elu::elu_backward"]


class GivesNoGradient(torch.autograd.Function):
    @staticmethod
    def forward(_: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(_: object, grad_output: Tensor) -> None:
        return None


@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.elu_plus_one, F.elu])
def test_an_undefined_gradient_stays_undefined(function: Callable[[Tensor], Tensor]) -> None:
    x = random(3)
    GivesNoGradient.apply(function(x * 1)).sum().backward()
    assert x.grad is None


def test_an_error_in_place_leaves_the_graph_as_it_was() -> None:
    x = random(10)
    y = x * 1
    assert "without overflow" in error_of(torch_elu.elu, y, 1e300, inplace=True)
    y.sum().backward()
    assert torch.equal(x.grad, torch.ones(10))


@pytest.mark.parametrize("name", ["elu", "elu_plus_one"])
def test_a_second_derivative_computes_only_what_is_asked_for(name: str) -> None:
    def called(x: Tensor, grad_output: Tensor, by: Tensor) -> list[str]:
        y = getattr(torch_elu, name)(x)
        (first,) = torch.autograd.grad(y, x, grad_output, create_graph=True)
        with Seen() as seen:
            torch.autograd.grad(first.sum(), by)
        return sorted(name for name in seen.names if name.startswith(("torch_elu", "aten::where")))

    x, grad_output = random(4), random(4)
    backward = f"torch_elu::{name}_backward"
    assert called(x, grad_output, grad_output) == [backward]
    assert called(x, grad_output.detach(), x) == ["aten::where.self", backward]

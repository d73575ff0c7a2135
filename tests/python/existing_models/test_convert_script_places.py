"""convert on TorchScript models: activations are found wherever they may stand."""

from __future__ import annotations

import copy
import logging

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from references import SELU, assert_same_bits
from test_convert_script import inputs, operators, saved_and_loaded
from torch import Tensor, nn

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*")
ours = torch.ops.torch_elu


def inner(x: Tensor) -> Tensor:
    return F.celu(F.elu(x), 0.5)


def outer(x: Tensor) -> Tensor:
    return inner(x) + F.selu(x)


def without(x: Tensor) -> Tensor:
    return F.relu(x) + 1


@torch.jit.script
class Scaler:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def apply(self, x: Tensor) -> Tensor:
        return F.elu(x) * self.factor


class Calls(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scaler = Scaler(2.0)

    def forward(self, x: Tensor) -> Tensor:
        return outer(without(x)) + outer(x) + Scaler(2.0).apply(x) + self.scaler.apply(x)


class Blocks(nn.Module):
    def forward(self, x: Tensor, steps: int, flag: bool) -> Tensor:
        for step in range(steps):
            if step % 2 == 0 and flag:
                x = F.elu(x)
            else:
                while bool(x.sum() < 0):
                    x = F.selu(x) + 1
        return torch.celu(x)


class Forks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.elu = nn.ELU()

    def forward(self, x: Tensor) -> Tensor:
        future = torch.jit.fork(outer, x)
        other = torch.jit.fork(self.elu, x)
        return torch.jit.wait(future) + torch.jit.wait(other)


class Methods(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self.kept = torch.zeros(1)

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        self.slope = torch.full((1,), -1.0)
        return self.encode(x) + self.slope

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        return F.elu(x)

    @torch.jit.export
    def unused_by_forward(self, x: Tensor) -> Tensor:
        return F.selu(x)

    @property
    def slope(self) -> Tensor:
        return F.celu(self.kept)

    @slope.setter
    def slope(self, value: Tensor) -> None:
        self.kept = F.selu(value)


MODELS: dict[str, tuple[nn.Module, tuple[object, ...], int]] = {
    "functions and methods of classes": (Calls(), (), 8),
    "branches and loops": (Blocks(), (3, True), 3),
    "forks": (Forks(), (), 4),
    "methods and properties": (Methods(), (), 4),
    "submodules": (nn.Sequential(nn.Sequential(nn.ELU(), nn.ELU()), nn.CELU(2.0)), (), 3),
}


@pytest.mark.parametrize(("model", "arguments", "count"), MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("is_loaded", [False, True], ids=["made here", "loaded"])
def test_activations_are_found_wherever_they_stand_and_counted(
    model: nn.Module,
    arguments: tuple[object, ...],
    count: int,
    is_loaded: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    scripted = torch.jit.script(copy.deepcopy(model))
    if is_loaded:
        scripted = saved_and_loaded(scripted)
    x = torch.randn(5)
    expected = model(x, *arguments)
    with caplog.at_level(logging.INFO, "torch_elu"):
        torch_elu.convert(scripted)
    assert caplog.messages == [
        f"torch_elu.convert replaced {count} activations of {type(scripted).__name__}"
    ]
    found = operators(scripted)
    assert set(found) == {"torch_elu::elu"}
    for converted in (scripted, saved_and_loaded(scripted)):
        for _ in range(3):
            torch.testing.assert_close(converted(x, *arguments), expected)


def test_another_handle_keeps_the_forks_it_had() -> None:
    scripted = torch.jit.script(Forks())
    other = torch.jit._recursive.wrap_cpp_module(scripted._c)
    before = operators(other)
    torch_elu.convert(scripted)
    assert operators(other) == before
    assert set(before) == {"aten::elu", "aten::elu_"}


def test_methods_attributes_and_properties_go_on() -> None:
    scripted = torch.jit.script(Methods())
    scripted(torch.ones(2))
    torch_elu.convert(scripted)
    x = inputs()
    assert_same_bits(scripted.encode(x), ours.elu(x))
    assert_same_bits(scripted.unused_by_forward(x), ours.elu(x, *SELU))
    slope = ours.elu(ours.elu(torch.full((1,), -1.0), *SELU))
    assert_same_bits(scripted(x), ours.elu(x) + slope)
    assert scripted.steps == 2
    (slope,) = scripted._c._properties()
    assert slope.name == "slope"
    assert "torch_elu::elu" in str(slope.setter.graph)


def pre_hook(self, input: tuple[Tensor]) -> tuple[Tensor]:
    return (F.elu(input[0]) + 1,)


def hook(self, input: tuple[Tensor], output: Tensor) -> Tensor:
    return F.selu(output) * 2


def hook_without(self, input: tuple[Tensor], output: Tensor) -> Tensor:
    return output + self.training


@pytest.mark.parametrize("is_loaded", [False, True], ids=["made here", "loaded"])
def test_hooks_are_kept_and_converted_at_the_top_and_below(
    is_loaded: bool, caplog: pytest.LogCaptureFixture
) -> None:
    model = nn.Sequential(nn.Sequential(nn.ELU(0.5)), nn.Linear(3, 3))
    for module in (model, model[0]):
        module.register_forward_pre_hook(pre_hook)
        module.register_forward_hook(hook)
        module.register_forward_hook(hook_without)
    scripted = torch.jit.script(model)
    if is_loaded:
        scripted = saved_and_loaded(scripted)
    x = torch.randn(4, 3)
    expected = model(x)
    with caplog.at_level(logging.INFO, "torch_elu"):
        torch_elu.convert(scripted)
    assert "replaced 5 activations" in caplog.text  # each hook once, though it is called elsewhere
    for converted in (scripted, saved_and_loaded(scripted)):
        torch.testing.assert_close(converted(x), expected)
        compiled = [*converted._c._get_forward_hooks(), *converted._c._get_forward_pre_hooks()]
        assert len(compiled) == 3
        assert all(
            "aten::" + name not in str(h.graph) for h in compiled for name in ("elu", "selu")
        )


@torch.jit.interface
class Activation(nn.Module):
    def forward(self, input: Tensor) -> Tensor:
        pass


class Uses(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.activation = nn.ELU(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation.forward(x)


Uses.__annotations__ = {"activation": Activation}  # not as a string, which TorchScript cannot read


def test_interfaces_reach_the_converted_module() -> None:
    scripted = torch_elu.convert(torch.jit.script(Uses()))
    x = inputs()
    for converted in (scripted, saved_and_loaded(scripted)):
        assert_same_bits(converted(x), ours.elu(x, 0.5))


class OldStyle(torch.jit.ScriptModule):
    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha

    @torch.jit.script_method
    def forward(self, x: Tensor) -> Tensor:
        return F.elu(x, self.alpha)


def test_script_methods_are_converted() -> None:
    module = OldStyle(0.5)
    x = inputs()
    module(x)
    assert torch_elu.convert(module) is module
    assert_same_bits(module(x), ours.elu(x, 0.5))


@pytest.mark.parametrize("register", ["register_forward_pre_hook", "register_forward_hook"])
def test_a_hook_may_hold_the_only_activation(register: str) -> None:
    model = nn.Linear(3, 3)
    getattr(model, register)(pre_hook if "pre" in register else hook)
    scripted = torch_elu.convert(torch.jit.script(model))
    (compiled,) = [*scripted._c._get_forward_hooks(), *scripted._c._get_forward_pre_hooks()]
    assert "torch_elu::elu" in str(compiled.graph)


def test_a_module_in_two_places_stays_one() -> None:
    shared = torch.jit.script(Methods())
    scripted = torch_elu.convert(torch.jit.script(nn.Sequential(shared, shared)))
    scripted(torch.ones(3))
    assert getattr(scripted, "0").steps == getattr(scripted, "1").steps == 2


class Packed(nn.Module):
    """Holds an object whose methods are C++ functions."""

    def __init__(self) -> None:
        super().__init__()
        weight = torch.quantize_per_tensor(2 * torch.eye(3), 1.0, 0, torch.qint8)
        self.packed = torch.ops.quantized.linear_prepack(weight, None)

    def forward(self, x: Tensor) -> Tensor:
        weight, _ = self.packed.unpack()
        return F.elu(x @ weight.dequantize())


@pytest.mark.skipif(
    "fbgemm" not in torch.backends.quantized.supported_engines, reason="packs no weights here"
)
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_methods_in_cpp_are_passed_over() -> None:
    scripted = torch_elu.convert(torch.jit.script(Packed()))
    x = torch.randn(4, 3)
    assert operators(scripted) == ["torch_elu::elu"]
    assert_same_bits(scripted(x), ours.elu(2 * x))

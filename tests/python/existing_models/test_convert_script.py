"""convert on TorchScript models: no activation of PyTorch's is left, in whatever place it stood."""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from references import SELU, Coefficients, assert_same_bits, celu, in_range
from torch import Tensor, nn

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*")
ours = torch.ops.torch_elu


def inputs() -> Tensor:
    return in_range(torch.float32, 30_000, -8, 2)


def saved_and_loaded(model: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """As another process finds it, in classes of its own."""
    file = io.BytesIO()
    torch.jit.save(model, file)
    file.seek(0)
    return torch.jit.load(file)


def operators(model: torch.jit.ScriptModule) -> list[str]:
    """PyTorch's activations and our operators, in every method of every module."""
    found = []
    for module in model.modules():
        for name in module._c._method_names():
            graph = str(module._c._get_method(name).inlined_graph)
            found += re.findall(r"(?:aten|torch_elu)::[sc]?elu_?(?=\()", graph)
    return found


class Applied(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 1)  # so that there is something to train
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x * self.linear.weight + self.linear.bias)


class OfCoefficients(nn.Module):
    __constants__ = ("alpha", "scale", "input_scale")

    def __init__(self, *numbers: float) -> None:
        super().__init__()
        self.alpha, self.scale, self.input_scale = numbers

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.aten.elu(x, self.alpha, self.scale, self.input_scale)


CASES: dict[str, tuple[Callable[[Tensor], Tensor], str, Coefficients]] = {
    "all coefficients": (OfCoefficients(0.3, 1.7, 0.6), "elu", Coefficients(0.3, 1.7, 0.6)),
    "ELU": (nn.ELU(0.3), "elu", Coefficients(0.3)),
    "ELU in place": (nn.ELU(0.3, inplace=True), "elu_", Coefficients(0.3)),
    "SELU": (nn.SELU(), "elu", SELU),
    "SELU in place": (nn.SELU(inplace=True), "elu_", SELU),
    "CELU": (nn.CELU(0.7), "elu", celu(0.7)),
    "CELU in place": (nn.CELU(0.7, inplace=True), "elu_", celu(0.7)),
}
WAYS: dict[str, Callable[[nn.Module], torch.jit.ScriptModule]] = {
    "script": torch.jit.script,
    "trace": lambda model: torch.jit.trace(model, torch.ones(3)),
    "freeze": lambda model: torch.jit.freeze(torch.jit.script(model.eval())),
    "trace and freeze": lambda model: torch.jit.freeze(
        torch.jit.trace(model.eval(), torch.ones(3))
    ),
    "optimize_for_inference": lambda model: torch.jit.optimize_for_inference(
        torch.jit.script(model.eval())
    ),
}
parametrize_ways = pytest.mark.parametrize("to_script", WAYS.values(), ids=WAYS.keys())


@pytest.mark.parametrize(("function", "name", "c"), CASES.values(), ids=CASES.keys())
@parametrize_ways
@pytest.mark.parametrize("is_loaded", [False, True], ids=["made here", "loaded"])
def test_converted_models_hold_and_run_our_operator_and_save_and_load(
    is_loaded: bool,
    to_script: Callable[[nn.Module], torch.jit.ScriptModule],
    function: Callable[[Tensor], Tensor],
    name: str,
    c: Coefficients,
) -> None:
    model = Applied(function)
    with torch.no_grad():
        model.linear.weight.fill_(1.0)
        model.linear.bias.fill_(0.0)
    scripted = to_script(model)
    if is_loaded:
        scripted = saved_and_loaded(scripted)
    x = inputs().view(-1, 1)
    expected = ours.elu(x, *c)
    for _ in range(3):  # what the executor makes of this code must not outlive it
        assert not torch.equal(scripted(x), expected)

    assert torch_elu.convert(scripted) is scripted
    assert operators(scripted) == [f"torch_elu::{name}"] * len(operators(scripted))
    assert operators(scripted)
    for converted in (scripted, saved_and_loaded(scripted), copy.deepcopy(scripted)):
        for _ in range(4):
            assert_same_bits(converted(x), expected)


@pytest.mark.parametrize(
    ("function", "c"),
    [(function, c) for function, _, c in CASES.values()],
    ids=CASES.keys(),
)
def test_converted_models_differentiate_at_every_run(
    function: Callable[[Tensor], Tensor], c: Coefficients
) -> None:
    model = Applied(function).double()
    scripted = torch_elu.convert(torch.jit.script(model))
    for _ in range(4):
        x = torch.randn(7, 1, dtype=torch.float64, requires_grad=True)
        hidden = x * model.linear.weight + model.linear.bias
        expected = torch.autograd.grad(ours.elu(hidden, *c).sum(), [x, *model.parameters()])
        grads = torch.autograd.grad(scripted(x).sum(), [x, *scripted.parameters()])
        torch.testing.assert_close(grads, expected)


# What else is the model's


def test_other_models_of_the_same_class_and_their_parameters_stay() -> None:
    one, other = (torch.jit.script(Applied(block)) for _ in range(2))
    assert one._c._type() == other._c._type()
    old_code = copy.copy(one)
    before = operators(one)
    assert before == ["aten::elu"]
    parameters = [parameter.data_ptr() for parameter in one.parameters()]
    torch_elu.convert(one)
    assert operators(one) == ["torch_elu::elu"]
    assert operators(other) == operators(old_code) == before
    assert operators(torch.jit.script(Applied(block))) == before
    assert [parameter.data_ptr() for parameter in one.parameters()] == parameters
    with torch.no_grad():
        old_code.linear.weight.fill_(3.0)
    assert one.linear.weight.item() == 3.0


def test_state_training_flag_and_python_attributes_stay() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.BatchNorm1d(3), nn.ELU())).eval()
    scripted.note = "kept"
    keys = list(scripted.state_dict())
    torch_elu.convert(scripted)
    norm = dict(scripted.named_children())["0"]
    assert not scripted.training
    assert not norm.training
    assert scripted.note == "kept"
    assert list(scripted.state_dict()) == keys
    assert getattr(scripted, "1").alpha == 1.0
    scripted.train()
    scripted(torch.randn(5, 3))
    assert norm.num_batches_tracked == 1


def test_the_inputs_that_a_trace_keeps_stay() -> None:
    x = torch.randn(5)
    traced = torch_elu.convert(torch.jit.trace(nn.ELU(), x))
    assert torch.equal(traced._c._retrieve_traced_inputs()["forward"][0], x)


def test_models_that_are_only_part_of_a_model_are_converted_in_their_place() -> None:
    encoder = torch.jit.script(nn.Sequential(nn.Linear(3, 3), nn.ELU()))
    model = nn.Sequential(encoder, nn.SELU(), nn.ModuleDict({"again": encoder})["again"])
    x = torch.randn(4, 3)
    expected = model(x)
    torch_elu.convert(model)
    assert model[0] is model[2] is encoder
    assert operators(encoder) == ["torch_elu::elu"] * 2  # Sequential's own method, and ELU's
    assert type(model[1]) is torch_elu.SELU
    torch.testing.assert_close(model(x), expected)


def test_a_converted_model_freezes_and_scripts_into_another() -> None:
    converted = torch_elu.convert(torch.jit.script(nn.Sequential(nn.ELU(0.5)).eval()))
    x = inputs()
    frozen = torch.jit.freeze(converted)
    assert_same_bits(frozen(x), ours.elu(x, 0.5))
    around = torch.jit.script(nn.Sequential(converted))
    assert_same_bits(around(x), ours.elu(x, 0.5))


def test_a_model_with_nothing_to_replace_keeps_its_code_and_is_warned_of() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.ReLU(), torch_elu.ELU()))
    code = scripted._c
    with pytest.warns(UserWarning, match="found no nn.ELU"):
        torch_elu.convert(scripted)
    assert scripted._c is code


def test_the_overload_with_out_stays_pytorchs() -> None:
    traced = torch.jit.trace(
        Applied(lambda x: torch._C._nn.elu(x.detach(), out=torch.empty(1, 3))), torch.ones(3)
    )
    with pytest.warns(UserWarning, match="found no"):
        torch_elu.convert(traced)
    assert operators(traced) == ["aten::elu"]


def test_pytorch_without_the_way_to_exchange_code_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted = torch.jit.script(nn.Sequential(nn.ELU()))
    for owner in (torch.jit.RecursiveScriptModule, torch.jit.ScriptModule):
        monkeypatch.delattr(owner, "_reconstruct", raising=False)
    with pytest.raises(RuntimeError, match="cannot change a TorchScript module in PyTorch 2"):
        torch_elu.convert(scripted)


SCRIPTED: dict[str, Callable[[nn.Module], torch.jit.ScriptModule]] = {
    "scripted": torch.jit.script,
    "traced": lambda model: torch.jit.trace(model, torch.ones(2, 1)),
    "loaded": lambda model: saved_and_loaded(torch.jit.script(model)),
}


@pytest.mark.parametrize("script", SCRIPTED.values(), ids=SCRIPTED.keys())
def test_a_submodule_that_is_converted_alone_leaves_its_model_as_it_was(
    script: Callable[[nn.Module], torch.jit.ScriptModule],
) -> None:
    inner = nn.Sequential(nn.Dropout(0.5), nn.Linear(1, 4), nn.ELU(0.3)).eval()
    whole = script(nn.Sequential(inner, nn.Linear(4, 2)).eval())
    part = getattr(whole, "0")
    torch_elu.convert(nn.Sequential(part))
    assert set(operators(part)) == {"torch_elu::elu"}
    assert "torch_elu::elu" not in str(whole.inlined_graph)
    torch_elu.convert(whole)
    assert set(operators(whole)) == {"torch_elu::elu"}


def block(x: Tensor) -> Tensor:
    return F.elu(torch.mm(x, x.t()))


@torch.jit.script
class Method:
    def __init__(self) -> None:
        pass

    def run(self, x: Tensor) -> Tensor:
        return block(x)


def method(x: Tensor) -> Tensor:
    return Method().run(x)


def without_autocast(x: Tensor) -> Tensor:
    with torch.autocast("cpu", enabled=False):
        y = block(x)
    return y


@pytest.mark.parametrize(
    "function",
    [block, method, without_autocast],
    ids=lambda function: function.__name__,
)
def test_a_conversion_under_autocast_does_not_keep_its_dtype(
    function: Callable[[Tensor], Tensor],
) -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return function(x)

    pytorchs, model = torch.jit.script(Model()), torch.jit.script(Model())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch_elu.convert(model)
    assert operators(model) == ["torch_elu::elu"]
    x = torch.randn(3, 4)
    assert_same_bits(model(x), torch_elu.elu(x @ x.t()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model(x).dtype == pytorchs(x).dtype


# Arguments


class AlphaGiven(nn.Module):
    def forward(self, x: Tensor, alpha: float) -> Tensor:
        return torch.celu(x, alpha)


class AlphaGivenInPlace(nn.Module):
    def forward(self, x: Tensor, alpha: float) -> Tensor:
        return torch.celu_(x, alpha)


@pytest.mark.parametrize("model", [AlphaGiven(), AlphaGivenInPlace()])
def test_an_alpha_that_only_the_call_tells_is_right_and_0_is_refused(model: nn.Module) -> None:
    scripted = torch_elu.convert(torch.jit.script(model))
    x = inputs()
    for alpha in (0.7, 2.0, -0.5):
        assert_same_bits(scripted(x.clone(), alpha), ours.elu(x, *celu(alpha)))
    with pytest.raises(RuntimeError, match="ZeroDivisionError: alpha cannot be 0 for CELU"):
        scripted(x, 0.0)


@pytest.mark.parametrize("save", [None, "input", "output"])
@pytest.mark.parametrize(
    ("activation", "may_save_output"),
    [
        *((nn.ELU(), True), (nn.ELU(0.0), True), (nn.ELU(-0.5), False)),
        *((nn.SELU(), False), (nn.CELU(2.0), True), (nn.CELU(-2.0), False)),
        *((OfCoefficients(0.3, 0.0, 0.6), True), (OfCoefficients(0.3, 1.7, 0.0), True)),
        *((OfCoefficients(0.3, -1.7, 0.6), False), (OfCoefficients(0.3, 1.7, -0.6), False)),
    ],
)
def test_save_is_for_coefficients_from_0_on(
    activation: nn.Module, may_save_output: bool, save: str | None
) -> None:
    scripted = torch_elu.convert(torch.jit.script(activation), save=save)
    saved: list[int] = []
    x = torch.randn(5, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: saved.append(tensor.data_ptr()) or tensor, lambda tensor: tensor
    ):
        y = scripted(x)
    assert saved == [y.data_ptr() if may_save_output and save == "output" else x.data_ptr()]
    torch.testing.assert_close(y, activation(x))


class WithDefaults(nn.Module):
    def forward(self, x: Tensor, alpha: float = 0.5, doubled: bool = True) -> Tensor:
        y = F.elu(x, alpha)
        return 2 * y if doubled else y


def test_arguments_keep_their_names_and_defaults() -> None:
    scripted = torch.jit.script(WithDefaults())
    schema = str(scripted.forward.schema)
    torch_elu.convert(scripted)
    name = r"__torch__\S+"
    assert re.sub(name, "", str(scripted.forward.schema)) == re.sub(name, "", schema)
    x = inputs()
    assert_same_bits(scripted(x), 2 * ours.elu(x, 0.5))
    assert_same_bits(scripted(x, doubled=False, alpha=2.0), ours.elu(x, 2.0))

"""revert: the way back, to the bits, and models that run without this package."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from references import SELU
from test_convert_script import inputs, saved_and_loaded
from torch import Tensor, nn

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*")


def gradient(function: Callable[[Tensor], Tensor]) -> Tensor:
    x = inputs().requires_grad_()
    return torch.autograd.grad(function(x).sum(), x)[0]


def operators(model: torch.jit.ScriptModule) -> list[str]:
    """What is left of activations in every method of every module, arguments aside."""
    found = []
    for module in model.modules():
        for name in module._c._method_names():
            graph = str(module._c._get_method(name).inlined_graph)
            found += re.findall(r"(?:aten|torch_elu)::\w*elu\w*", graph)
    return found


class Block(nn.Module):
    """Every activation of torch.nn, some in two places, with hooks and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.ELU(0.5)
        self.layers = nn.Sequential(nn.SELU(), nn.CELU(0.7), nn.ModuleList([nn.CELU(2.0)])[0])
        self.by_name = nn.ModuleDict({"relu": nn.ReLU(), "elu": nn.ELU(0.3, inplace=True)})
        self.again = self.shared
        self.selu = nn.SELU(inplace=True)
        self.shared.note = "second layer"
        self.shared.register_buffer("seen", torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.by_name["elu"](self.layers(self.shared(x)) * 1.0)
        return self.selu(self.again(x) - 1.0)


def contents(model: nn.Module) -> list[tuple[str, type, dict[str, object]]]:
    """All attributes; where `save` is its default, it need not be one."""
    return [
        (name, type(module), {k: v for k, v in vars(module).items() if (k, v) != ("save", "input")})
        for name, module in model.named_modules(remove_duplicate=False)
    ]


@pytest.mark.parametrize("save", ["input", "output"])
def test_a_converted_model_becomes_what_it_was(save: str) -> None:
    model = Block().eval()
    model.by_name.train()
    called = []
    model.shared.register_forward_hook(lambda *_: called.append("forward"))
    before, shown, keys = contents(model), repr(model), list(model.state_dict())
    y, slope = model(inputs()), gradient(model)
    called.clear()

    torch_elu.convert(model, save=save)
    assert not torch.equal(model(inputs()), y)
    assert torch_elu.revert(model) is model
    assert contents(model) == before
    assert repr(model) == shown
    assert list(model.state_dict()) == keys
    assert torch.equal(model(inputs()), y)
    assert torch.equal(gradient(model), slope)
    assert len(called) == 6  # in two places, called three times


def test_a_model_of_this_package_becomes_what_it_was() -> None:
    model = nn.Sequential(torch_elu.ELU(0.3), torch_elu.SELU(), torch_elu.CELU(0.7, inplace=True))
    before, y, slope = contents(model), model(inputs()), gradient(model)
    assert [type(module) for module in torch_elu.revert(model)] == [nn.ELU, nn.SELU, nn.CELU]
    assert not torch.equal(model(inputs()), y)
    torch_elu.convert(model)
    assert contents(model) == before
    assert torch.equal(model(inputs()), y)
    assert torch.equal(gradient(model), slope)


def test_what_is_pickled_after_it_needs_torch_alone() -> None:
    model = nn.Sequential(torch_elu.ELU(0.3, save="output"), torch_elu.SELU(), torch_elu.CELU(0.7))
    torch_elu.revert(model)
    assert b"torch_elu" not in pickle.dumps(model)
    assert b"save" not in pickle.dumps(model)


class Derived(torch_elu.ELU):
    pass


def test_derived_classes_and_replaced_forwards_stay_with_a_warning() -> None:
    patched = torch_elu.ELU(0.3)
    patched.forward = lambda x: x + 1
    model = nn.Sequential(Derived(), patched, torch_elu.SELU())
    with pytest.warns(UserWarning, match=r"revert left 2 modules \(Derived, ELU\)") as record:
        torch_elu.revert(model)
    assert [type(module) for module in model] == [Derived, torch_elu.ELU, nn.SELU]
    assert [Path(warning.filename).name for warning in record] == [Path(__file__).name]


def test_a_model_with_nothing_to_revert_is_left_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="found nothing of torch_elu"):
        torch_elu.revert(nn.Sequential(nn.ELU()))


def test_what_is_no_module_is_refused_with_advice() -> None:
    program = torch.export.export(nn.Sequential(torch_elu.ELU()), (torch.ones(3),))
    with pytest.raises(TypeError, match=r"run_decompositions\(torch_elu\.decompositions\(\)\)"):
        torch_elu.revert(program)


def all_of_elu(x: Tensor) -> Tensor:
    return torch.ops.aten.elu(x, 0.3, 1.7, 0.6)


# What each is after convert and revert.
CASES: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "F.elu": (lambda x: F.elu(x, 0.3), "elu"),
    "all coefficients": (all_of_elu, "elu"),
    "F.elu in place": (lambda x: F.elu(x * 1.0, 0.3, inplace=True), "elu_"),
    "torch.selu": (lambda x: torch.selu(x), "selu"),
    "torch.selu_": (lambda x: torch.selu_(x * 1.0), "selu_"),
    "torch.celu": (lambda x: torch.celu(x, 0.7), "celu"),
    "torch.celu_": (lambda x: torch.celu_(x * 1.0, 0.7), "celu_"),
}


class Applied(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 1)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


WAYS: dict[str, Callable[[nn.Module], torch.jit.ScriptModule]] = {
    "traced": lambda model: torch.jit.trace(model, torch.ones(3)),
    "frozen": lambda model: torch.jit.freeze(torch.jit.trace(model.eval(), torch.ones(3))),
    "loaded": lambda model: saved_and_loaded(torch.jit.trace(model, torch.ones(3))),
}


@pytest.mark.parametrize(("function", "name"), CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("to_script", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("save", ["input", "output"])
def test_a_converted_script_holds_and_computes_what_it_did(
    save: str,
    to_script: Callable[[nn.Module], torch.jit.ScriptModule],
    function: Callable[[Tensor], Tensor],
    name: str,
) -> None:
    model = to_script(Applied(function))
    y, slope = model(inputs()), gradient(model)
    torch_elu.convert(model, save=save)
    assert not torch.equal(model(inputs()), y)
    assert torch_elu.revert(model) is model
    assert operators(model) == [f"aten::{name}"]
    for reverted in (model, saved_and_loaded(model), copy.deepcopy(model)):
        for _ in range(3):  # what the executor made of our operators must not outlive them
            assert torch.equal(reverted(inputs()), y)
            assert torch.equal(gradient(reverted), slope)


MODULES = {
    "ELU": (torch_elu.ELU(0.3), "elu"),
    "ELU in place": (torch_elu.ELU(0.3, inplace=True), "elu_"),
    "SELU": (torch_elu.SELU(), "selu"),
    "CELU": (torch_elu.CELU(0.7), "celu"),
    "CELU in place": (torch_elu.CELU(0.7, inplace=True), "celu_"),
}


@pytest.mark.parametrize(("module", "name"), MODULES.values(), ids=MODULES.keys())
def test_a_scripted_module_of_this_package_comes_back_to_its_bits(
    module: nn.Module, name: str
) -> None:
    model = torch.jit.freeze(torch.jit.script(module.eval()))
    y, slope = model(inputs()), gradient(lambda x: model(x * 1.0))
    torch_elu.revert(model)
    assert operators(model) == [f"aten::{name}"]
    assert not torch.equal(model(inputs()), y)
    torch_elu.convert(model)
    assert torch.equal(model(inputs()), y)
    assert torch.equal(gradient(lambda x: model(x * 1.0)), slope)


@torch.jit.script
def of_any_alpha(x: Tensor, alpha: float) -> Tensor:
    return torch.ops.torch_elu.elu(x, alpha) + torch.ops.torch_elu.elu(x, alpha, 1.0, 1.0 / alpha)


class OfAnyAlpha(nn.Module):
    def forward(self, x: Tensor, alpha: float) -> Tensor:
        return of_any_alpha(x, alpha)


@pytest.mark.parametrize("alpha", [1.0, 0.3, -0.5, SELU.alpha])
def test_an_alpha_known_when_it_runs_is_passed_on(alpha: float) -> None:
    model = torch_elu.revert(torch.jit.script(OfAnyAlpha()))
    assert "torch_elu" not in str(model.inlined_graph)
    x = inputs()
    assert torch.equal(model(x, alpha), F.elu(x, alpha) + F.celu(x, alpha))


class Raw(nn.Module):
    """The operators that no module calls."""

    def forward(self, x: Tensor, out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y = torch.ops.torch_elu.elu(x, 0.3, 1.7, 0.6, out=out)
        slope = torch.ops.torch_elu.elu_backward(x, 0.3, 1.7, 0.6, False, x)
        of_feature = torch.ops.torch_elu.elu_plus_one_backward(x, x)
        return y, slope, of_feature


def test_out_and_backward_operators_become_those_of_pytorch() -> None:
    model = torch_elu.revert(torch.jit.script(Raw()))
    assert "torch_elu" not in str(model.inlined_graph)
    x, out = inputs(), torch.empty(30_000)
    y, slope, of_feature = model(x, out)
    assert y is out or y.data_ptr() == out.data_ptr()
    assert torch.equal(y, torch.ops.aten.elu(x, 0.3, 1.7, 0.6))
    assert torch.equal(slope, torch.ops.aten.elu_backward(x, 0.3, 1.7, 0.6, False, x))
    assert torch.equal(of_feature, torch.where(x > 1, x, x * x))


class FeatureMap(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch_elu.elu_plus_one(x)


def test_elu_plus_one_becomes_a_sum_with_a_warning_of_what_is_lost() -> None:
    model = torch.jit.script(FeatureMap())
    with pytest.warns(UserWarning, match=r"1 elu_plus_one by elu \+ 1.*rounds to 0"):
        torch_elu.revert(model)
    assert torch.equal(model(inputs()), F.elu(inputs()) + 1)
    assert model(torch.tensor(-30.0)) == 0


def test_a_warning_made_an_error_leaves_the_model_as_it_was() -> None:
    model = nn.ModuleList([torch_elu.ELU(), torch.jit.script(FeatureMap())])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="elu_plus_one"):
            torch_elu.revert(model)
    assert type(model[0]) is torch_elu.ELU
    assert model[1](torch.tensor(-30.0)) > 0


def test_a_saved_script_runs_in_a_process_without_this_package(tmp_path: Path) -> None:
    model = nn.Sequential(
        nn.Linear(3, 3), torch_elu.ELU(0.3), torch_elu.SELU(), torch_elu.CELU(2.0)
    )
    scripted = torch_elu.revert(torch.jit.script(model))
    torch.jit.save(scripted, tmp_path / "model.pt")
    code = (
        "import sys, torch\n"
        "model = torch.jit.load(sys.argv[1])\n"
        "print(model(torch.ones(2, 3)).tolist())\n"
        "assert not any(name.split('.')[0] == 'torch_elu' for name in sys.modules)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.pt")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(scripted(torch.ones(2, 3)).tolist())

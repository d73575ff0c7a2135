"""convert says which calls of PyTorch's functions it leaves, and where they are."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from torch import Tensor, nn
from torch.nn.functional import celu as renamed


class ByFunctional(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.elu(x)


class InPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.elu_(x * 1)


class BySelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.selu(x)


class ByOwnName(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return renamed(x)


class InOtherMethod(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return self.activate(x)

    def activate(self, x: Tensor) -> Tensor:
        return torch.cat([torch.nn.functional.elu(part) for part in (x,)])


class ByAttribute(nn.Module):
    def __init__(self, activation: Callable[[Tensor], Tensor] = F.elu) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x)


class Derived(ByFunctional):
    pass


CASES = {
    "ByFunctional.forward": ByFunctional,
    "InPlace.forward": InPlace,
    "BySelu.forward": BySelu,
    "ByOwnName.forward": ByOwnName,
    "InOtherMethod.activate": InOtherMethod,
    "ByAttribute.activation": ByAttribute,
}
MODELS = [*CASES.values(), Derived]


@pytest.mark.parametrize(("named", "module"), CASES.items(), ids=CASES.keys())
def test_a_likely_call_is_named(named: str, module: type[nn.Module]) -> None:
    with pytest.warns(
        UserWarning, match=rf"leaves PyTorch's.*: {named}\. Call torch_elu's"
    ) as seen:
        torch_elu.convert(nn.Sequential(module(), nn.ELU(), module()))
    assert len(seen) == 1
    assert seen[0].filename == __file__


def test_a_call_of_a_base_class_is_named() -> None:
    with pytest.warns(UserWarning, match=r"ByFunctional\.forward"):
        torch_elu.convert(nn.Sequential(Derived(), nn.ELU()))


class Ours(nn.Module):
    """Has attributes and methods of these names that are not PyTorch's functions."""

    def __init__(self) -> None:
        super().__init__()
        self.elu = nn.ELU()
        self.selu = torch_elu.selu

    def forward(self, x: Tensor) -> Tensor:
        return torch_elu.elu(self.selu(self.elu(x)))


@pytest.mark.parametrize("example_inputs", [None, torch.ones(3)], ids=["none", "a tensor"])
def test_what_is_not_pytorchs_gives_no_warning(example_inputs: Tensor | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch_elu.convert(nn.Sequential(Ours(), nn.CELU()), example_inputs=example_inputs)


@pytest.mark.parametrize("module", MODELS)
def test_a_run_names_the_module_and_the_line_of_each_call(module: type[nn.Module]) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.ELU(), nn.Sequential(module(), nn.SELU()))
    with pytest.warns(UserWarning, match="leaves PyTorch's") as seen:
        torch_elu.convert(model, example_inputs=(torch.ones(2, 3),))
    calls = re.findall(r"([\w.]+) \((\S+):(\d+)\)", str(seen[0].message))
    assert [(path, file) for path, file, _ in calls] == [("2.0", __file__)]
    line = Path(__file__).read_text().splitlines()[int(calls[0][2]) - 1]
    assert re.search(r"elu|renamed|activation", line)
    assert type(model[2][1]) is torch_elu.SELU


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.dropout = nn.Dropout()
        self.elu = nn.ELU()

    def forward(self, x: Tensor, *, shift: Tensor) -> Tensor:
        return F.elu(self.elu(self.dropout(self.norm(x + shift))))


def test_a_run_takes_names_and_leaves_buffers_and_random_numbers() -> None:
    model = TwoInputs()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    inputs: dict[str, Any] = {"x": torch.randn(4, 3), "shift": torch.ones(3)}
    state = torch.get_rng_state()
    with pytest.warns(UserWarning, match=r"the model \(.*test_convert_leftovers\.py:\d+\)"):
        torch_elu.convert(model, example_inputs=inputs)
    assert torch.equal(torch.get_rng_state(), state)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert model.training


def test_a_run_that_fails_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.ELU())
    with pytest.raises(RuntimeError):
        torch_elu.convert(model, example_inputs=torch.ones(2, 5))
    assert type(model[1]) is nn.ELU


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_what_is_replaced_in_a_script_is_not_named() -> None:
    model = nn.Sequential(torch.jit.script(ByFunctional()), nn.ELU())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch_elu.convert(model, example_inputs=torch.ones(3))
    assert "torch_elu::elu" in str(model[0].inlined_graph)

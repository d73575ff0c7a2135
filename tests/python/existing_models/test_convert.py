"""convert on modules of Python: the same objects, in another class."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from references import SELU, Coefficients, assert_same_bits, celu, in_range
from torch import Tensor, nn
from torch.nn.utils import parametrize

ours = torch.ops.torch_elu

CASES: dict[str, tuple[nn.Module, str, Coefficients]] = {
    "ELU": (nn.ELU(), "ELU(alpha=1.0)", Coefficients()),
    "ELU(0.3)": (nn.ELU(0.3), "ELU(alpha=0.3)", Coefficients(0.3)),
    "ELU in place": (nn.ELU(0.3, inplace=True), "ELU(alpha=0.3, inplace=True)", Coefficients(0.3)),
    "SELU": (nn.SELU(), "SELU()", SELU),
    "SELU in place": (nn.SELU(inplace=True), "SELU(inplace=True)", SELU),
    "CELU(0.7)": (nn.CELU(0.7), "CELU(alpha=0.7)", celu(0.7)),
    "CELU in place": (nn.CELU(0.7, inplace=True), "CELU(alpha=0.7, inplace=True)", celu(0.7)),
}


def inputs() -> Tensor:
    return in_range(torch.float32, 30_000, -8, 2)


class Block(nn.Module):
    """Activations at every depth, one of them in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.ELU(0.5)
        self.layers = nn.Sequential(nn.Linear(4, 4), nn.SELU(), nn.ModuleList([nn.CELU(2.0)])[0])
        self.by_name = nn.ModuleDict({"relu": nn.ReLU(), "elu": nn.ELU(inplace=True)})
        self.again = self.shared

    def forward(self, x: Tensor) -> Tensor:
        return self.again(self.by_name["elu"](self.layers(self.shared(x)) * 1.0))


@pytest.mark.parametrize(("module", "shown", "c"), CASES.values(), ids=CASES.keys())
def test_a_model_that_is_an_activation_keeps_its_arguments_and_computes_with_our_kernels(
    module: nn.Module, shown: str, c: Coefficients
) -> None:
    converted = copy.deepcopy(module)
    assert torch_elu.convert(converted) is converted
    assert type(converted) is getattr(torch_elu, type(module).__name__)
    assert repr(converted) == shown
    x = inputs()
    hidden = x.clone()
    y = converted(hidden)
    assert_same_bits(y, ours.elu(x, *c))
    assert not torch.equal(y, module(x.clone()))
    assert (y is hidden) == converted.inplace


def test_every_activation_is_replaced_where_it_stands(caplog: pytest.LogCaptureFixture) -> None:
    model = Block().eval()
    model.by_name.train()
    before = dict(model.named_modules(remove_duplicate=False))
    flags = {name: module.training for name, module in before.items()}
    keys = list(model.state_dict())
    x = torch.randn(3, 4)
    expected = model(x)

    with caplog.at_level(logging.INFO, "torch_elu"), warnings.catch_warnings():
        warnings.simplefilter("error")
        torch_elu.convert(model)
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [
        ("torch_elu", "INFO", "torch_elu.convert replaced 4 activations of Block")
    ]
    after = dict(model.named_modules(remove_duplicate=False))
    assert after == before  # the same objects by the same names
    assert {name: module.training for name, module in after.items()} == flags
    assert list(model.state_dict()) == keys
    kinds = {name: type(module) for name, module in after.items() if "LU" in type(module).__name__}
    assert kinds == {
        "shared": torch_elu.ELU,
        "layers.1": torch_elu.SELU,
        "layers.2": torch_elu.CELU,
        "by_name.relu": nn.ReLU,
        "by_name.elu": torch_elu.ELU,
        "again": torch_elu.ELU,
    }
    assert model.again is model.shared
    torch.testing.assert_close(model(x), expected)


def test_hooks_of_every_kind_go_on() -> None:
    called = []

    def hook(name: str) -> Callable[..., None]:
        return lambda *arguments: called.append(name)

    model = nn.Sequential(nn.Linear(3, 3), nn.ELU())
    elu = model[1]
    elu.register_buffer("seen", torch.ones(2))
    elu.note = "second layer"
    names = [
        "forward_pre_hook",
        "forward_hook",
        "full_backward_pre_hook",
        "full_backward_hook",
        "state_dict_pre_hook",
        "state_dict_post_hook",
        "load_state_dict_pre_hook",
        "load_state_dict_post_hook",
    ]
    for name in names:
        getattr(elu, f"register_{name}")(hook(name))
    elu.register_forward_hook(lambda module, args, output: output * 2)
    torch_elu.convert(model)
    x = torch.randn(2, 3)
    y = model(x)
    assert_same_bits(y, torch_elu.elu(model[0](x)) * 2)
    y.sum().backward()
    model.load_state_dict(model.state_dict())
    assert called == names
    assert torch.equal(model.state_dict()["1.seen"], torch.ones(2))
    assert elu.note == "second layer"


class Doubled(nn.ELU):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


class Renamed(nn.SELU):
    pass


def test_derived_classes_and_replaced_forwards_stay_and_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    patched = nn.ELU()
    patched.forward = lambda x: x + 1
    parametrized = nn.CELU()
    parametrized.register_parameter("weight", nn.Parameter(torch.ones(1)))
    parametrize.register_parametrization(parametrized, "weight", nn.Identity())
    model = nn.Sequential(Doubled(), Renamed(), patched, parametrized, nn.ELU())
    with caplog.at_level(logging.INFO, "torch_elu"):
        torch_elu.convert(model)
    types = [type(module) for module in model]
    assert types[:3] == [Doubled, Renamed, nn.ELU]
    assert types[3].__name__ == "ParametrizedCELU"
    assert types[4] is torch_elu.ELU
    assert caplog.messages == [
        "torch_elu.convert left Doubled: a derived class",
        "torch_elu.convert left Renamed: a derived class",
        "torch_elu.convert left ELU: its forward was replaced",
        "torch_elu.convert left ParametrizedCELU: a derived class",
        "torch_elu.convert replaced 1 activations of Sequential",
    ]
    assert torch.equal(model[2](torch.ones(1)), torch.full((1,), 2.0))


@pytest.mark.parametrize(
    ("model", "remedy"),
    [
        (nn.Linear(2, 2), "If its forward calls"),
        (torch_elu.ELU(), "It has torch_elu's modules already"),
        (nn.Sequential(torch_elu.SELU(), nn.ReLU()), "It has torch_elu's modules already"),
    ],
    ids=str,
)
def test_a_model_with_nothing_to_replace_is_warned_of_where_it_is_called(
    model: nn.Module, remedy: str
) -> None:
    name = type(model).__name__
    message = rf"torch_elu.convert found no nn.ELU, .* to replace in a {name}\. {remedy}"
    with pytest.warns(UserWarning, match=message) as caught:
        assert torch_elu.convert(model) is model
    assert caught[0].filename == __file__


# save


@pytest.mark.parametrize(
    ("save", "expected"),
    [
        (None, ["input"] * 5),
        ("input", ["input"] * 5),
        ("output", ["output", "output", "input", "output", "input"]),
    ],
)
def test_save_output_is_for_elu_and_celu_of_alpha_from_0_on(
    save: str | None, expected: list[str]
) -> None:
    model = nn.Sequential(nn.ELU(), nn.ELU(0.0), nn.ELU(-0.5), nn.CELU(2.0), nn.CELU(-2.0))
    x = torch.randn(50, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(model(x).sum(), x)
    torch_elu.convert(model, save=save)
    assert [module.save for module in model] == expected
    torch.testing.assert_close(torch.autograd.grad(model(x).sum(), x)[0], grad)


def test_save_and_model_are_checked_before_anything_changes() -> None:
    model = nn.ELU()
    with pytest.raises(ValueError, match='save must be "input" or "output", but got "both"'):
        torch_elu.convert(model, save="both")
    assert type(model) is nn.ELU
    with pytest.raises(TypeError, match=r"expected a torch.nn.Module, but got function"):
        torch_elu.convert(F.elu)
    with pytest.raises(TypeError):
        torch_elu.convert(model, "output")


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_an_error_leaves_the_whole_model_as_it_was() -> None:
    model = nn.Sequential(nn.ELU(), torch.jit.script(nn.ELU()), nn.SELU(), nn.ELU("a"), nn.CELU())
    x = inputs()
    before = model[:3](x)
    with pytest.raises(TypeError):
        torch_elu.convert(model, save="output")
    types = [type(module) for module in model]
    assert [*types[:1], *types[2:]] == [nn.ELU, nn.SELU, nn.ELU, nn.CELU]
    assert not any("save" in vars(module) for module in model)
    assert_same_bits(model[:3](x), before)


def test_modules_can_be_called_at_every_moment_of_their_conversion(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_attribute = nn.Module.__setattr__
    x = inputs()
    classes = []

    def set_and_call(module: nn.Module, name: str, value: object) -> None:
        set_attribute(module, name, value)
        classes.append(type(module))
        assert module(x).shape == x.shape

    model = nn.Sequential(nn.ELU(), nn.SELU(), nn.CELU())
    monkeypatch.setattr(nn.Module, "__setattr__", set_and_call)
    torch_elu.convert(model)
    assert set(classes) >= {torch_elu.ELU, torch_elu.SELU, torch_elu.CELU}


# What comes after


def test_a_model_traced_by_fx_keeps_its_nodes_and_hooks() -> None:
    traced = torch.fx.symbolic_trace(nn.Sequential(nn.Linear(3, 3), nn.ELU()))
    nodes, calls = str(traced.graph), []
    traced.get_submodule("1").register_forward_hook(lambda *_: calls.append(1))
    torch_elu.convert(traced)
    x = torch.randn(2, 3)
    assert_same_bits(traced(x), torch_elu.elu(traced.get_submodule("0")(x)))
    assert (str(traced.graph), calls) == (nodes, [1])


def test_a_model_compiled_before_runs_our_kernels_after_and_pytorchs_once_reverted() -> None:
    torch.compiler.reset()
    model = nn.Sequential(nn.ELU(0.3))
    compiled = torch.compile(model, backend="aot_eager")
    x = inputs()
    pytorchs = compiled(x)
    assert not torch.equal(pytorchs, ours.elu(x, 0.3))
    torch_elu.convert(compiled)
    assert_same_bits(compiled(x), ours.elu(x, 0.3))
    torch_elu.revert(compiled)
    assert_same_bits(compiled(x), pytorchs)
    torch.compiler.reset()

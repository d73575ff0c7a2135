"""The modules: those of torch.nn in signature, repr, state and pickle."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from torch import Tensor, nn

NAMES = ("ELU", "SELU", "CELU")

# What is shown for these arguments.
REPRS = {
    "ELU": {
        "": "ELU(alpha=1.0)",
        "0.5": "ELU(alpha=0.5)",
        "0.5, True": "ELU(alpha=0.5, inplace=True)",
        "save='output'": "ELU(alpha=1.0, save='output')",
        "2.0, inplace=True, save='output'": "ELU(alpha=2.0, inplace=True, save='output')",
    },
    "SELU": {"": "SELU()", "True": "SELU(inplace=True)"},
    "CELU": {
        "": "CELU(alpha=1.0)",
        "0.5": "CELU(alpha=0.5)",
        "0.5, True": "CELU(alpha=0.5, inplace=True)",
        "save='output'": "CELU(alpha=1.0, save='output')",
    },
}
CASES = [
    (name, arguments, shown) for name, cases in REPRS.items() for arguments, shown in cases.items()
]
parametrize_cases = pytest.mark.parametrize(
    ("name", "arguments", "shown"), CASES, ids=[c[2] for c in CASES]
)


def make(name: str, arguments: str) -> nn.Module:
    module = eval(f"torch_elu.{name}({arguments})")
    assert isinstance(module, nn.Module)
    return module


@parametrize_cases
def test_repr_shows_the_arguments_and_makes_the_module_again(
    name: str, arguments: str, shown: str
) -> None:
    module = make(name, arguments)
    assert repr(module) == shown
    if "save" not in arguments:
        assert repr(eval(f"nn.{name}({arguments})")) == shown
    assert repr(eval(f"torch_elu.{shown}")) == shown


@pytest.mark.parametrize(
    ("package", "name"),
    [*((nn, name) for name in NAMES), *((F, name.lower()) for name in NAMES)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_modules_and_functions_have_the_signature_of_pytorchs_and_save(
    package: ModuleType, name: str
) -> None:
    def parameters(public: Callable[..., object]) -> list[tuple[str, object, object]]:
        return [(p.name, p.default, p.kind) for p in inspect.signature(public).parameters.values()]

    ours, theirs = getattr(torch_elu, name), getattr(package, name)
    extra = [("save", "input", inspect.Parameter.KEYWORD_ONLY)] * (name.upper() != "SELU")
    assert parameters(ours) == parameters(theirs) + extra
    # Tools that look for activations, quantizers and initialisers among them, find these too.
    assert package is F or issubclass(ours, theirs)


@parametrize_cases
def test_state_is_empty_and_loads_from_torch_nns(name: str, arguments: str, shown: str) -> None:
    module = make(name, arguments)
    assert module.state_dict() == {}
    assert list(module.parameters()) == list(module.buffers()) == []
    model = nn.Sequential(nn.Linear(3, 3), module)
    model.load_state_dict(nn.Sequential(nn.Linear(3, 3), getattr(nn, name)()).state_dict())


@parametrize_cases
def test_copies_and_pickles_are_equal(name: str, arguments: str, shown: str) -> None:
    module = make(name, arguments).eval()
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    copies = [
        copy.copy(module),
        copy.deepcopy(module),
        pickle.loads(pickle.dumps(module)),
        torch.load(file, weights_only=False),
    ]
    x = torch.randn(5, 3)
    for other in copies:
        assert type(other) is type(module)
        assert repr(other) == shown
        assert not other.training
        assert torch.equal(other(x.clone()), module(x.clone()))


@parametrize_cases
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_forward_and_backward_are_those_of_torch_nn(
    name: str, arguments: str, shown: str, dtype: torch.dtype
) -> None:
    without_save = ", ".join(part for part in arguments.split(", ") if "save" not in part)
    theirs = eval(f"nn.{name}({without_save})")
    values = torch.randn(7, 5, dtype=dtype) * 3
    results = []
    for module in (make(name, arguments), theirs):
        x = values.clone().requires_grad_()
        hidden = x * 1
        y = module(hidden)
        assert (y is hidden) == module.inplace
        y.square().sum().backward()
        results.append((y, x.grad))
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("name", ["ELU", "CELU"])
def test_save_is_checked_when_the_module_is_made(name: str) -> None:
    with pytest.raises(ValueError, match='save must be "input" or "output", but got "both"'):
        getattr(torch_elu, name)(save="both")
    with pytest.raises(TypeError):
        getattr(torch_elu, name)(1.0, False, "output")


@pytest.mark.parametrize("name", ["ELU", "CELU"])
@pytest.mark.parametrize("save", ["input", "output"])
def test_save_reaches_the_operator(name: str, save: str) -> None:
    x = torch.randn(4, requires_grad=True)
    saved: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = getattr(torch_elu, name)(save=save)(x)
    kept = x if save == "input" else y
    assert [tensor.data_ptr() for tensor in saved] == [kept.data_ptr()]


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("name", ["ELU", "CELU"])
def test_a_module_made_without_init_saves_its_input(name: str) -> None:
    # As one that is unpickled from torch.nn's, or of a subclass that does not call this __init__.
    module = getattr(torch_elu, name).__new__(getattr(torch_elu, name))
    module.__setstate__(vars(getattr(nn, name)(0.5)))
    x = torch.randn(5, requires_grad=True)
    expected = getattr(torch_elu, name)(0.5)(x)
    for made in (module, copy.deepcopy(module), torch.jit.script(module)):
        assert torch.equal(made(x), expected)
    assert (module.save, repr(module)) == ("input", f"{name}(alpha=0.5)")

"""TorchScript: script, trace, freeze, save and load; and a scripted model still differentiates."""

from __future__ import annotations

import inspect
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch_elu
from conftest import RunPython
from references import (
    PLUS_ONE,
    SELU,
    Coefficients,
    assert_same_bits,
    celu,
    exact_curvature,
    exact_slope,
)
from torch import Tensor, nn

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*")

MODULES: dict[str, Callable[[], nn.Module]] = {
    "ELU": torch_elu.ELU,
    "ELU(0.5)": lambda: torch_elu.ELU(0.5),
    "ELU in place": lambda: torch_elu.ELU(0.5, inplace=True),
    "ELU, output saved": lambda: torch_elu.ELU(0.5, save="output"),
    "SELU": torch_elu.SELU,
    "SELU in place": lambda: torch_elu.SELU(inplace=True),
    "CELU(0.5)": lambda: torch_elu.CELU(0.5),
    "CELU in place": lambda: torch_elu.CELU(0.5, inplace=True),
    "CELU, output saved": lambda: torch_elu.CELU(0.5, save="output"),
}
parametrize_modules = pytest.mark.parametrize("make", MODULES.values(), ids=MODULES.keys())


def example() -> Tensor:
    return torch.randn(6, 4)


def model_of(activation: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5), activation, nn.Linear(5, 2)).eval()


def kinds_of_node(model: torch.jit.ScriptModule) -> set[str]:
    return set(re.findall(r"torch_elu::elu_?(?=\()", str(model.inlined_graph)))


@parametrize_modules
@pytest.mark.parametrize(
    "convert",
    [
        torch.jit.script,
        lambda model: torch.jit.trace(model, example()),
        lambda model: torch.jit.freeze(torch.jit.script(model)),
        lambda model: torch.jit.freeze(torch.jit.trace(model, example())),
        lambda model: torch.jit.optimize_for_inference(torch.jit.script(model)),
    ],
    ids=["script", "trace", "script and freeze", "trace and freeze", "optimize_for_inference"],
)
def test_converted_saved_and_loaded_it_holds_our_operator_and_gives_the_same(
    convert: Callable[[nn.Module], torch.jit.ScriptModule], make: Callable[[], nn.Module]
) -> None:
    module = make()
    model = model_of(module)
    converted = convert(model)
    expected_kind = {"torch_elu::elu_" if module.inplace else "torch_elu::elu"}
    assert kinds_of_node(converted) == expected_kind

    file = io.BytesIO()
    torch.jit.save(converted, file)
    file.seek(0)
    loaded = torch.jit.load(file)
    assert kinds_of_node(loaded) == expected_kind
    with torch.no_grad():
        for size in (6, 1, 9):
            x = torch.randn(size, 4)
            expected = model(x)
            torch.testing.assert_close(converted(x), expected)
            torch.testing.assert_close(loaded(x), expected)


@parametrize_modules
def test_a_scripted_model_differentiates_after_the_executor_has_specialised_it(
    make: Callable[[], nn.Module],
) -> None:
    model = model_of(make()).train()
    scripted = torch.jit.script(model)
    parameters = list(model.parameters())
    for run in range(7):
        x = torch.randn(6 if run < 5 else 3, 4, requires_grad=True)
        grads = torch.autograd.grad(scripted(x).square().sum(), [x, *parameters])
        expected = torch.autograd.grad(model(x).square().sum(), [x, *parameters])
        for grad, other in zip(grads, expected, strict=True):
            torch.testing.assert_close(grad, other, msg=lambda text, run=run: f"run {run}: {text}")


@pytest.mark.parametrize(
    ("function", "c"),
    [
        (lambda x: torch.ops.torch_elu.elu(x, 0.3), Coefficients(0.3)),
        (torch_elu.selu, SELU),
        (lambda x: torch.ops.torch_elu.elu(x, 0.3, 1.0, 1 / 0.3), celu(0.3)),
        (torch_elu.elu_plus_one, PLUS_ONE),
    ],
    ids=["elu", "selu", "celu", "elu_plus_one"],
)
def test_scripted_functions_have_first_and_second_derivatives_at_every_run(
    function: Callable[[Tensor], Tensor], c: Coefficients
) -> None:
    scripts = [torch.jit.trace(function, torch.randn(4, dtype=torch.float64))]
    if function in (torch_elu.selu, torch_elu.elu_plus_one):
        scripts.append(torch.jit.script(function))
    file = io.BytesIO()
    torch.jit.save(scripts[0], file)
    file.seek(0)
    scripts.append(torch.jit.load(file))
    for script in scripts:
        for _ in range(6):
            x = torch.randn(9, dtype=torch.float64, requires_grad=True)
            y = script(x)
            assert_same_bits(y, function(x))
            (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
            torch.testing.assert_close(slope, exact_slope(x.detach(), c))
            (curvature,) = torch.autograd.grad(slope.sum(), x)
            torch.testing.assert_close(curvature, exact_curvature(x.detach(), c))


@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.selu, torch_elu.celu])
@pytest.mark.parametrize("inplace", [False, True])
def test_functions_script_with_all_their_arguments(
    function: Callable[..., Tensor], inplace: bool
) -> None:
    scripted = torch.jit.script(function)
    arguments = (inplace,) if function is torch_elu.selu else (0.7, inplace)
    for _ in range(3):
        x = torch.randn(50, dtype=torch.float64)
        ours = x.clone()
        assert_same_bits(scripted(ours, *arguments), function(x.clone(), *arguments))
        assert torch.equal(ours, x) != inplace


@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.selu, torch_elu.celu])
def test_scripted_functions_have_the_functions_defaults(function: Callable[..., Tensor]) -> None:
    defaults = {a.name: a.default_value for a in torch.jit.script(function).schema.arguments[1:]}
    parameters = list(inspect.signature(function).parameters.values())[1:]
    assert defaults == {parameter.name: parameter.default for parameter in parameters}


def test_save_works_and_is_checked_in_a_script() -> None:
    scripted = torch.jit.script(torch_elu.elu)
    with pytest.raises(torch.jit.Error, match='save must be "input" or "output", but got "result"'):
        scripted(torch.ones(3), save="result")
    with pytest.raises(RuntimeError, match="only if alpha"):
        scripted(torch.ones(3, requires_grad=True), -0.5, save="output")


@pytest.mark.parametrize("way", ["LD_PRELOAD", "dlopen"])
def test_a_process_that_only_loads_the_library_runs_a_model(
    way: str, tmp_path: Path, run_python: RunPython
) -> None:
    model = torch.jit.script(nn.Sequential(torch_elu.ELU(0.3), torch_elu.SELU()))
    model.save(tmp_path / "model.pt")
    environment, load = {}, f"ctypes.CDLL({torch_elu.library_path!r})"
    if way == "LD_PRELOAD":
        load = ""
        environment = {
            "LD_PRELOAD": torch_elu.library_path,
            "LD_LIBRARY_PATH": str(Path(torch.__file__).parent / "lib"),
        }
    code = (
        f"import ctypes, sys, torch\n{load}\n"
        "print(torch.jit.load('model.pt')(torch.linspace(-3, 3, 7)).tolist())\n"
        "assert 'torch_elu' not in sys.modules"
    )
    printed = run_python("-c", code, **environment).stdout
    assert printed.strip() == str(model(torch.linspace(-3, 3, 7)).tolist())

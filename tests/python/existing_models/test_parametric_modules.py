"""Modules that learn an alpha: what they compute, how they train, and how they are saved."""

from __future__ import annotations

import copy
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch_elu
from references import assert_same_bits
from torch import Tensor, nn

MODULES: dict[str, tuple[Callable[..., nn.Module], Callable[..., Tensor]]] = {
    "ParametricELU": (torch_elu.ParametricELU, lambda x, alpha: alpha * torch.expm1(x)),
    "ParametricCELU": (torch_elu.ParametricCELU, lambda x, alpha: alpha * torch.expm1(x / alpha)),
    "PELU": (torch_elu.PELU, lambda x, a, b: a * torch.expm1(x / b)),
}
parametrize_modules = pytest.mark.parametrize(
    ("make", "negative"), MODULES.values(), ids=MODULES.keys()
)


def filled(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        nn.init.uniform_(parameter, 0.3, 2.0)
    return module


@pytest.mark.parametrize("make", [make for make, _ in MODULES.values()], ids=MODULES.keys())
def test_an_input_with_another_number_of_channels_is_refused(
    make: Callable[..., nn.Module],
) -> None:
    message = r"dimension 1 has num_parameters = 4 elements, but got the shape \[2, 3\]"
    with pytest.raises(ValueError, match=message):
        make(4)(torch.randn(2, 3))


@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 5, 3), (2, 5, 3, 4)], ids=str)
@pytest.mark.parametrize("num_parameters", [1, 5])
@parametrize_modules
def test_channels_are_those_of_prelu(
    make: Callable[..., nn.Module],
    negative: Callable[..., Tensor],
    num_parameters: int,
    shape: tuple[int, ...],
) -> None:
    module = filled(make(num_parameters))
    x = torch.randn(shape)
    along = [-1] + [1] * max(len(shape) - 2, 0)
    parameters = [parameter.view(along) for parameter in module.parameters()]
    positive = x * parameters[0] / parameters[1] if len(parameters) == 2 else x
    expected = torch.where(x > 0, positive, negative(x, *parameters))
    torch.testing.assert_close(module(x), expected)


@parametrize_modules
def test_it_learns_what_it_was_made_from(
    make: Callable[..., nn.Module], negative: Callable[..., Tensor]
) -> None:
    x = torch.randn(200, 3)
    teacher, pupil = filled(make(3)), make(3)
    optimizer = torch.optim.LBFGS(pupil.parameters(), line_search_fn="strong_wolfe", max_iter=100)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (pupil(x) - teacher(x).detach()).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    for own, wanted in zip(pupil.parameters(), teacher.parameters(), strict=True):
        torch.testing.assert_close(own, wanted, rtol=1e-2, atol=1e-2)


@parametrize_modules
def test_state_copies_and_dtypes(
    make: Callable[..., nn.Module], negative: Callable[..., Tensor]
) -> None:
    module, x = filled(make(3)), torch.randn(2, 3)
    other = make(3)
    other.load_state_dict(module.state_dict())
    assert_same_bits(other(x), module(x))
    assert_same_bits(copy.deepcopy(module)(x), module(x))
    assert repr(module) == f"{make.__name__}(num_parameters=3)"
    assert module.double()(x.double()).dtype == torch.float64
    other.reset_parameters()
    assert all((parameter == 1).all() for parameter in other.parameters())
    assert next(make(3, dtype=torch.float64).parameters()).dtype == torch.float64


@parametrize_modules
def test_scripted_traced_and_loaded_they_give_the_same_and_revert(
    make: Callable[..., nn.Module], negative: Callable[..., Tensor]
) -> None:
    module, x = filled(make(3)), torch.randn(2, 3, 4)
    for script in (torch.jit.script(module), torch.jit.trace(module, x)):
        assert "torch_elu::parametric_elu" in str(script.inlined_graph)
        buffer = io.BytesIO()
        torch.jit.save(script, buffer)
        buffer.seek(0)
        assert_same_bits(torch.jit.load(buffer)(x), module(x))
        reverted = torch_elu.revert(script)
        assert "torch_elu::" not in str(reverted.inlined_graph)
        torch.testing.assert_close(reverted(x), module(x))


@pytest.mark.parametrize("num_parameters", [1, 3])
@parametrize_modules
def test_reverted_it_is_where_in_pytorch_with_the_same_parameters(
    make: Callable[..., nn.Module], negative: Callable[..., Tensor], num_parameters: int
) -> None:
    model = nn.Sequential(filled(make(num_parameters)))
    x = torch.cat([torch.randn(2, 3, 4), torch.full((1, 3, 4), 200.0)])
    hooks: list[int] = []
    model[0].register_forward_hook(lambda *_: hooks.append(1))
    expected = model(x)
    before, state = model[0], {name: p.clone() for name, p in model.state_dict().items()}
    assert torch_elu.revert(model) is model
    assert model[0] is before
    torch.testing.assert_close(model(x), expected)
    assert len(hooks) == 2
    model(x).sum().backward()
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, state[name])
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()  # exp(200) is infinite


def test_reverted_and_saved_they_run_in_a_process_without_this_package(tmp_path: Path) -> None:
    model = torch_elu.revert(nn.Sequential(*(make(3) for make, _ in MODULES.values())))
    path = tmp_path / "model.pt"
    torch.save(model, path)
    code = (
        "import sys, torch\n"
        f"model = torch.load({str(path)!r}, weights_only=False)\n"
        "model(torch.randn(2, 3, 4))\n"
        "assert not any('torch_elu' in name for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_exact_class_is_reverted() -> None:
    class Own(torch_elu.ParametricELU):
        pass

    with pytest.warns(UserWarning, match=r"left 1 modules \(.*Own\)"):
        torch_elu.revert(nn.Sequential(Own(), torch_elu.ELU()))

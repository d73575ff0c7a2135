"""Replaces the activations of an existing model by those of this package."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn

from . import _C, leftovers
from .functional import _saves_output
from .modules import CELU, ELU, SELU

_log = logging.getLogger("torch_elu")

_COUNTERPARTS: dict[type[nn.Module], type[nn.Module]] = {
    nn.ELU: ELU,
    nn.SELU: SELU,
    nn.CELU: CELU,
}
_OURS = (ELU, SELU, CELU)

Model = TypeVar("Model", bound=nn.Module)
# Returns how many activations it replaced.
Change = Callable[[], int]


def convert(model: Model, *, save: str | None = None, example_inputs: Any = None) -> Model:
    """Replaces every ``nn.ELU``, ``nn.SELU`` and ``nn.CELU`` in a model, in place.

    The modules stay the same objects, with their names, hooks and training flag, and stay shared
    where they were shared. Only their class becomes :class:`torch_elu.ELU`,
    :class:`~torch_elu.SELU` or :class:`~torch_elu.CELU`. Subclasses and modules whose ``forward``
    was replaced stay as they are, because they may compute something else. So do calls of
    ``torch.nn.functional.elu`` inside a ``forward``: use :class:`torch_elu.override_aten` for
    these.

    In TorchScript models (scripted, traced, frozen, loaded) and TorchScript parts of a model, the
    operators ``aten::elu``, ``elu_``, ``selu``, ``selu_``, ``celu`` and ``celu_`` are replaced, in
    functions too. Such a model gets new code over the same parameters. Convert the whole model: a
    submodule that was taken out before keeps the old code, and a submodule converted alone leaves
    the old code in its model.

    Args:
        model: A module. It may be an activation itself.
        save: What the activations save for backward: see :func:`torch_elu.elu`. ``None`` and
            ``"input"`` change nothing. ``"output"`` applies to the replaced activations with alpha
            >= 0. SELU always saves its input. Default: ``None``
        example_inputs: A tuple of arguments, a dictionary of named arguments, or a single argument.
            The model runs once with it, without recording gradients, to find each call that stays
            PyTorch's. Buffers and random numbers are restored. Default: ``None``

    Returns:
        ``model``.

    The number of replaced modules, and each module that stays, is logged at INFO level to
    ``torch_elu``.

    Warns:
        UserWarning: if there was nothing to replace; for calls of PyTorch's functions, which stay.
            With ``example_inputs`` the warning names the calls that ran, by module and line;
            without, methods and attributes that mention such a function.

    Raises:
        TypeError: if ``model`` is not a module.
        ValueError: if ``save`` is anything else.

    If an error is raised, the whole model is unchanged.

    In place with a negative alpha, the forward raises an error where gradients are recorded;
    PyTorch's raises it in the backward.

    >>> import torch, torch_elu
    >>> torch_elu.convert(torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ELU(0.5)))
    Sequential(
      (0): Linear(in_features=4, out_features=8, bias=True)
      (1): ELU(alpha=0.5)
    )
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"torch_elu.convert expected a torch.nn.Module, but got {type(model).__name__}. "
            "Functions that call torch.nn.functional.elu run under torch_elu.override_aten()."
        )
    save_output = save is not None and _saves_output(save)
    # Whatever can raise comes before the first change.
    modules = _outside_scripts(model)
    changes = [_plan(module, save_output) for module in modules]
    if example_inputs is None:
        left = leftovers.likely_calls(modules)
    else:
        planned = zip(modules, changes, strict=True)
        replaced = {module for module, change in planned if change is not None}
        left = leftovers.seen_calls(model, example_inputs, replaced)
    if left:
        warnings.warn(
            f"torch_elu.convert leaves PyTorch's functions where a model calls them: "
            f"{', '.join(left)}. Call torch_elu's there, or run the model under "
            "torch_elu.override_aten().",
            stacklevel=2,
        )
    count = sum(change() for change in changes if change is not None)
    _log.info("torch_elu.convert replaced %d activations of %s", count, type(model).__name__)
    if count == 0 and not left:
        remedy = (
            "It has torch_elu's modules already."
            if any(isinstance(module, ELU | SELU | CELU) for module in modules)
            else "If its forward calls torch.nn.functional.elu, or it is a program of "
            "torch.export, run it under torch_elu.override_aten()."
        )
        warnings.warn(
            "torch_elu.convert found no nn.ELU, nn.SELU or nn.CELU to replace in a "
            f"{type(model).__name__}. {remedy}",
            stacklevel=2,
        )
    return model


def _outside_scripts(model: nn.Module) -> list[nn.Module]:
    """The model and what is in it, but nothing that is in a TorchScript module, each once."""
    found, seen = [model], {model}
    for module in found:  # which grows
        if not isinstance(module, torch.jit.ScriptModule):
            new = [child for child in module.children() if child not in seen]
            found += new
            seen.update(new)
    return found


def _plan(module: nn.Module, save_output: bool) -> Change | None:
    if isinstance(module, torch.jit.ScriptModule):
        return _plan_script(module, "convert", lambda it: _C.convert_script(it, save_output))
    return _plan_module(module, save_output)


def _plan_module(module: nn.Module, save_output: bool) -> Change | None:
    counterpart = _COUNTERPARTS.get(type(module))
    name = type(module).__qualname__
    if counterpart is None:
        if isinstance(module, tuple(_COUNTERPARTS)) and not isinstance(module, _OURS):
            _log.info("torch_elu.convert left %s: a derived class", name)
        return None
    if "forward" in vars(module):
        _log.info("torch_elu.convert left %s: its forward was replaced", name)
        return None
    saves_output = save_output and isinstance(module, nn.ELU | nn.CELU) and module.alpha >= 0

    def change() -> int:
        # First what the new class needs: another thread may call the module at any moment.
        if saves_output:
            vars(module)["save"] = "output"
        _exchange_class(module, counterpart)
        return 1

    return change


def _exchange_class(module: nn.Module, new: type[nn.Module]) -> None:
    """Gives the module another class, and lets compiled code that holds it notice.

    In PyTorch 2.11 such code looks at a module again only after its dictionary has changed.
    """
    module.__class__ = new
    vars(module)["_class_is_new"] = True
    del vars(module)["_class_is_new"]


def _plan_script(
    module: torch.jit.ScriptModule, caller: str, rewrite: Callable[[Any], tuple[Any, int]]
) -> Change | None:
    # PyTorch has no public way to exchange the code of a ScriptModule: this is the one that its own
    # quantization takes.
    script: Any = vars(module).get("_actual_script_module", module)
    if not hasattr(script, "_reconstruct"):
        raise RuntimeError(
            f"torch_elu.{caller} cannot change a TorchScript module in PyTorch "
            f"{torch.__version__}. Call it before torch.jit.script or torch.jit.trace, or in C++."
        )
    rewritten, count = rewrite(script._c)
    if count == 0:
        return None

    def change() -> int:
        script._reconstruct(rewritten)
        # What that leaves out are the module's own compiled hooks.
        script._forward_pre_hooks.update(enumerate(script._c._get_forward_pre_hooks()))
        script._forward_hooks.update(enumerate(script._c._get_forward_hooks()))
        return int(count)

    return change

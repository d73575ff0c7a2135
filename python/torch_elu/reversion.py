"""The way back from convert: the model no longer needs this package."""

from __future__ import annotations

import logging
import warnings
from typing import TypeVar

import torch
from torch import Tensor, nn

from . import _C
from .conversion import (
    _COUNTERPARTS,
    Change,
    _exchange_class,
    _outside_scripts,
    _plan_script,
)
from .parametric import PELU, ParametricCELU, ParametricELU, _OfChannels

_log = logging.getLogger("torch_elu")

_ORIGINALS = {ours: theirs for theirs, ours in _COUNTERPARTS.items()}

_PARAMETRIC = (ParametricELU, ParametricCELU, PELU)

Model = TypeVar("Model", bound=nn.Module)


def revert(model: Model) -> Model:
    """Replaces this package's :class:`ELU`, :class:`SELU` and :class:`CELU` in a model by those of
    :mod:`torch.nn`, in place: the way back from :func:`convert`.

    The modules stay the same objects, with their names, hooks and training flag. They lose
    ``save="output"``. A model that was converted and reverted is what it was before, to the bits.

    In TorchScript models (scripted, traced, frozen, loaded) PyTorch's operators replace this
    package's. After saving, such a model runs wherever PyTorch does. Modules that learn their alpha
    become a :class:`torch.fx.GraphModule` of ``torch.where`` with the same parameters.
    :func:`elu_plus_one` becomes ``elu(x) + 1``, which rounds to 0 where exp(x) is small.

    Calls of this package's functions inside a ``forward`` stay. For programs of
    :mod:`torch.export` use :func:`decompositions`.

    Args:
        model: A module, possibly an activation itself.

    Returns:
        ``model``.

    The number of replaced modules is logged at INFO level to ``torch_elu``.

    Warns:
        UserWarning: if there was nothing to replace; for subclasses and modules whose ``forward``
            was replaced, which stay; for ``elu_plus_one``.

    Raises:
        TypeError: if ``model`` is not a module.

    If an error is raised, the whole model is unchanged.

    >>> import torch, torch_elu
    >>> model = torch_elu.convert(torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ELU(0.5)))
    >>> type(torch_elu.revert(model)[1])
    <class 'torch.nn.modules.activation.ELU'>
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"torch_elu.revert expected a torch.nn.Module, but got {type(model).__name__}. "
            "A program of torch.export: program.run_decompositions(torch_elu.decompositions())."
        )
    left = [module for module in model.modules() if _must_be_left(module)]
    if left:
        names = ", ".join(sorted({type(module).__qualname__ for module in left}))
        warnings.warn(
            f"torch_elu.revert left {len(left)} modules ({names}), which still need torch_elu: "
            "their class is derived from one of its own, or their forward was replaced. Change "
            "these where they are defined.",
            stacklevel=2,
        )
    # Whatever can raise comes before the first change.
    changes = [_plan(module) for module in _outside_scripts(model)]
    count = sum(change() for change in changes if change is not None)
    _log.info("torch_elu.revert replaced %d activations of %s", count, type(model).__name__)
    if count == 0:
        warnings.warn(
            f"torch_elu.revert found nothing of torch_elu to replace in a {type(model).__name__}. "
            "Calls of its functions in a forward stay.",
            stacklevel=2,
        )
    return model


def _must_be_left(module: nn.Module) -> bool:
    is_ours = isinstance(module, (*_ORIGINALS, _OfChannels))
    is_known = type(module) in (*_ORIGINALS, *_PARAMETRIC)
    return is_ours and (not is_known or "forward" in vars(module))


def _plan(module: nn.Module) -> Change | None:
    if isinstance(module, torch.jit.ScriptModule):
        return _plan_script(module, "revert", _C.revert_script)
    if isinstance(module, _OfChannels) and not _must_be_left(module):
        return _plan_parametric(module)
    original = _ORIGINALS.get(type(module))
    if original is None or _must_be_left(module):
        return None

    def change() -> int:
        _exchange_class(module, original)
        # After it: another thread may call the module at any moment.
        vars(module).pop("save", None)
        return 1

    return change


class _InPyTorch(nn.Module):
    """What a module with a learnt alpha computes, in operators of PyTorch."""

    alpha: Tensor
    a: Tensor
    b: Tensor

    def __init__(self, module: _OfChannels) -> None:
        super().__init__()
        self.kind, self.num_parameters = type(module), module.num_parameters
        for name, parameter in module.named_parameters():
            self.register_parameter(name, parameter)

    def forward(self, input: Tensor) -> Tensor:
        x = input if self.num_parameters == 1 else input.transpose(1, -1)
        z = x.clamp(max=0)  # where exp(x) is infinite its gradient would be NaN
        positive = x
        if self.kind is ParametricELU:
            negative = self.alpha * torch.expm1(z)
        elif self.kind is ParametricCELU:
            negative = self.alpha * torch.expm1(z / self.alpha)
        else:
            positive = self.a / self.b * x
            negative = self.a * torch.expm1(z / self.b)
        y = torch.where(x > 0, positive, negative.to(positive.dtype))
        return y if self.num_parameters == 1 else y.transpose(1, -1)


def _plan_parametric(module: _OfChannels) -> Change:
    # PyTorch has no module for it. The code of a GraphModule is saved with it.
    graph_module = torch.fx.symbolic_trace(_InPyTorch(module))

    def change() -> int:
        vars(module).update(
            {
                name: value
                for name, value in vars(graph_module).items()
                if name not in vars(module) or name == "forward"
            }
        )
        _exchange_class(module, type(graph_module))
        return 1

    return change

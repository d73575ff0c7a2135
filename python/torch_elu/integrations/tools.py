"""Tools that look activations up by their exact class or function: ours stand beside PyTorch's.

What they do for torch.nn.ELU they then do for torch_elu.ELU. Without it they would take it for
something unknown and say nothing.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from .. import _C
from ..conversion import _COUNTERPARTS
from ..functional import celu, elu, selu
from ..modules import ELU
from .decompositions import decompositions

# The modules that hold a dictionary by class, and its name.
_TABLES = {
    "captum.attr._core.deep_lift": "SUPPORTED_NON_LINEAR",
    "torch.ao.quantization.quantization_mappings": "DEFAULT_STATIC_QUANT_MODULE_MAPPINGS",
    "torch_pruning.utils.op_counter": "MODULES_MAPPING",
}
# These count what passes through torch.nn.functional; a module of their own table they ask once.
_COUNTERS = ("calflops.pytorch_ops", "deepspeed.profiling.flops_profiler.profiler")


def registrations() -> dict[str, Callable[[], None]]:
    """What to call once each of these modules has been imported."""
    return {
        **{module: _add_to_table(module) for module in _TABLES},
        **{module: _add_to_counter(module) for module in _COUNTERS},
        "backpack.extensions.backprop_extension": _add_to_backpack,
        "ptflops.pytorch_ops": _add_to_ptflops,
        "torch.ao.pruning._experimental.pruner.base_structured_sparsifier": _add_to_pruner,
        "torch.ao.quantization.quantize_fx": _warn_before_fx_quantization,
        "openvino.frontend.pytorch.ts_decoder": _revert_traced_for_openvino,
        "openvino.frontend.pytorch.fx_decoder": _decompose_for_openvino,
    }


def _add_to_table(module: str) -> Callable[[], None]:
    def add_to_table() -> None:
        table = getattr(importlib.import_module(module), _TABLES[module])
        for theirs, ours in _COUNTERPARTS.items():
            if theirs in table:
                table.setdefault(ours, table[theirs])

    return add_to_table


def _add_to_counter(module: str) -> Callable[[], None]:
    def add_to_counter() -> None:
        counter = importlib.import_module(module)

        def count(module: Any, inputs: tuple[Tensor, ...], _: Tensor) -> None:
            module.__flops__ += counter._elu_flops_compute(inputs[0])[0]

        counter.MODULE_HOOK_MAPPING[ELU] = count

    return add_to_counter


def _add_to_ptflops() -> None:
    from ptflops.pytorch_ops import MODULES_MAPPING

    count = MODULES_MAPPING[nn.ELU]

    def count_twice(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # As nn.ELU is counted there: the module, and the F.elu in it.
        count(module, inputs, output)
        count(module, inputs, output)

    MODULES_MAPPING[ELU] = count_twice


def _add_to_backpack() -> None:
    from backpack.extensions.backprop_extension import BackpropExtension as Extension

    init: Callable[..., None] = Extension.__init__

    def init_with_ours(
        self: Any, savefield: str, module_exts: dict[type, Any], *arguments: Any, **options: Any
    ) -> None:
        known = {
            ours: module_exts[theirs]
            for theirs, ours in _COUNTERPARTS.items()
            if theirs in module_exts
        }
        init(self, savefield, known | module_exts, *arguments, **options)

    Extension.__init__ = init_with_ours


def _add_to_pruner() -> None:
    """The structured pruner of torch.ao, which looks for linear, activation, linear."""
    from torch.ao.pruning._experimental.pruner import base_structured_sparsifier as pruner

    functions, modules = (
        pruner._get_supported_activation_functions,
        pruner._get_supported_activation_modules,
    )
    pruner._get_supported_activation_functions = lambda: {*functions(), elu, selu, celu}
    pruner._get_supported_activation_modules = lambda: {*modules(), *_COUNTERPARTS.values()}


def _warn_before_fx_quantization() -> None:
    from torch.ao.quantization import quantize_fx

    prepare: Callable[..., Any] = quantize_fx._prepare_fx

    def warn_and_prepare(model: nn.Module, *arguments: Any, **options: Any) -> Any:
        if any(type(module) is ELU for module in model.modules()):  # theirs has no SELU, no CELU
            warnings.warn(
                "torch.ao quantizes torch.nn.ELU and leaves torch_elu.ELU in floating point. Call "
                "torch_elu.revert(model) first; after it, torch_elu.convert for what is left.",
                stacklevel=3,
            )
        return prepare(model, *arguments, **options)

    quantize_fx._prepare_fx = warn_and_prepare


def _revert_traced_for_openvino() -> None:
    """What OpenVINO has traced or scripted, or was given so, becomes a copy in ATen's operators."""
    import torch
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder as Decoder

    to_script: Callable[..., Any] = Decoder._get_scripted_model

    def to_script_of_aten(*arguments: Any, **options: Any) -> Any:
        script = to_script(*arguments, **options)
        if not isinstance(script, torch.jit.ScriptModule):
            return script
        reverted, count = _C.revert_script(script._c)
        return torch.jit._recursive.wrap_cpp_module(reverted) if count else script

    Decoder._get_scripted_model = to_script_of_aten


def _decompose_for_openvino() -> None:
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder as Decoder

    decode = Decoder.from_exported_program.__func__

    def decode_of_aten(cls: type, program: Any, *arguments: Any, **options: Any) -> Any:
        if "torch_elu" in str(program.graph):
            program = program.run_decompositions(decompositions())
        return decode(cls, program, *arguments, **options)

    Decoder.from_exported_program = classmethod(decode_of_aten)

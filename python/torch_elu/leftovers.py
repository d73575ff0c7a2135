"""Where a model calls PyTorch's functions, which convert does not reach."""

from __future__ import annotations

import dis
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, TracebackType
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules import module as module_hooks
from torch.utils._python_dispatch import TorchDispatchMode

_FUNCTIONS = [
    getattr(owner, name)
    for owner in (torch, F)
    for name in ("elu", "elu_", "selu", "selu_", "celu", "celu_")
    if hasattr(owner, name)
]
_OPERATORS = ("aten::elu", "aten::elu_", "aten::celu", "aten::celu_", "aten::selu", "aten::selu_")
_TORCH = str(Path(torch.__file__).parent / "_")[:-1]  # not torchvision


def likely_calls(modules: Iterable[nn.Module]) -> list[str]:
    """The methods that name one of the functions, and the attributes that hold one."""
    found: dict[str, None] = {}
    for module in modules:
        name = type(module).__qualname__
        for attribute, value in vars(module).items():
            if _is_one(value):
                found[f"{name}.{attribute}"] = None
        for owner in type(module).__mro__:
            if owner.__module__.partition(".")[0] in ("torch", "torch_elu"):
                continue
            for function in vars(owner).values():
                if isinstance(function, FunctionType) and _names_one(function):
                    found[function.__qualname__] = None
    return list(found)


def _is_one(value: object) -> bool:
    return any(value is function for function in _FUNCTIONS)


def _names_one(function: FunctionType) -> bool:
    return any(map(_is_one, _named_globals(function.__code__, function.__globals__)))


def _named_globals(code: CodeType, names: dict[str, Any]) -> Iterator[object]:
    """What stands behind each global that the code reads, and behind its attributes there."""
    value: object = None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "LOAD_GLOBAL":
            value = names.get(instruction.argval)
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            value = getattr(value, instruction.argval, None) if value is not None else None
        else:
            value = None
        yield value
    for constant in code.co_consts:
        if isinstance(constant, CodeType):  # a function inside this one
            yield from _named_globals(constant, names)


def seen_calls(model: nn.Module, example_inputs: Any, replaced: set[nn.Module]) -> list[str]:
    """Runs the model once; where each call came from that is not of a module in ``replaced``."""
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = {}
    if isinstance(example_inputs, dict):
        options = example_inputs
    elif isinstance(example_inputs, tuple | list):
        arguments = tuple(example_inputs)
    else:
        arguments = (example_inputs,)
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    devices = {tensor.device for tensor in (*model.parameters(), *model.buffers())}
    try:
        with (
            torch.random.fork_rng([device for device in devices if device.type == "cuda"]),
            torch.no_grad(),
            _Watch(model, replaced) as watch,
        ):
            model(*arguments, **options)
    finally:
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
    return list(watch.found)


class _Watch(TorchDispatchMode):
    """Notes the path of the module and the line from which one of the operators is called."""

    def __init__(self, model: nn.Module, replaced: set[nn.Module]) -> None:
        super().__init__()
        self.paths = {module: path for path, module in model.named_modules()}
        self.replaced = replaced
        self.running: list[nn.Module] = []
        self.found: dict[str, None] = {}
        self.thread = threading.get_ident()

    def __enter__(self) -> _Watch:
        self.hooks = [
            module_hooks.register_module_forward_pre_hook(self.enter_module),
            module_hooks.register_module_forward_hook(self.leave_module, always_call=True),
        ]
        super().__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        for hook in self.hooks:
            hook.remove()

    def enter_module(self, module: nn.Module, _: Any) -> None:
        if threading.get_ident() == self.thread:
            self.running.append(module)

    def leave_module(self, *_: Any) -> None:
        if threading.get_ident() == self.thread and self.running:
            self.running.pop()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        module = self.running[-1] if self.running else None
        if func.name().partition(".")[0] in _OPERATORS and module not in self.replaced:
            path = self.paths.get(module, "") if module is not None else ""
            self.found[f"{path or 'the model'} ({_line_of_caller()})"] = None
        return func(*args, **(kwargs or {}))


def _line_of_caller() -> str:
    frame = sys._getframe()
    while frame.f_back is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_TORCH) and name != __file__ and not name.startswith("<"):
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return "a TorchScript model"

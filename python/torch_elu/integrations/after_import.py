"""Runs a function once a module of another package has been imported, without importing it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from itertools import dropwhile
from types import ModuleType

_log = logging.getLogger("torch_elu")


def after_import(name: str, register: Callable[[], None]) -> None:
    """Calls ``register`` as soon as the module ``name`` is imported: now, if it has been.

    An error of it is logged, since whoever imports that module need not use this package.
    """

    def register_or_log() -> None:
        try:
            register()
        except Exception:
            _log.warning("%s.%s failed", register.__module__, register.__name__, exc_info=True)

    if name in sys.modules:
        register_or_log()
    else:
        sys.meta_path.insert(0, _Finder(name, register_or_log))


class _Finder(MetaPathFinder):
    """Finds one module where the finders behind this one do, and adds a call to its execution."""

    def __init__(self, name: str, then: Callable[[], None]) -> None:
        self.name = name
        self.then = then

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        behind = list(dropwhile(lambda finder: finder is not self, sys.meta_path))[1:]
        finders = (finder for finder in behind if hasattr(finder, "find_spec"))
        found = (finder.find_spec(fullname, path, target) for finder in finders)
        spec = next(filter(None, found), None)
        if spec is None or spec.loader is None:
            return spec
        try:
            execute = spec.loader.exec_module

            def execute_and_call(module: ModuleType) -> None:
                execute(module)
                # A loader may serve other modules, too.
                if module.__name__ == self.name and self in sys.meta_path:
                    sys.meta_path.remove(self)
                    self.then()

            setattr(spec.loader, "exec_module", execute_and_call)  # noqa: B010
        except AttributeError:
            _log.warning("%s is not served: its loader takes no hook", self.name, exc_info=True)
        return spec

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


class AfterImport(MetaPathFinder):
    """Calls the function beside the name of a module once that has been imported, or now."""

    def __init__(self, registrations: dict[str, Callable[[], None]]) -> None:
        self.waiting = dict(registrations)
        sys.meta_path.insert(0, self)
        for name in registrations.keys() & sys.modules.keys():
            self.register(name)

    def register(self, name: str) -> None:
        """Calls what waits for this module, if anything does, and logs an error of it, since the
        program that imports the module need not use this package.
        """
        function = self.waiting.pop(name, None)
        if function is None:
            return
        if not self.waiting and self in sys.meta_path:
            sys.meta_path.remove(self)
        try:
            function()
        except Exception:
            _log.warning("%s.%s failed", function.__module__, function.__name__, exc_info=True)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As the finders behind this one do; adds the call to the module's execution."""
        if fullname not in self.waiting:
            return None
        behind = list(dropwhile(lambda finder: finder is not self, sys.meta_path))[1:]
        finders = (finder for finder in behind if hasattr(finder, "find_spec"))
        found = (finder.find_spec(fullname, path, target) for finder in finders)
        spec = next(filter(None, found), None)
        if spec is None or spec.loader is None:
            return spec
        try:
            execute = spec.loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                execute(module)
                self.register(module.__name__)  # a loader may serve other modules, too

            setattr(spec.loader, "exec_module", execute_and_register)  # noqa: B010
        except AttributeError:
            _log.warning("%s is not served: its loader takes no hook", fullname, exc_info=True)
        return spec

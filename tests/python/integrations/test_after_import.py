"""import torch_elu brings in no compiler, exporter or mesh; what is for them comes when they do."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from torch_elu.integrations.after_import import AfterImport


@pytest.fixture
def finders() -> Iterator[list[object]]:
    """Python's; after the test they and the modules imported are again what they were."""
    before, modules = list(sys.meta_path), set(sys.modules)
    yield sys.meta_path
    sys.meta_path[:] = before
    for name in sys.modules.keys() - modules:
        del sys.modules[name]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finders: list[object]) -> str:
    """The name of a module that has not been imported yet."""
    (tmp_path / "imported_later.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "imported_later"


def test_the_function_runs_once_and_after_the_module(module: str) -> None:
    answers: list[int] = []
    finders = list(sys.meta_path)
    AfterImport({module: lambda: answers.append(sys.modules[module].answer)})
    assert answers == []
    importlib.import_module("json")
    spec = importlib.util.find_spec(module)  # looks, but does not import
    assert answers == []
    importlib.import_module(module)
    assert answers == [42]
    importlib.reload(sys.modules[module])
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert answers == [42]
    assert sys.meta_path == finders


@pytest.mark.usefixtures("finders")
def test_a_module_that_does_not_exist_is_not_found_as_before() -> None:
    AfterImport({"no_such_module": lambda: None})
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_module'"):
        importlib.import_module("no_such_module")


def test_one_finder_waits_for_several_modules_and_goes_after_the_last(
    module: str, finders: list[object]
) -> None:
    before = list(finders)
    finders.append(OfMany())
    calls: list[str] = []
    names = ["json", "of_many", module]
    AfterImport({name: lambda name=name: calls.append(name) for name in names})
    assert calls == ["json"]
    for name in names[1:]:
        assert len(finders) == len(before) + 2
        importlib.import_module(name)
        assert calls[-1] == name
    assert [finder for finder in finders if not isinstance(finder, OfMany)] == before


class OthersLoader(Loader):
    """Of another tool that wants to know of an import, too."""

    def __init__(self, loader: Loader, seen: list[str]) -> None:
        self.loader, self.seen = loader, seen

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        self.seen.append(module.__name__)


class OthersFinder(MetaPathFinder):
    """As wrapt's, asks all finders, itself aside."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name, self.seen, self.asks = name, seen, False

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname != self.name or self.asks:
            return None
        self.asks = True
        spec = importlib.util.find_spec(fullname)
        self.asks = False
        assert spec is not None
        assert spec.loader is not None
        spec.loader = OthersLoader(spec.loader, self.seen)
        return spec


@pytest.mark.filterwarnings("ignore:.*find_spec:ImportWarning")
@pytest.mark.parametrize("comes_first", [False, True])
def test_the_finders_of_other_tools_see_the_import_too(module: str, comes_first: bool) -> None:
    calls: list[str] = []
    if comes_first:
        AfterImport({module: lambda: calls.append("ours")})
    sys.meta_path.insert(0, OthersFinder(module, calls))
    sys.meta_path.insert(0, SimpleNamespace(find_module=lambda *_: None))  # before find_spec was
    if not comes_first:
        AfterImport({module: lambda: calls.append("ours")})
    importlib.import_module(module)
    assert sorted(calls) == sorted(["ours", module])


class OfMany(Loader, MetaPathFinder):
    """A finder that is the loader of all that it finds."""

    sources = {"of_many": "from of_many import part", "of_many.part": "answer = 42"}  # noqa: RUF012

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        is_package = fullname == "of_many"
        return (
            spec_from_loader(fullname, self, is_package=is_package)
            if fullname in self.sources
            else None
        )

    def exec_module(self, module: ModuleType) -> None:
        exec(self.sources[module.__name__], module.__dict__)


class WithoutAttributes:
    __slots__ = ()

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.answer = 42


def test_a_loader_may_serve_other_modules_too(finders: list[object]) -> None:
    finders.append(OfMany())
    answers: list[int] = []
    AfterImport({"of_many": lambda: answers.append(sys.modules["of_many"].part.answer)})
    importlib.import_module("of_many")
    assert answers == [42]


@pytest.fixture
def without_hook(finders: list[object]) -> str:
    """The name of a module whose loader takes no hook."""
    find_spec = {"without_hook": spec_from_loader("without_hook", WithoutAttributes())}.get
    finders.append(SimpleNamespace(find_spec=lambda name, *_: find_spec(name)))
    return "without_hook"


def test_where_a_loader_takes_no_hook_the_import_succeeds_and_the_log_says_so(
    without_hook: str, caplog: pytest.LogCaptureFixture
) -> None:
    AfterImport({without_hook: lambda: None})
    with caplog.at_level(logging.WARNING, logger="torch_elu"):
        assert importlib.import_module(without_hook).answer == 42
    assert "without_hook is not served" in caplog.text
    assert "AttributeError: " in caplog.text


def test_an_error_of_the_function_is_logged_and_the_import_succeeds(
    module: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise AttributeError("renamed")

    AfterImport({module: fail})
    with caplog.at_level(logging.WARNING, logger="torch_elu"):
        assert importlib.import_module(module).answer == 42
    assert "fail" in caplog.text
    assert "AttributeError: renamed" in caplog.text

"""import torch_elu brings in no compiler, exporter or mesh; what is for them comes when they do."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import RunPython
from torch_elu._after_import import after_import

LAZY = [
    "torch._dynamo",
    "torch._inductor",
    "torch.distributed.tensor",
    "torch.onnx",
    "onnxscript",
    "torch.nested._internal.ops",
]


def test_importing_torch_elu_imports_none_of_what_it_serves(run_python: RunPython) -> None:
    script = f"import sys, torch, torch_elu; print([n for n in {LAZY} if n in sys.modules])"
    assert run_python("-c", script).stdout.strip() == "[]"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module that has not been imported yet."""
    (tmp_path / "imported_later.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    finders = list(sys.meta_path)
    yield "imported_later"
    sys.modules.pop("imported_later", None)
    sys.meta_path[:] = finders


def test_the_function_runs_once_and_after_the_module(module: str) -> None:
    answers: list[int] = []
    finders = list(sys.meta_path)
    after_import(module, lambda: answers.append(sys.modules[module].answer))
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


def test_the_function_runs_at_once_where_the_module_is(module: str) -> None:
    importlib.import_module(module)
    answers: list[int] = []
    after_import(module, lambda: answers.append(42))
    assert answers == [42]


def test_a_module_that_does_not_exist_is_not_found_as_before() -> None:
    finders = list(sys.meta_path)
    after_import("no_such_module", lambda: None)
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_module'"):
        importlib.import_module("no_such_module")
    sys.meta_path[:] = finders


def test_an_error_of_the_function_is_logged_and_the_import_succeeds(
    module: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise AttributeError("renamed")

    after_import(module, fail)
    with caplog.at_level(logging.WARNING, logger="torch_elu"):
        assert importlib.import_module(module).answer == 42
    assert "fail" in caplog.text
    assert "AttributeError: renamed" in caplog.text

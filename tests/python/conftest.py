"""Options and fixtures that several files of this suite share."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

# What was compiled by an earlier build of torch_elu is not to be found again.
os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"

import pytest
import torch

# The properties of test_properties.py, seven, take the number of examples from here: 2,000 in all,
# the same ones each time, and with --hypothesis-profile=long 100,000 new ones.
# Where hypothesis is missing, `make gpu` runs the tests that do without.
if importlib.util.find_spec("hypothesis") is not None:
    from hypothesis import settings

    settings.register_profile("quick", max_examples=286, deadline=None, derandomize=True)
    settings.register_profile("long", max_examples=14_286, deadline=None, print_blob=True)
    settings.load_profile("quick")

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]


def available_capabilities() -> list[str]:
    """What ATEN_CPU_CAPABILITY may say here.

    PyTorch takes its word for it: code for a processor that this one is not would crash.
    """
    best = torch.backends.cpu.get_cpu_capability()
    known = ["DEFAULT", "AVX2", "AVX512"]
    if best not in known:  # one build, as on Arm
        return ["default"]
    return [name.lower() for name in known[: known.index(best) + 1]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--slow", action="store_true", help="run tests that need much memory or minutes"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: needs much memory or minutes; with --slow only")
    # What PyTorch says about its own deprecations and settings is not what these tests are about.
    for warning in ("ignore:.*torch.jit", "ignore:dynamo_pgo force disabled"):
        config.addinivalue_line("filterwarnings", warning)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(
                pytest.mark.skip(reason="much memory or minutes: run pytest with --slow")
            )


@pytest.fixture(autouse=True)
def same_random_numbers_each_time() -> None:
    torch.manual_seed(20151123)


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """torch.set_num_threads, undone after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def said_by(capfd: pytest.CaptureFixture[str]) -> Callable[[Callable[[], object]], list[str]]:
    """Runs a call and returns what it printed and warned of.

    PyTorch 2.11 prints the warnings of torch.ops, later ones hand them to Python.
    """

    def run(call: Callable[[], object]) -> list[str]:
        capfd.readouterr()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        return [capfd.readouterr().err, *(str(warning.message) for warning in caught)]

    return run


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture
def run_python(tmp_path: Path) -> RunPython:
    """Runs Python in another process, in an empty folder, with the installed torch_elu."""

    def run(
        *arguments: str, path: Path | None = None, check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, **environment}
        if path is not None:
            env["PYTHONPATH"] = str(path)
        result = subprocess.run(
            [sys.executable, *arguments],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if check and result.returncode != 0:
            pytest.fail(f"{arguments} failed:\n{result.stdout}\n{result.stderr}")
        return result

    return run

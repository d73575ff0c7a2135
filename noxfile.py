"""The test suite with each end of the supported range of PyTorch, on every Python that is
here and that PyTorch has wheels for.

``nox`` runs all sessions, ``nox --list`` names them; what follows ``--`` goes to pytest::

    nox -s "tests-3.11(torch='2.11')" -- tests/python/numerics/test_values.py

A session installs PyTorch into an environment of its own: 5.4 GB with the wheels of PyPI, which
hold CUDA. A Python that is not here is skipped.
"""

from __future__ import annotations

import re

import nox

nox.options.error_on_missing_interpreters = False
nox.needs_version = ">=2025.2.9"
PROJECT = nox.project.load_toml("pyproject.toml")
OLDEST, AFTER_NEWEST = re.findall(r"2\.(\d+)", PROJECT["build-system"]["requires"][-1])


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
@nox.parametrize("torch", [f"2.{OLDEST}", f"2.{int(AFTER_NEWEST) - 1}"])
def tests(session: nox.Session, torch: str) -> None:
    """Builds the package against this PyTorch, and runs pytest on it."""
    if (session.python, torch) == ("3.10", "2.15"):
        session.skip("PyTorch 2.15 has no wheel for Python 3.10")
    session.install(f"torch=={torch}.*")
    for group in ("build", "test"):
        session.install(*nox.project.dependency_groups(PROJECT, group), f"torch=={torch}.*")
    build = f"{session.create_tmp()}/package"
    session.install(
        "--no-build-isolation", "--no-deps", ".", env={"TORCH_ELU_BUILD_DIR": build}, silent=False
    )
    on_all_processors = ("--numprocesses=auto", "--dist=loadfile")
    session.run("python", "-m", "pytest", *on_all_processors, *session.posargs)

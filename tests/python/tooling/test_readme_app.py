"""The app of the README is built and run as it stands, on the model that its Python code saves."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import torch_elu
from test_documentation import fenced_blocks


def test_the_app_of_the_readme_builds_and_runs(tmp_path: Path) -> None:
    (script,) = [code for _, code in fenced_blocks("python") if 'save("model.pt")' in code]
    ((_, lists),), ((_, app),) = list(fenced_blocks("cmake")), list(fenced_blocks("cpp"))
    (tmp_path / "CMakeLists.txt").write_text(lists)
    (tmp_path / "app.cpp").write_text(app)
    path = sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"]

    def run(*command: str) -> str:
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        ).stdout

    run(sys.executable, "-W", "ignore", "-c", script)
    run("cmake", "-S.", "-Bbuild", f"-DCMAKE_PREFIX_PATH={torch_elu.cmake_prefix_path}")
    run("cmake", "--build", "build")
    output = run("build/app")
    assert "CPUFloatType{1,1}" in output
    assert "torch_elu::ELU(alpha=1)" in output

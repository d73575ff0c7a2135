"""Installs the wheel beside several versions of PyTorch and Python, and tests what it promises.

``python tools/test_wheel.py build/wheel/torch_elu-*.whl`` makes an environment at a time (5.4 GB)
in ``build/test-wheel`` and removes it again. ``--environments 2.11:3.10 2.15:3.13`` chooses others;
``--suite`` runs all of pytest in each, in place of its core.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from build_wheel import pythons

ROOT = Path(__file__).parents[1].resolve()
ENVIRONMENTS = ["2.11:3.10", "2.11:3.12", "2.13:3.11", "2.15:3.11", "2.15:3.13"]
UPGRADED = "2.11:3.12"  # to 2.15, which has no wheel for Python 3.10
CORE = [
    "tests/python/numerics/test_values.py",
    "tests/python/autograd/test_autograd.py",
    "tests/python/existing_models/test_convert.py",
    "tests/python/scripting",
    "tests/python/install/test_package.py",
]
SAVE = """
import sys, torch, torch_elu
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch_elu.ELU(0.5), torch_elu.CELU(2.0))
x = torch.randn(400, 8)
torch.jit.script(model).save(sys.argv[1] + "/model.pt")
torch.save((x, model[2](model[1](x))), sys.argv[1] + "/expected.pt")
"""
LOAD = """
import sys, torch, torch_elu
model = torch.jit.load(sys.argv[1] + "/model.pt")
x, expected = torch.load(sys.argv[1] + "/expected.pt")
layers = [getattr(model, name) for name in "12"]
assert torch.equal(layers[1](layers[0](x)), expected)
model(x)
"""
VERSION = "import torch; print(torch.__version__)"


class Environment:
    """A virtual environment with a PyTorch, but without a compiler on its PATH."""

    def __init__(self, folder: Path, minor: str, version: str) -> None:
        interpreter = next(p for p in pythons() if version_of(p) == version)
        subprocess.run([interpreter, "-m", "venv", "--clear", folder], check=True)
        self.folder, self.python = folder, folder / "bin" / "python"
        self.pip("install", "--upgrade", "pip>=25.1")
        self.pip("install", f"torch=={minor}.*", "--group", "test")

    def run(self, *arguments: str | Path, succeeds: bool = True, path: str = "") -> str:
        """Runs its Python, and returns what that printed."""
        environment = {**os.environ, "PATH": f"{self.folder}/bin:{path}"}
        environment.pop("PYTHONPATH", None)
        result = subprocess.run(
            [self.python, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        printed = result.stdout + result.stderr
        if (result.returncode == 0) != succeeds:
            sys.exit(f"test_wheel: {arguments} ended with {result.returncode}:\n{printed}")
        return printed

    def pip(self, *arguments: str | Path, succeeds: bool = True) -> str:
        """Runs its pip."""
        command, *rest = arguments
        return self.run("-m", "pip", command, "--quiet", *rest, succeeds=succeeds)

    def installs_in(self, wheel: Path) -> float:
        """The shortest of three times that the installation takes, in seconds."""
        times = []
        for _ in range(3):
            start = time.perf_counter()
            self.pip("install", "--no-index", "--no-deps", "--force-reinstall", wheel)
            times.append(time.perf_counter() - start)
        return min(times)

    def site(self) -> Path:
        """Where its packages are."""
        (folder,) = self.folder.glob("lib/python*/site-packages")
        return folder

    def pretend(self, version: str = "", cuda: str = "") -> Callable[[], None]:
        """Patches the version of its PyTorch, or of its CUDA, and returns the way back."""
        (info,) = self.site().glob("torch-*.dist-info/METADATA")
        module = self.site() / "torch" / "version.py"
        before = {path: path.read_text() for path in (info, module)}
        if version:
            info.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", before[info]))
            module.write_text(
                re.sub(r"__version__ = .*", f"__version__ = '{version}'", before[module])
            )
        if cuda:
            module.write_text(re.sub(r"(?m)^cuda: .*$", f"cuda = '{cuda}'", before[module]))

        def back() -> None:
            for path, text in before.items():
                path.write_text(text)

        return back


def version_of(python: str) -> str:
    """As 3.12."""
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.check_output([python, "-c", script], text=True).strip()


def expect(text: str, printed: str) -> None:
    """Ends where a text is missing from what was printed."""
    if text not in printed:
        sys.exit(f"test_wheel: expected {text!r} in:\n{printed}")


def test_other_versions(environment: Environment, wheel: Path) -> None:
    """A PyTorch with another CUDA, and one that does not exist yet."""
    back = environment.pretend(cuda="12.8")
    printed = environment.run("-m", "torch_elu")
    expect("this PyTorch is built with CUDA 12.8; GPUs use PyTorch's own elu", printed)
    environment.run("-m", "torch_elu", "check")
    back()
    back = environment.pretend(version="2.16.0")
    refused = environment.pip("install", "--no-index", "--force-reinstall", wheel, succeeds=False)
    expect("torch<2.16,>=2.11", refused)
    sentence = environment.run("-c", "import torch_elu", succeeds=False).splitlines()[-1]
    expect("ImportError: torch_elu was built for PyTorch ", sentence)
    expect("but PyTorch 2.16.0 is installed: run `pip install 'torch==2.15.*'`", sentence)
    back()


def test_app(environment: Environment, build: Path) -> None:
    """An app that CMake builds against the installed wheel, and that loads a model."""
    shutil.rmtree(build, ignore_errors=True)
    paths = "torch_elu.cmake_prefix_path, torch.utils.cmake_prefix_path"
    script = f"import torch, torch_elu; print({paths}, sep=';')"
    prefix = environment.run("-c", script).splitlines()[-1]
    source = ROOT / "tests" / "consumer"
    options = (f"-DCMAKE_PREFIX_PATH={prefix}", f"-DPython_EXECUTABLE={environment.python}")
    commands: list[list[str | Path]] = [
        ["cmake", "-S", source, "-B", build, "-GNinja", *options],
        ["cmake", "--build", build, "--target", "train"],
        [build / "train"],
    ]
    for command in commands:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Goes through the environments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--environments", nargs="+", default=ENVIRONMENTS, metavar="TORCH:PYTHON")
    parser.add_argument("--suite", action="store_true", help="all of pytest, not its core")
    arguments = parser.parse_args()
    wheel = arguments.wheel.resolve()
    work = ROOT / "build" / "test-wheel"
    work.mkdir(parents=True, exist_ok=True)
    digests = set()
    for number, pair in enumerate(arguments.environments):
        minor, version = pair.split(":")
        started = time.perf_counter()
        environment = Environment(work / "environment", minor, version)
        seconds = environment.installs_in(wheel)
        environment.pip("install", "--no-index", wheel)  # with its dependencies: they are there
        print(environment.run("-m", "torch_elu"))
        print(environment.run("-m", "torch_elu", "check"))
        digests.add(environment.run("tests/python/support/digest.py").splitlines()[-1])
        if number == 0:
            environment.run("-c", SAVE, work)
        environment.run("-c", LOAD, work)
        test_app(environment, work / "app")
        test_other_versions(environment, wheel)
        tests = [] if arguments.suite else CORE
        path = os.environ["PATH"]  # torch.compile and the tests of CMake need a compiler
        printed = environment.run("-m", "pytest", "-q", "-n", "auto", *tests, path=path)
        print(f"{pair}: installed in {seconds:.1f} s; {printed.splitlines()[-1]}")
        if pair == UPGRADED:
            environment.pip("install", "torch==2.15.*")
            environment.run("-m", "torch_elu", "check")
            digests.add(environment.run("tests/python/support/digest.py").splitlines()[-1])
            print(f"{pair}: works after an upgrade to {environment.run('-c', VERSION)}", end="")
        print(f"{pair}: {time.perf_counter() - started:.0f} s", flush=True)
        shutil.rmtree(environment.folder)
    if len(digests) != 1:
        sys.exit(f"test_wheel: the results differ: {digests}")
    print("digests are equal:", *digests)


if __name__ == "__main__":
    main()

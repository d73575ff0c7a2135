"""What goes wrong around the library ends in an exception, and leaves the process usable."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch_elu
from conftest import RunPython

PACKAGE = Path(torch_elu.__file__).parent
REBUILD = "run `pip install --no-build-isolation --no-deps --force-reinstall .`"
USE = (
    "x = torch.tensor([-1.0, 2.0], requires_grad=True); "
    "torch_elu.elu(x, 0.5).sum().backward()\n"
    "if x.grad[1] != 1: raise SystemExit(x.grad)\n"
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the installed package, in a folder of its own."""
    copy = tmp_path / "packages" / "torch_elu"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def last_line(result: subprocess.CompletedProcess[str]) -> str:
    # An exception, not a signal.
    assert result.returncode == 1, (result.returncode, result.stderr)
    return result.stderr.strip().splitlines()[-1]


def library(package: Path) -> Path:
    return package / Path(torch_elu.library_path).relative_to(PACKAGE)


def extension(package: Path) -> Path:
    path = library(package).with_name(f"_C{sysconfig.get_config_var('EXT_SUFFIX')}")
    return path if path.exists() else pytest.skip("this Python has no _C")


# One process for all lengths: a crash ends it, and an import that failed may be tried again.
CUT_SHORT = """
import os, shutil, sys
name = os.path.basename(path)
whole = path + ".whole"
os.rename(path, whole)
size = os.path.getsize(whole)
for length in (0, 40, 63, 64, 470, 5000, size // 50, size // 2, size * 3 // 4, size - 1):
    shutil.copy(whole, path)
    os.truncate(path, length)
    try:
        import torch_elu
    except ImportError as error:
        assert str(error).startswith(f"torch_elu's {file} {named} cannot be loaded ("), error
        assert length < 64 or f"{name} is cut short after {length} bytes" in str(error), error
        assert rebuild in str(error), error
    else:
        raise SystemExit(f"was loaded with {length} of {size} bytes")
os.replace(whole, path)
import torch, torch_elu
"""


@pytest.mark.parametrize("file", ["library", "kernels", "extension"])
def test_a_file_that_was_cut_short_is_an_error_and_no_crash(
    file: str, package: Path, run_python: RunPython
) -> None:
    path = named = extension(package) if file == "extension" else library(package)
    if file == "kernels":
        file, path = "library", package / "lib" / "libtorch_elu_kernels_cpu.so"
    names = (file, str(named), str(path), REBUILD)
    given = f"file, named, path, rebuild = {names!r}"
    run_python("-c", given + CUT_SHORT + USE, path=package.parent)


def test_an_import_from_an_archive_says_that_it_cannot_work(
    package: Path, run_python: RunPython
) -> None:
    archive = Path(shutil.make_archive(str(package.parent), "zip", package.parent))
    sentence = last_line(run_python("-c", "import torch_elu", path=archive, check=False))
    assert f"ImportError: torch_elu cannot be imported from the archive {archive}" in sentence
    assert "unpack it, or install torch_elu with pip" in sentence


def test_a_second_copy_loaded_after_the_package_ends_with_the_message_that_the_readme_explains(
    package: Path, run_python: RunPython
) -> None:
    # PyTorch throws in the library's static constructors, where nothing can catch it.
    second = str(library(package))
    script = f"import torch, torch_elu; torch.ops.load_library({second!r})"
    result = run_python("-c", script, check=False)
    assert result.returncode != 0
    assert "Only a single TORCH_LIBRARY can be used to register the namespace torch_elu" in (
        result.stderr
    )


@pytest.mark.parametrize("option", ["-O", "-OO -I -X dev"])
def test_options_of_python_change_nothing(option: str, run_python: RunPython) -> None:
    # -O drops assertions, -OO docstrings, too; -I ignores PYTHONPATH.
    result = run_python(
        *option.split(),
        "-W",
        "ignore",
        "-c",
        f"import sys; sys.path[:] = {sys.path!r}\nimport torch, torch_elu\n"
        f"assert torch_elu.__file__ == {torch_elu.__file__!r}\n"
        + USE
        + "model = torch.jit.script(torch_elu.ELU(0.5))\n"
        "if model(torch.ones(2)).tolist() != [1, 1]: raise SystemExit('wrong')\n"
        "torch_elu.convert(torch.nn.Sequential(torch.nn.ELU()))\n",
    )
    assert result.stderr == ""


READ_ONLY = """
import os, torch, torch_elu
try:
    open(os.path.join(os.path.dirname(torch_elu.__file__), "new"), "w")
except PermissionError:
    pass
else:
    raise SystemExit("was not read-only")
"""


def test_a_read_only_installation_works_and_is_left_as_it_is(
    package: Path, run_python: RunPython
) -> None:
    before = sorted(package.rglob("*"))
    for path in [package, *before]:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    # root writes where it likes, unless this right is taken from it.
    command = [sys.executable, "-c", READ_ONLY + USE]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root may write everywhere, and setpriv is not here")
        command = [setpriv, "--bounding-set=-dac_override", *command]
    try:
        environment = {**os.environ, "PYTHONPATH": str(package.parent)}
        subprocess.run(command, env=environment, check=True, timeout=300)
    finally:
        for path in [package, *before]:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
    assert sorted(package.rglob("*")) == before


def test_works_without_numpy(run_python: RunPython) -> None:
    run_python(
        "-W",
        "ignore",
        "-c",
        "import sys; sys.modules['numpy'] = None\nimport torch, torch_elu\n"
        + USE
        + "torch_elu.elu(x.detach(), torch.tensor(0.5)); torch_elu.celu(x, 2)\n"
        "with torch_elu.override_aten(): torch.nn.functional.elu(x)\n",
    )


# The signal is sent by a thread that runs only once the call has given the interpreter up.
INTERRUPTED = """
import os, signal, sys, threading, torch, torch_elu

x = torch.linspace(-5, 5, 509).repeat(2**16)
expected = torch_elu.elu(x)
about_to_call = threading.Event()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it

def interrupt():
    about_to_call.wait()
    os.kill(os.getpid(), signal.SIGINT)
    arrived.append(bool(done))

sys.setswitchinterval(1000)
for call in CALLS:
    arrived = []
    for _ in range(3):
        done, result = [], None
        about_to_call.clear()
        y = x.clone()
        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            about_to_call.set()
            result = call(y)  # to give it back would let the other thread run, too
            done.append(True)
            thread.join()
            for _ in range(100): pass
        except KeyboardInterrupt:
            pass
        else:
            raise SystemExit("no KeyboardInterrupt")
        thread.join()
        assert torch.equal(torch_elu.elu(x), expected)  # and after it
        assert torch.equal(y, x) or torch.equal(y, expected)  # nothing half written
    if all(arrived): raise SystemExit("the signal never came during the call")
"""


def test_an_interrupt_during_a_call_is_raised_after_it_and_the_next_call_is_right(
    run_python: RunPython,
) -> None:
    calls = "CALLS = [torch_elu.elu, lambda y: torch_elu.elu(y, inplace=True)]\n"
    run_python("-c", "import torch_elu\n" + calls + INTERRUPTED)


# What runs in the process is told of every file that is opened and every address that is asked for.
WATCHED = """
import os, sys
import torch
seen = []
def watch(event, arguments):
    if event.startswith(("socket.", "urllib.", "http.", "subprocess.", "os.system", "os.exec")):
        seen.append((event, arguments))
    if event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
        if "__pycache__" not in str(arguments[0]): seen.append((event, arguments))
sys.addaudithook(watch)
import torch_elu
{use}
torch_elu.selu(torch.ones(3))
torch_elu.CELU(2.0)(torch.ones(3, requires_grad=True)).sum().backward()
with torch_elu.override_aten(): torch.nn.functional.elu(torch.ones(3))
torch_elu.convert(torch.nn.Sequential(torch.nn.ELU()))
watched = list(seen)
import socket
socket.socket().close()
assert len(seen) > len(watched), "the watch saw nothing"
if watched: raise SystemExit(watched)
"""


def test_neither_import_nor_use_asks_the_network_writes_files_or_starts_programs(
    run_python: RunPython,
) -> None:
    run_python("-c", WATCHED.format(use=USE))


def test_import_brings_in_no_module_that_torch_has_not_brought_in(run_python: RunPython) -> None:
    # That keeps the import short: what it takes is in docs/reliability.md.
    printed = run_python(
        "-c",
        "import sys, torch; before = set(sys.modules); import torch_elu; "
        "print([name for name in sys.modules if name not in before])",
    ).stdout
    added = eval(printed)
    assert "torch_elu._library" in added
    assert [name for name in added if name.split(".")[0] != "torch_elu"] == []

"""The libraries as the dynamic linker sees them, and where their build writes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
import torch
import torch_elu

from tools import check_wheel

LIBRARY = Path(torch_elu.library_path)
BINDINGS = LIBRARY.with_name(f"_C{sysconfig.get_config_var('EXT_SUFFIX')}")
CUDA = LIBRARY.with_name("libtorch_elu_cuda.so")
CPU_KERNELS = LIBRARY.parents[1] / "lib" / "libtorch_elu_kernels_cpu.so"
KERNELS = sorted(CPU_KERNELS.parent.glob("libtorch_elu_kernels_*.so"))
LIBRARIES = [path for path in (LIBRARY, BINDINGS, CUDA, *KERNELS) if path.exists()]
needs_bindings = pytest.mark.skipif(not BINDINGS.exists(), reason="this Python has no _C")
needs_cuda = pytest.mark.skipif(not CUDA.exists(), reason="this build has no CUDA kernels")

MODULES = (
    *("ELUImpl", "SELUImpl", "CELUImpl"),
    *("ParametricELUImpl", "ParametricCELUImpl", "PELUImpl"),
)
# Of each function the name alone; a constructor appears twice, once for derived classes.
FUNCTIONS = {
    "OverrideAten::OverrideAten",
    "convert",
    "revert",
    "cpu_capability",
    "cuda_version",
    "version",
    *("elu", "elu_", "elu_backward", "elu_out", "selu", "selu_", "celu", "celu_"),
    *("elu_plus_one", "elu_plus_one_backward"),
    *("parametric_elu", "parametric_elu_backward"),
    *(
        f"{module}::{name}"
        for module in MODULES
        for name in (module, "forward", "pretty_print", "reset")
    ),
}
# An app derives from these or asks for their type.
CLASSES = MODULES
EXPORTED = {f"torch_elu::v1::{name}" for name in FUNCTIONS} | {
    f"{what} for torch_elu::v1::{name}"
    for name in CLASSES
    for what in ("typeinfo", "typeinfo name", "vtable")
}
EXPORTED.add("torch_elu::cuda_stub_kernels")  # which libtorch_elu_cuda.so sets


def run(tool: str, *arguments: str | Path) -> str:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not here")
    return subprocess.check_output([tool, *arguments], text=True)


def exported(library: Path) -> set[str]:
    symbols = run("nm", "-D", "-C", "--defined-only", library).splitlines()
    names = [re.sub(r"^[0-9a-f]+ \w ", "", line) for line in symbols]
    return {re.sub(r"(\[abi:cxx11\])?\(.*$", "", name) for name in names}


def test_library_exports_its_interface_and_nothing_of_torch_or_of_the_standard_library() -> None:
    assert exported(LIBRARY) == EXPORTED


@needs_bindings
def test_bindings_export_what_python_asks_for() -> None:
    assert exported(BINDINGS) == {"PyInit__C"}


def test_the_cpu_kernels_export_their_tables() -> None:
    names = exported(CPU_KERNELS)
    assert "torch_elu::cpu::kernels_baseline" in names
    instruction_sets = {name.removeprefix("torch_elu::cpu::kernels_") for name in names}
    assert instruction_sets <= {"baseline", "avx2", "avx512"}


@needs_cuda
def test_the_cuda_half_exports_the_kernels_alone() -> None:
    assert exported(CUDA) == set()
    (kernels,) = [path for path in KERNELS if path != CPU_KERNELS]
    names = exported(kernels)
    assert names
    allowed = ("torch_elu::cuda::Kernels<", "torch_elu::cuda::Parametric<")
    assert all(name.startswith(allowed) for name in names), names


@pytest.fixture(params=LIBRARIES, ids=lambda path: path.name.split(".")[0])
def library(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_libraries_are_searched_beside_this_one_only(library: Path) -> None:
    dynamic = run("readelf", "-dW", library)
    folders = re.findall(r"\(R(?:UN)?PATH\).*\[(.*)\]", dynamic)
    assert folders or library in KERNELS  # which need nothing but the system's
    for folder in ":".join(folders).split(":"):
        assert folder in {"", "$ORIGIN", "$ORIGIN/../lib", "$ORIGIN/../../torch/lib"}
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    assert not [name for name in needed if "/" in name]


def test_addresses_of_functions_are_read_only_once_loaded(library: Path) -> None:
    assert "GNU_RELRO" in run("readelf", "-lW", library)
    assert "BIND_NOW" in run("readelf", "-dW", library)


def test_no_memory_is_writable_and_executable(library: Path) -> None:
    segments = re.findall(r"^ +(\w+) .* ([R ][W ][E ]) +0x", run("readelf", "-lW", library), re.M)
    assert dict(segments)["GNU_STACK"] == "RW "
    assert not [kind for kind, flags in segments if "W" in flags and "E" in flags]


def test_the_library_is_free_of_python_and_cuda() -> None:
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-dW", LIBRARY))
    of_pytorch = {name for name in needed if name.startswith(("libtorch", "libc10", "libcu"))}
    assert of_pytorch == {"libtorch_cpu.so", "libc10.so", "libtorch_elu_kernels_cpu.so"}
    assert not re.findall(r" _?Py[A-Z_]\w*", run("nm", "-D", "--undefined-only", LIBRARY))


def test_nothing_of_the_network_or_of_other_programs_is_called(library: Path) -> None:
    symbols = run("nm", "-D", "--undefined-only", library)
    called = {line.split()[-1].split("@")[0] for line in symbols.splitlines()}
    assert called & {"memcpy", "malloc", "strlen", "__cxa_atexit"}
    forbidden = "socket connect getaddrinfo gethostbyname send recv bind fork execve system popen"
    assert called & {*forbidden.split(), "fopen", "open", "creat"} == set()


def test_no_library_takes_the_process_for_single_threaded(library: Path) -> None:
    # As 1, other threads would count shared_ptr without atomic operations.
    run("readelf", "--version")
    assert check_wheel.single_threaded(library) == 0


def files_and_times(folder: Path) -> dict[Path, int]:
    left_out = {".git", ".nox", ".venv", "build"}
    inside = [path.relative_to(folder) for path in folder.rglob("*")]
    return {
        path: (folder / path).stat().st_mtime_ns
        for path in inside
        if left_out.isdisjoint(path.parts) and "cache" not in str(path)
    }


def test_cmake_writes_into_its_build_folder_only_and_hardens_every_file(
    repository: Path, tmp_path: Path
) -> None:
    before = files_and_times(repository)
    assert Path("CMakeLists.txt") in before
    run(
        "cmake",
        f"-S{repository}",
        f"-B{tmp_path}",
        "-DTORCH_ELU_CUDA=0",
        f"-DTorchELU_TORCH_ROOT={torch.__path__[0]}",
    )
    assert files_and_times(repository) == before
    commands = json.loads((tmp_path / "compile_commands.json").read_text())
    assert len(commands) > 10
    for command in commands:
        assert "-fstack-protector-strong" in command["command"], command["file"]
        assert "-D_FORTIFY_SOURCE=2" in command["command"], command["file"]

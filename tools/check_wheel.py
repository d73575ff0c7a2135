"""Checks a wheel as auditwheel would: what is in it, what it links, and how old a system may be.

``python tools/check_wheel.py build/wheel/*.whl``. auditwheel itself would copy PyTorch's libraries
into the wheel, where they would be loaded a second time. A wheel for any Python (``py3-none``) is
to have libraries for every supported version of PyTorch; another one was built from source, for the
Python and the PyTorch that were there.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path, PurePosixPath

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
LARGEST = 10_000_000  # bytes, of a wheel for any Python
# Every Linux that PyTorch runs on has these.
SYSTEM = (
    r"lib(c|m|dl|pthread|rt|gcc_s|stdc\+\+)\.so\.\d+|ld-linux-x86-64\.so\.2|ld-linux-aarch64\.so\.1"
)
# What each library may need beside them. PyTorch has loaded its own, and the CUDA runtime.
PYTORCH = r"libtorch_cpu\.so|libc10\.so"
KINDS = {
    r"libtorch_elu\.so": rf"{PYTORCH}|libtorch_elu_kernels_cpu\.so",
    r"libtorch_elu_cuda\.so": PYTORCH
    + r"|libtorch_cuda\.so|libc10_cuda\.so|libtorch_elu\.so|libtorch_elu_kernels_cu\d+\.so",
    r"libtorch_elu_kernels_(cpu|cu\d+)\.so": "",
    r"_C\..*\.so": rf"{PYTORCH}|libtorch_python\.so|libtorch_elu\.so",
}
# Of each library, what it may export.
EXPORTS = {
    r"libtorch_elu\.so": r"((typeinfo|vtable)( name)? for )?torch_elu::.*",
    r"libtorch_elu_cuda\.so": "",
    r"libtorch_elu_kernels_cpu\.so": r"torch_elu::cpu::kernels_\w+",
    r"libtorch_elu_kernels_cu\d+\.so": r"torch_elu::cuda::(Kernels|Parametric)<.*",
    r"_C\..*\.so": "PyInit__C",
}
RUN_PATHS = {"$ORIGIN", "$ORIGIN/../lib", "$ORIGIN/../../torch/lib"}
# Of manylinux_2_28, the oldest system that PyTorch's own wheels run on.
NEWEST = {"GLIBC": (2, 28), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11)}
MACHINES = {"x86_64": "X86-64", "aarch64": "AArch64"}
PARTS = [
    "__init__.py",
    "py.typed",
    "_build_info.py",
    "include/torch_elu/torch_elu.h",
    "share/cmake/TorchELU/TorchELUConfig.cmake",
    "lib/libtorch_elu_kernels_cpu.so",
]
PARTS_OF_A_MINOR = ["libtorch_elu.so", "TorchELUTargets.cmake", "TorchELUTargets-release.cmake"]


def readelf(option: str, path: Path) -> str:
    """What binutils' readelf prints."""
    return subprocess.check_output(["readelf", "-W", option, str(path)], text=True)


def of_kind(table: dict[str, str], name: str) -> str | None:
    """The entry of a table for the library of this name; None where it is none of ours."""
    return next((entry for kind, entry in table.items() if re.fullmatch(kind, name)), None)


def versions(path: Path, prefix: str) -> list[tuple[int, ...]]:
    """The versions of glibc's or the C++ library's symbols that a library needs."""
    found = re.findall(rf"Name: {prefix}_([\d.]+)", readelf("-V", path))
    return [tuple(map(int, version.split("."))) for version in found]


def exported(path: Path) -> Iterator[str]:
    """The names of a library's own functions and objects that others see."""
    listed = subprocess.check_output(["nm", "-D", "-C", "--defined-only", path], text=True)
    for line in listed.splitlines():
        yield re.sub(r"^[0-9a-f]+ \w ", "", line)


def single_threaded(path: Path) -> int | None:
    """The value that a library gives to its hidden __libc_single_threaded; None without one."""
    symbol = re.search(
        r": ([0-9a-f]+) +1 OBJECT +LOCAL +\w+ +(\d+) __libc_single_threaded", readelf("-s", path)
    )
    if symbol is None:
        return None
    section = re.search(
        rf"\[ *{symbol[2]}\] \S+ +(\w+) +([0-9a-f]+) ([0-9a-f]+)", readelf("-S", path)
    )
    assert section is not None
    if section[1] == "NOBITS":
        return 0
    start = int(section[3], 16) + int(symbol[1], 16) - int(section[2], 16)
    return path.read_bytes()[start]


def faults_of_library(path: Path, machine: str, is_for_any: bool) -> Iterator[str]:
    """What is wrong with one library of the wheel."""
    name = path.name
    dynamic = readelf("-d", path)
    for needed in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic):
        if not re.fullmatch(rf"{SYSTEM}|{of_kind(KINDS, name)}", needed):
            yield f"{name} needs {needed}, which neither the system nor PyTorch brings for it"
    for folders in re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", dynamic):
        for folder in sorted(set(folders.split(":")) - RUN_PATHS):
            yield f"{name} looks for libraries in {folder}"
    for symbol in exported(path):
        if not re.fullmatch(of_kind(EXPORTS, name) or "", symbol):
            yield f"{name} exports {symbol}"
    if single_threaded(path) != 0:
        yield f"{name} has __libc_single_threaded = {single_threaded(path)}, not 0"
    if MACHINES.get(machine, machine) not in readelf("-h", path):
        yield f"{name} is not for {machine}"
    for prefix, newest in NEWEST.items() if is_for_any else ():
        for version in versions(path, prefix):
            if version > newest:
                yield f"{name} needs {prefix}_{'.'.join(map(str, version))}: not manylinux_2_28"


def faults_of_contents(names: list[str], supported: list[str], is_for_any: bool) -> Iterator[str]:
    """What is missing from the wheel, or must not be in it."""
    folders: dict[str, set[str]] = {}
    for name in names:
        path = PurePosixPath(name)
        if ".so" in path.name and of_kind(KINDS, path.name) is None:
            yield f"{name} is bundled: PyTorch would load it a second time"
        if not path.parts[0].startswith("torch_elu"):
            yield f"{name} lies outside of torch_elu"
        if path.parts[1].startswith("torch-"):
            folders.setdefault(path.parts[1].removeprefix("torch-"), set()).add(path.name)
    kernels = [name for name in names if "/libtorch_elu_kernels_cu" in name]
    wanted = [f"torch_elu/{part}" for part in PARTS]
    parts = [*PARTS_OF_A_MINOR, *(["libtorch_elu_cuda.so"] if kernels else [])]
    bindings = {name for files in folders.values() for name in files if name.startswith("_C.")}
    minors = supported if is_for_any else list(folders)
    wanted += [
        f"torch_elu/torch-{m}/{part}" for m in minors for part in [*parts, *sorted(bindings)]
    ]
    for part in wanted:
        if part not in names:
            yield f"{part} is missing"
    if not bindings:
        yield "_C is missing"
    if len(kernels) > 1:
        yield f"the CUDA kernels are there {len(kernels)} times"
    if not is_for_any and len(folders) != 1:
        yield f"it has libraries for {len(folders)} versions of PyTorch, not for one"


def faults_of_metadata(
    metadata: str, names: list[str], supported: str, is_for_any: bool
) -> Iterator[str]:
    """Whether it requires the versions of PyTorch that it has libraries for."""
    requirements = Parser().parsestr(metadata).get_all("Requires-Dist", [])
    if is_for_any:
        bounds = set(re.findall(r"[<>=]+[\d.]+", supported))  # in any order
        if not any(bounds == set(re.findall(r"[<>=]+[\d.]+", r)) for r in requirements):
            yield f"it requires {requirements}, not {supported}"
        return
    bound = [re.fullmatch(r"torch==(\d+\.\d+)\.\*", requirement) for requirement in requirements]
    if not any(m and any(f"/torch-{m[1]}/" in name for name in names) for m in bound):
        yield f"it requires {requirements}, not the version of PyTorch that it was built for"


def faults_of_name(wheel: Path, tags: list[str], is_for_any: bool) -> Iterator[str]:
    """Whether name, tags and size are those of the one kind of wheel or of the other."""
    tag = "-".join(wheel.stem.split("-")[2:])
    expected = r"py3-none-manylinux_2_28_\w+" if is_for_any else r"(cp3\d+t?)-\1-linux_\w+"
    if not re.fullmatch(expected, tag):
        yield f"its name says {tag}, where {expected} was expected"
    if tags != [tag]:
        yield f"its name says {tag}, but WHEEL says {tags}"
    if is_for_any and wheel.stat().st_size > LARGEST:
        yield f"it has {wheel.stat().st_size / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f} MB"


def check(wheel: Path) -> list[str]:
    """Prints what a wheel links and needs, and returns what is wrong with it."""
    found = re.search(r"torch>=2\.(\d+),<2\.(\d+)", PYPROJECT.read_text())
    assert found is not None
    minors = [f"2.{minor}" for minor in range(int(found[1]), int(found[2]))]
    is_for_any = "-py3-none-" in wheel.name
    machine = re.sub(r"^.*-(linux|manylinux_\d+_\d+)_", "", wheel.stem)
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        names = archive.namelist()
        (info,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
        metadata = archive.read(f"{info}/METADATA").decode()
        tags = Parser().parsestr(archive.read(f"{info}/WHEEL").decode()).get_all("Tag", [])
        faults = [
            *faults_of_contents(names, minors, is_for_any),
            *faults_of_metadata(metadata, names, found[0], is_for_any),
            *faults_of_name(wheel, tags, is_for_any),
        ]
        newest: dict[str, tuple[int, ...]] = {}
        for name in names:
            if of_kind(KINDS, PurePosixPath(name).name) is not None:
                path = Path(archive.extract(name, folder))
                needed = re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("-d", path))
                print(f"{name}: {', '.join(sorted(needed))}")
                faults += faults_of_library(path, machine, is_for_any)
                for prefix in NEWEST:
                    newest[prefix] = max([newest.get(prefix, ()), *versions(path, prefix)])
    needed = [f"{prefix}_{'.'.join(map(str, version))}" for prefix, version in newest.items()]
    print(f"{wheel.stat().st_size / 1e6:.1f} MB; at most {', '.join(needed)}")
    return faults


def main() -> int:
    """Checks the wheels that are named; 1 if one has a fault."""
    faults = [
        f"{Path(wheel).name}: {fault}" for wheel in sys.argv[1:] for fault in check(Path(wheel))
    ]
    print("\n".join(faults) or "as it should be")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())

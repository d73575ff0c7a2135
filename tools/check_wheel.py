"""Checks a wheel as auditwheel would: what is in it, what it links, and how old a system may be.

``python tools/check_wheel.py build/wheel/*.whl``. auditwheel itself would copy PyTorch's libraries
into the wheel, where they would be loaded a second time.
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

# Every Linux that PyTorch runs on has these.
SYSTEM = {
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
}
# In PyTorch's wheel, or in those that it requires; nothing else of them is linked.
FROM_PYTORCH = re.compile(
    r"lib(torch|torch_cpu|torch_cuda|torch_python|c10|c10_cuda|shm)\.so|libcudart\.so\.\d+"
    r"|libgomp(-\w+)?\.so\.1(\.\d+)*"
)
OURS = {"libtorch_elu.so"}
PARTS = [
    "torch_elu/__init__.py",
    "torch_elu/py.typed",
    "torch_elu/_build_info.py",
    "torch_elu/lib/libtorch_elu.so",
    "torch_elu/include/torch_elu/torch_elu.h",
    "torch_elu/share/cmake/TorchELU/TorchELUConfig.cmake",
    "torch_elu/share/cmake/TorchELU/TorchELUTargets.cmake",
]


def readelf(option: str, path: Path) -> str:
    """What binutils' readelf prints."""
    return subprocess.check_output(["readelf", "-W", option, str(path)], text=True)


def newest_glibc(path: Path) -> tuple[int, int]:
    """The newest version of glibc's symbols that a library needs."""
    versions = re.findall(r"Name: GLIBC_(\d+)\.(\d+)", readelf("-V", path))
    return max(((int(major), int(minor)) for major, minor in versions), default=(0, 0))


def faults_of_library(path: Path, name: str) -> Iterator[str]:
    """What is wrong with one library of the wheel."""
    dynamic = readelf("-d", path)
    for needed in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic):
        if needed not in SYSTEM | OURS and not FROM_PYTORCH.fullmatch(needed):
            yield f"{name} needs {needed}, which neither the system nor PyTorch brings"
    for folders in re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", dynamic):
        for folder in folders.split(":"):
            if not folder.startswith("$ORIGIN"):
                yield f"{name} looks for libraries in {folder}, a folder of the building machine"


def faults_of_contents(names: list[str]) -> Iterator[str]:
    """What is missing from the wheel, or must not be in it."""
    for part in PARTS:
        if part not in names:
            yield f"{part} is missing"
    for name in names:
        path = PurePosixPath(name)
        is_ours = path.name in OURS or path.name.startswith("_C.")
        if ".so" in path.name and not is_ours:
            yield f"{name} is bundled: PyTorch would load it a second time"
        if not path.parts[0].startswith("torch_elu"):
            yield f"{name} lies outside of torch_elu"


def faults_of_metadata(metadata: str) -> Iterator[str]:
    """Whether it is bound to the minor version of PyTorch that it was built against."""
    requirements = Parser().parsestr(metadata).get_all("Requires-Dist", [])
    if not any(re.fullmatch(r"torch==\d+\.\d+\.\*", requirement) for requirement in requirements):
        yield f"it requires {requirements}, not one minor version of PyTorch"


def check(wheel: Path) -> list[str]:
    """Prints what a wheel links and needs, and returns what is wrong with it."""
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        names = archive.namelist()
        faults = list(faults_of_contents(names))
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        faults += faults_of_metadata(archive.read(metadata).decode())
        glibc = (0, 0)
        for name in names:
            if name.endswith(".so"):
                path = Path(archive.extract(name, folder))
                needed = re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("-d", path))
                print(f"{name}: {', '.join(sorted(needed))}")
                faults += faults_of_library(path, name)
                glibc = max(glibc, newest_glibc(path))
    print(f"symbols of glibc {glibc[0]}.{glibc[1]} at most")
    tag = re.search(r"manylinux_(\d+)_(\d+)", wheel.name)
    if tag is not None and (int(tag[1]), int(tag[2])) < glibc:
        faults.append(f"its name promises glibc {tag[1]}.{tag[2]}, which is older")
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

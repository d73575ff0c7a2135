"""The device code of the library of CUDA kernels, as cuobjdump shows it."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch_elu
from torch_elu import _build_info

DTYPES = {"d": "float64", "f": "float32", "6__half": "float16", "13__nv_bfloat16": "bfloat16"}
# An instruction: its address in a comment, perhaps a predicate (but not "never", which the
# assembler puts beside LDGSTS), its name with modifiers.
INSTRUCTION = re.compile(
    r"^\s+/\*[0-9a-f]{4,}\*/\s+(?!@!PT)(?:@!?U?P[0-9T]+ )?([A-Z][\w.]*)", re.MULTILINE
)
# A kernel's template arguments, mangled. Staged ones are for an alignment of 16 bytes.
KERNEL = re.compile(
    rf"(dense|staged|strided)_kernelI(?:Li(\d+)E)?({'|'.join(DTYPES)})Li(\d)E"
    r"N.*?\d(Value|Backward|BackwardFromResult|PlusOneValue|PlusOneBackward"
    r"|RoundedValue|RoundedBackward|GeneralValue|GeneralBackward)I[dfN]"
)


@dataclass(frozen=True)
class Kernel:
    """One of the kernels of an architecture."""

    layout: str
    alignment: int
    dtype: str
    inputs: int
    function: str
    registers: int
    stack: int
    local: int
    instructions: tuple[str, ...]

    @property
    def takes_general_path(self) -> bool:
        return self.function.startswith("General")

    @property
    def is_wide(self) -> bool:
        return self.alignment >= 16

    @property
    def element_size(self) -> int:
        return {"float64": 8, "float32": 4}.get(self.dtype, 2)

    def count(self, *names: str) -> int:
        """How many instructions have one of these names, whatever their modifiers."""
        counts = Counter(instruction.split(".")[0] for instruction in self.instructions)
        return sum(counts[name] for name in names)

    def widths(self, name: str) -> set[int]:
        """The bytes of all accesses with this instruction: LDG, STG, LDGSTS or LDS."""
        bits = {"256": 32, "128": 16, "64": 8, "U16": 2, "S16": 2}
        accesses = [i.split(".") for i in self.instructions if i.split(".")[0] == name]
        return {next((bits[part] for part in parts if part in bits), 4) for parts in accesses}

    def __str__(self) -> str:
        return f"{self.layout}<{self.alignment}, {self.dtype}, {self.function}>"


def cuobjdump() -> str | None:
    """From the toolkit, or the one that Triton brings."""
    found = shutil.which("cuobjdump")
    spec = importlib.util.find_spec("triton")
    places = [Path(os.environ.get("CUDA_HOME", "/usr/local/cuda"), "bin", "cuobjdump")]
    if spec is not None and spec.origin is not None:
        places.append(Path(spec.origin).parent / "backends/nvidia/bin/cuobjdump")
    return found or next((str(place) for place in places if place.is_file()), None)


def architectures() -> dict[str, bool]:
    """Those that this build lists, as sm_90, and whether PTX was asked for."""
    listed = [name for name in _build_info.cuda_architectures.split(";") if name]
    return {
        f"sm_{name.removesuffix('-real').removesuffix('-virtual')}": not name.endswith("-real")
        for name in listed
    }


def run_cuobjdump(*arguments: str) -> str:
    tool = cuobjdump()
    assert tool is not None
    (library,) = Path(torch_elu.__file__).parent.glob("lib/libtorch_elu_kernels_cu*.so")
    result = subprocess.run([tool, *arguments, library], capture_output=True, text=True, check=True)
    return result.stdout + result.stderr


@functools.cache
def kernels(architecture: str) -> list[Kernel]:
    """All kernels with device code for this architecture."""
    usage = {
        name: tuple(map(int, numbers))
        for name, *numbers in re.findall(
            r"Function (\S+):\s*REG:(\d+) STACK:(\d+) SHARED:\d+ LOCAL:(\d+)",
            run_cuobjdump("-res-usage", "-arch", architecture),
        )
    }
    parts = re.split(r"Function : (\S+)", run_cuobjdump("-sass", "-arch", architecture))
    found = []
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if "_parametric_cu_" in name:  # those of a learnt alpha access one element at a time
            continue
        match = KERNEL.search(name)
        assert match is not None, name
        layout, alignment, dtype, inputs, function = match.groups()
        instructions = [name for name in INSTRUCTION.findall(body) if name != "NOP"]
        found.append(
            Kernel(
                layout,
                int(alignment or 16),
                DTYPES[dtype],
                int(inputs),
                function,
                *usage[name],
                tuple(instructions),
            )
        )
    return found

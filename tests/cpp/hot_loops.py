"""Fail unless every function is applied to contiguous memory in vectors, for each type.

hot_loops.py [--objdump PROGRAM] baseline.o avx2.o avx512.o
"""

import argparse
import re
import subprocess
import sys

TYPES = "double", "float", "torch_elu::Float16", "torch_elu::BFloat16"
FUNCTIONS = (
    "UnitValue",
    "Value",
    "UnitBackward",
    "Backward",
    "BackwardFromResult",
    "PlusOneValue",
    "PlusOneBackward",
    "Rectified",
    "RectifiedBackward",
    "GeneralValue",
    "GeneralBackward",
)
# Before their loops these make numbers of the coefficients.
WITH_SINGLE_NUMBERS = ("GeneralValue", "GeneralBackward")

# In the notation of objdump, for x86-64 and for aarch64.
PACKED = re.compile(r"v?mulp[sd] |fmul v")
SCALAR = re.compile(
    r"v?(mul|add|sub|fn?madd\d+)s[sd] |fn?(mul|add|sub|madd|msub) [sd]\d|(call|bl) .*<fmaf?\b"
)
JUMP = re.compile(r"(?:j\w+|b(?:\.\w+)?|cbn?z|tbn?z) (?:.*, )?([0-9a-f]+) <")

Function = list[tuple[int, str]]  # addresses and instructions


def functions(objdump: str, path: str) -> list[tuple[str, Function]]:
    """Every function of the object and its name, of which there may be several clones."""
    command = [objdump, "--disassemble", "--reloc", "--demangle", "--no-show-raw-insn", path]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found: list[tuple[str, Function]] = []
    for line in lines:
        if start := re.fullmatch(r"[0-9a-f]+ <(.*)>:", line):
            found.append((start[1], []))
        elif relocation := re.match(r"\s+[0-9a-f]+: R_\w+\s+(\S+)", line):
            address, instruction = found[-1][1][-1]  # names what it calls
            found[-1][1][-1] = address, f"{instruction} <{relocation[1]}>"
        elif parts := re.match(r"\s+([0-9a-f]+):\s+(.*)", line):
            found[-1][1].append((int(parts[1], 16), " ".join(parts[2].split())))
    return found


def loops(function: Function) -> list[str]:
    """The instructions between a jump back and its target."""
    jumps = ((int(m[1], 16), at) for at, instruction in function if (m := JUMP.match(instruction)))
    spans = [(to, at) for to, at in jumps if function[0][0] <= to <= at]
    return ["\n".join(line for place, line in function if to <= place <= at) for to, at in spans]


def complaints(objdump: str, path: str) -> list[str]:
    """What is wrong with the object."""
    found = functions(objdump, path)
    result = []
    for function in FUNCTIONS:
        for type_name in TYPES:
            wanted = f"::{function}<{type_name}>, "
            bodies = [body for name, body in found if "map_contiguous<" in name and wanted in name]
            if not any(PACKED.search(loop) for body in bodies for loop in loops(body)):
                result.append(f"{path}: {function}<{type_name}> has no loop of vectors")
            scalar = [line for body in bodies for _, line in body if SCALAR.match(line)]
            if scalar and function not in WITH_SINGLE_NUMBERS:
                result.append(f"{path}: {function}<{type_name}> takes single numbers: {scalar[0]}")
    return result


def main() -> int:
    """Print what is wrong and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objdump", default="objdump")
    parser.add_argument("objects", nargs="+")
    arguments = parser.parse_args()
    wrong = [line for path in arguments.objects for line in complaints(arguments.objdump, path)]
    print("\n".join(wrong) or f"{len(arguments.objects)} objects compute in vectors")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

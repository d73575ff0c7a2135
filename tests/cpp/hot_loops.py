"""Fail unless every function is applied to contiguous memory in vectors, for each type.

hot_loops.py [--objdump PROGRAM] baseline.o avx2.o avx512.o
"""

import argparse
import re
import subprocess
import sys

TYPES = "double", "float", "torch_elu::Float16", "torch_elu::BFloat16"
OF_NUMBERS = (
    "UnitValue",
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
OWN = ("OwnAlphas<{}, ", "OwnCoefficients<{}>::Columns<")
# What each other kernel is a template of, for a type.
FUNCTIONS = {
    "value_of_columns": OWN,
    "gradients_of_columns": (*OWN, "UnitGradients<{}> >, ", "GeneralGradients<{}> >, "),
    "gradients_contiguous": (
        "UnitGradients<{}>, ",
        "GeneralGradients<{}>, ",
        "GradientsOf<torch_elu::Coefficients<{}> >, ",
    ),
}
# Before their loops these make numbers of the coefficients.
WITH_SINGLE_NUMBERS = "General"
# This one's sums over columns, too, end with fewer numbers than a vector has.
WITH_SINGLE_SUMS = "gradients_of_columns"

# In the notation of objdump, for x86-64 and for aarch64.
PACKED = re.compile(r"v?mulp[sd] |fmul v")
SCALAR = re.compile(
    r"v?(mul|add|sub|fn?madd\d+)s[sd] |fn?(mul|add|sub|madd|msub) [sd]\d|(call|bl) .*<fmaf?\b"
)
SUM = re.compile(r"v?adds[sd] |fadd [sd]\d")
JUMP = re.compile(r"(?:j\w+|b(?:\.\w+)?|cbn?z|tbn?z) (?:.*, )?([0-9a-f]+) <")

Function = list[tuple[int, str]]  # addresses and instructions


def of_numbers(type_name: str) -> list[str]:
    """What map_contiguous is a template of. Of float's value there are two."""
    coefficients = f"torch_elu::Coefficients<{type_name}> "
    values = [f"UnscaledValue<{coefficients}>, ", f"ScaledValue<{coefficients}>, "]
    return [
        *(values if type_name == "float" else [f"Value<{type_name}>, "]),
        *(f"{name}<{type_name}>, " for name in OF_NUMBERS),
    ]


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
    kernels = [("map_contiguous", name) for type_name in TYPES for name in of_numbers(type_name)]
    kernels += [
        (kernel, function.format(type_name))
        for kernel, functions_of_kernel in FUNCTIONS.items()
        for function in functions_of_kernel
        for type_name in TYPES
    ]
    for kernel, function in kernels:
        wanted = f"::{function}"
        shown = f"{path}: {kernel} of {wanted[2:].rstrip(', <')}"
        bodies = [body for name, body in found if f"{kernel}<" in name and wanted in name]
        if not any(PACKED.search(loop) for body in bodies for loop in loops(body)):
            result.append(f"{shown} has no loop of vectors")
        scalar = [line for body in bodies for _, line in body if SCALAR.match(line)]
        if kernel == WITH_SINGLE_SUMS:
            scalar = [line for line in scalar if not SUM.match(line)]
        if scalar and WITH_SINGLE_NUMBERS not in function:
            result.append(f"{shown} takes single numbers: {scalar[0]}")
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

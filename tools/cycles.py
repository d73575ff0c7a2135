"""Cycles for each element in the loops of the NEON kernels, as llvm-mca counts them.

    tools/cycles.py [--mca PROGRAM] kernels.o neoverse-n1 neoverse-n2 neoverse-v1 neoverse-v2

The object is one of `make arm`, build/arm/library/.../kernels_baseline.dir/.../kernels.cpp.o. The
bound that the ports set stands behind each count. Not every core has a model of its own in LLVM.
"""

import argparse
import importlib
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "cpp"))
hot_loops = importlib.import_module("hot_loops")

BYTES = {"q": 16, "d": 8, "s": 4, "h": 2}
STORE = re.compile(
    r"^(stp|str|stur|strh) ([qdshw])\d+(?!.*\[(?:sp|x29))", re.MULTILINE
)  # no spills


def stored_bytes(loop: str) -> int:
    """What one pass of the loop writes."""
    return sum(
        2 if name == "strh" else BYTES.get(register, 4) * (2 if name == "stp" else 1)
        for name, register in STORE.findall(loop)
    )


def cycles(mca: str, core: str, loop: str) -> tuple[float, float]:
    """For one pass: as scheduled, and as the ports allow."""
    code = re.sub(r"\b[0-9a-f]+ <.*$", "x", loop, flags=re.MULTILINE)
    code = re.sub(r" (<|//).*$", "", code, flags=re.MULTILINE)
    command = [mca, "--mtriple=aarch64", f"--mcpu={core}", "--iterations=300"]
    report = subprocess.run(command, input=f"x:\n{code}\n", capture_output=True, text=True)
    found = re.search(r"Total Cycles: +(\d+)[\s\S]*Block RThroughput: +([\d.]+)", report.stdout)
    if found is None:
        sys.exit(f"{mca}: {report.stderr.strip()}")
    return int(found[1]) / 300, float(found[2])


def main() -> None:
    """Print a line for each function and type."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mca", default="llvm-mca")
    parser.add_argument("object")
    parser.add_argument("cores", nargs="+")
    options = parser.parse_args()
    found = hot_loops.functions("aarch64-linux-gnu-objdump", options.object)
    sizes = dict(zip(hot_loops.TYPES, (8, 4, 2, 2), strict=True))
    for type_name, size in sizes.items():
        for function in hot_loops.of_numbers(type_name):
            if function.startswith("General"):
                continue  # loops of their own, in which this script finds no way through
            wanted = f"::{function}"
            bodies = [body for name, body in found if "map_contiguous<" in name and wanted in name]
            spans = [loop for body in bodies for loop in hot_loops.loops(body)]
            storing = [loop for loop in spans if stored_bytes(loop) >= size]
            counted = [
                (loop.count("\n") + 1, stored_bytes(loop) // size, loop)
                for loop in storing
                if hot_loops.PACKED.search(loop)
                and not any(inner != loop and inner in loop for inner in storing)
            ]
            length, elements, loop = min(counted, key=lambda one: one[0] / one[1])
            name, _, _ = function.partition("<")
            line = f"{type_name:20} {name:18} {length / elements:5.2f} instructions"
            for core in options.cores:
                taken, bound = cycles(options.mca, core, loop)
                line += f", {core} {taken / elements:.2f} ({bound / elements:.2f})"
            print(line)


if __name__ == "__main__":
    main()

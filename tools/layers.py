"""Checks which folder of csrc/ includes which, and prints the pairs.

python tools/layers.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CSRC = Path(__file__).parents[1] / "csrc"
# Top to bottom: a file includes what is in its own folder and below.
FLOORS = [
    ["python"],
    ["existing"],
    ["dispatch"],
    ["api"],
    ["include"],
    ["kernels/cpu", "kernels/cuda"],
    ["math"],
    ["compat"],
]
MOST_PAIRS = 12
PYTORCH = ("ATen/", "c10/", "torch/")
FORMULAS = ("math/formula.h", "math/general.h")

Includes = dict[str, list[str]]


def read() -> Includes:
    """What each file of csrc/ includes; "torch_elu/elu.h" as include/torch_elu/elu.h."""
    files = [path for path in CSRC.rglob("*") if path.suffix in (".h", ".cpp", ".cu")]
    return {
        str(path.relative_to(CSRC)): re.findall(
            r'^ *# *include *["<](.+?)[">]',
            re.sub(r'(["<])(torch_elu/)', r"\1include/\2", path.read_text(encoding="utf-8")),
            re.MULTILINE,
        )
        for path in files
    }


def folder(file: str) -> str:
    """The first name of a path, and the second one too in kernels/."""
    first, second = file.split("/")[:2]
    return f"{first}/{second}" if first == "kernels" else first


def floor(file: str) -> int:
    """How far down the file's folder stands."""
    return next(number for number, floor in enumerate(FLOORS) if folder(file) in floor)


def reached(file: str, includes: Includes) -> set[str]:
    """What a file includes, directly or through others."""
    found: set[str] = set()
    waiting = [file]
    while waiting:
        new = set(includes.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found


def pairs(includes: Includes) -> list[str]:
    """The folders of which one includes the other."""
    between = {(folder(a), folder(b)) for a in includes for b in includes[a] if b in includes}
    return sorted(f"{above} -> {below}" for above, below in between if above != below)


def errors(includes: Includes) -> list[str]:
    """Every include that breaks a rule."""
    found = []
    for file, names in includes.items():
        own, everything = folder(file), reached(file, includes)
        is_bare = own.startswith(("kernels", "math"))
        is_kernels_caller = file.startswith(("dispatch/cpu", "dispatch/cuda"))
        for name in names:
            if name in includes and own != folder(name) and floor(name) <= floor(file):
                found.append(f"{file} includes {name}, which does not stand below it")
            if (CSRC / file).parent.joinpath(name).is_file() and name not in includes:
                found.append(f"{file} includes {name}, a path that does not begin in csrc/")
            is_of_math = name.startswith("math/") and name != "math/coefficients.h"
            if own == "dispatch" and is_of_math and not is_kernels_caller:
                found.append(f"{file} includes {name}: coefficients.h is for all of dispatch/")
        for name in everything:
            if is_bare and name.startswith(PYTORCH):
                found.append(f"{file} includes {name}, of PyTorch")
            if not is_bare and not is_kernels_caller and name in FORMULAS:
                found.append(f"{file} includes {name}, which is for kernels and their callers")
            if file.startswith("dispatch/autograd") and name.startswith("kernels/"):
                found.append(f"{file} includes {name}: they meet at the dispatcher")
    return found


def main() -> None:
    """Prints, and fails where a rule is broken."""
    includes = read()
    between = pairs(includes)
    print(*between, f"{len(between)} pairs of folders, at most {MOST_PAIRS}", sep="\n")
    if found := errors(includes):
        sys.exit("\n".join(found))
    if len(between) > MOST_PAIRS:
        sys.exit("too many pairs")


if __name__ == "__main__":
    main()

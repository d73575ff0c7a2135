"""Fail if two of the object files define the same symbol, weak or not: the linker would keep one.

    one_definition.py baseline.o avx2.o avx512.o

The kernels are compiled for several instruction sets, and the copy that it keeps for all could be
the one that needs AVX-512.
"""

import subprocess
import sys
from itertools import combinations


def defined(path: str) -> set[str]:
    """What other objects could share: all but the local symbols."""
    command = ["nm", "--defined-only", "--extern-only", "--demangle", "--format=posix", path]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines, f"{path} defines nothing"
    return {line.rsplit(maxsplit=3)[0] for line in lines}


def main(paths: list[str]) -> int:
    """Print what is shared and return the exit status."""
    assert len(paths) > 1, "nothing to compare"
    shared = [
        f"{name}\n  is defined in {one} and in {other}"
        for one, other in combinations(paths, 2)
        for name in sorted(defined(one) & defined(other))
    ]
    print("\n".join(shared) or f"{len(paths)} objects share no definition")
    return 1 if shared else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

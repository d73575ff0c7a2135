"""Times torch_elu's ELU on the CPU against PyTorch's, other frameworks' and a copy."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

try:
    import torch
    import torch_elu  # noqa: F401
    from matplotlib import pyplot  # noqa: F401
    from tqdm import tqdm  # noqa: F401
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is missing from {sys.executable}: run `make bench`")

from . import calls, elementwise, machine, record, shapes
from .compiled import compiled_cases
from .elementwise import DTYPES, IN_CACHE, IN_MEMORY
from .goals import judge
from .pictures import save_pictures
from .report import format_report, group_table, to_json
from .timing import CLOCKS, FULL, QUICK, Case, Pinned, measure

GROUPS = [
    *("forward", "backward", "strided", "threads"),
    *("call", "TorchScript", "training step", "shapes", "compiled"),
]
PAGES = {
    "call": "performance.md#small-tensors",
    "compiled": "performance.md#torchcompile-on-the-cpu",
}
# A forward keeps input and output of the contenders that share none, and what made them.
BYTES_PER_FLOAT = 8 * 4


def parse_arguments(command_line: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.activations", description=__doc__)
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("build/bench"),
        metavar="DIRECTORY",
        help="where table, JSON and pictures go (%(default)s)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="few samples of small sizes: proves nothing"
    )
    parser.add_argument(
        "--only", nargs="+", choices=GROUPS, default=GROUPS, metavar="GROUP", help=", ".join(GROUPS)
    )
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    parser.add_argument("--no-peers", action="store_true", help="leave out other frameworks")
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="cpu: time on the CPU, for a busy machine (%(default)s)",
    )
    record.add_option(parser)
    return parser.parse_args(command_line)


def choose_cases(arguments: argparse.Namespace, cpus: int) -> list[Case]:
    """All cases of the groups asked for, as large as memory allows."""
    quick, compiled, with_peers = (
        arguments.quick,
        not arguments.no_compile,
        not arguments.no_peers,
    )
    powers = range(10, 15, 2) if quick else range(10, 29)
    largest = machine.available_memory() // BYTES_PER_FLOAT
    sizes = [1 << power for power in powers if 1 << power <= largest]
    places = [IN_CACHE] if quick else [IN_CACHE, IN_MEMORY]
    # To compile takes seconds for each dtype.
    compiles = {dtype: compiled and (not quick or dtype == torch.float32) for dtype in DTYPES}
    cases = [
        elementwise.forward_case(dtype, numel, compiles[dtype], with_peers)
        for dtype in DTYPES
        for numel in (sorted({*sizes, *places}) if dtype == torch.float32 else places)
    ]
    cases += [
        elementwise.backward_case(dtype, numel, compiled and not quick)
        for dtype in DTYPES
        for numel in places
    ]
    cases += elementwise.strided_cases()
    if cpus > 1:
        few = sorted({1, 2, cpus})
        powers = range(0, 21, 10) if quick else range(0, 25, 2)
        cases += [elementwise.threads_case(1 << power, few) for power in powers]
    cases += [*calls.call_cases(), calls.training_case(compiled and not quick)]
    cases += shapes.shape_cases(quick)
    cases += compiled_cases(quick) if compiled else []
    return [case for case in cases if case.group in arguments.only]


def main() -> None:
    """Measures, prints and writes."""
    arguments = parse_arguments()
    output: Path = arguments.output
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"cannot write to {output}: {error.strerror}")

    pinned = Pinned()
    description = machine.describe(pinned)
    cases = choose_cases(arguments, len(pinned.cpus))
    effort = QUICK if arguments.quick else FULL
    results = measure(cases, effort, arguments.clock, pinned)
    description["load"] += f", {machine.load()} in the last minute"

    verdicts = [] if arguments.quick else judge(results, machine.instruction_set())
    report = format_report(description, results, verdicts)
    settings = {"quick": arguments.quick, "clock": arguments.clock}
    (output / "results.md").write_text(report + "\n", encoding="utf-8")
    (output / "results.json").write_text(
        to_json(description, settings, results, verdicts) + "\n", encoding="utf-8"
    )
    print(f"\n{report}\n")
    for group in dict.fromkeys(case.group for case in cases):
        page = PAGES.get(group, "performance.md")
        record.save(arguments.json, f"make bench: {group}", page, *group_table(results, group))
    if arguments.quick:
        print("--quick: too few samples to judge any goal by")
    drawable = {"forward", "backward"} <= {*arguments.only}
    pictures = save_pictures(description, results, output) if drawable else []
    for path in [output / "results.md", output / "results.json", *pictures]:
        print(f"wrote {path}")


if __name__ == "__main__":
    main()

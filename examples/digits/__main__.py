"""Trains ELU networks in Python, exports one in two forms, and runs and trains it in C++."""

import argparse
import subprocess
import sys
from pathlib import Path

try:
    import torch
    from torch import nn
    from tqdm import tqdm

    from .claims import ELU
    from .data import Digits, load_digits
    from .deployment import build_apps, compile_package, export, failures_end_the_program
    from .network import accuracy, build_network
    from .pictures import save_pictures
    from .tables import report
    from .training import save, train, train_all
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is missing from {sys.executable}: run `make demo`")

SEEDS = 5
EPOCHS = 40


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.digits", description=__doc__)
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("build/demo"),
        metavar="DIRECTORY",
        help="where tables, JSON, pictures, the exported network and the C++ apps go (%(default)s)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="2 seeds and 3 epochs: shows that everything runs, but proves nothing",
    )
    parser.add_argument("--python-only", action="store_true", help="leave out the C++ apps")
    return parser.parse_args()


def compare_activations(seeds: int, epochs: int, output: Path) -> None:
    """Trains every architecture, and puts what came out in tables, JSON and pictures."""
    results = train_all(seeds, epochs)
    tables = report(results)
    (output / "results.md").write_text(tables + "\n", encoding="utf-8")
    save(results, output / "results.json")
    print(f"\n{tables}\n")
    for path in [output / "results.md", output / "results.json", *save_pictures(results, output)]:
        print(f"wrote {path}")


def train_elu(epochs: int) -> tuple[nn.Sequential, Digits]:
    """Trains the ELU network of seed 0 as before, and returns it with its digits."""
    torch.set_num_threads(1)
    digits = load_digits(seed=0)
    network = build_network(ELU, seed=0)
    progress = tqdm(train(network, digits, epochs, seed=0), total=epochs, unit="epoch")
    for loss in progress:
        progress.set_postfix(loss=f"{loss:.4f}")
    score = accuracy(network, digits.test_images, digits.test_labels)
    print(f"Python: test accuracy {100 * score:.1f} %")
    return network, digits


def main() -> None:
    """Runs the three front doors one after the other."""
    arguments = parse_arguments()
    seeds, epochs = (2, 3) if arguments.quick else (SEEDS, EPOCHS)
    output: Path = arguments.output
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"cannot write to {output}: {error.strerror}")

    if arguments.quick:
        print("--quick: too few seeds and epochs to judge any claim by")
    print("\n1. Python: ReLU, ELU and SELU, with and without batch norm\n", flush=True)
    compare_activations(seeds, epochs, output)

    print("\n2. TorchScript: the ELU network, exported\n", flush=True)
    network, digits = train_elu(epochs)
    script, data = export(network, digits, output)
    if arguments.python_only:
        return

    print(
        "\n3. C++: the exported network, twice, and the same network trained in C++\n", flush=True
    )
    apps = output / "apps"
    with failures_end_the_program():
        package = compile_package(network, digits, output)
        build_apps(apps, "classify", "train")
        subprocess.run([apps / "classify", script, package, data], check=True)
        subprocess.run([apps / "train", data, str(epochs)], check=True)


if __name__ == "__main__":
    main()

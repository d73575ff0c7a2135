"""Trains every architecture from every seed, on all cores."""

import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from .data import Digits, load_digits
from .network import (
    ARCHITECTURES,
    Architecture,
    LayerStatistics,
    accuracy,
    build_network,
    layer_statistics,
)

# As in the ELU paper, section 4.1.
LEARNING_RATE = 0.01
BATCH_SIZE = 64

# Each loads PyTorch anew.
MAX_PROCESSES = 8


@dataclass(frozen=True)
class Run:
    """What came of training one architecture from one seed."""

    architecture: Architecture
    seed: int
    losses: list[float]
    test_accuracy: float
    before: LayerStatistics
    after: LayerStatistics


Results = dict[Architecture, list[Run]]


def train(network: nn.Sequential, digits: Digits, epochs: int, seed: int) -> Iterator[float]:
    """Trains by stochastic gradient descent; yields the mean training loss of each epoch."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
    network.train()
    for _ in range(epochs):
        losses = []
        order = torch.randperm(len(digits.train_images), generator=generator)
        for batch in order.split(BATCH_SIZE):
            optimizer.zero_grad()
            logits = network(digits.train_images[batch])
            loss = nn.functional.cross_entropy(logits, digits.train_labels[batch])
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        yield torch.stack(losses).mean().item()


def train_and_measure(architecture: Architecture, seed: int, epochs: int) -> Run:
    """One run; the seed decides the split of the data, the initial weights and the batches."""
    # A batch of 64 is too small to share: the cores take a run each.
    torch.set_num_threads(1)
    digits = load_digits(seed)
    network = build_network(architecture, seed)
    before = layer_statistics(network, digits.train_images)
    losses = list(train(network, digits, epochs, seed))
    return Run(
        architecture,
        seed,
        losses,
        accuracy(network, digits.test_images, digits.test_labels),
        before,
        layer_statistics(network, digits.train_images),
    )


def train_all(seeds: int, epochs: int) -> Results:
    """Every architecture from seeds 0 to `seeds` - 1, the runs of each in the order of seeds."""
    jobs = [(architecture, seed) for seed in range(seeds) for architecture in ARCHITECTURES]
    # A fork would copy the state of PyTorch's thread pools but not their threads.
    with ProcessPoolExecutor(
        min(len(jobs), os.cpu_count() or 1, MAX_PROCESSES),
        mp_context=multiprocessing.get_context("spawn"),
    ) as executor:
        futures = [executor.submit(train_and_measure, *job, epochs) for job in jobs]
        for _ in tqdm(as_completed(futures), total=len(futures), desc="training", unit="network"):
            pass
    results: Results = {architecture: [] for architecture in ARCHITECTURES}
    for future in futures:
        run = future.result()
        results[run.architecture].append(run)
    return results


def save(results: Results, path: Path) -> None:
    """Writes every run as JSON."""
    runs = [asdict(run) for of_architecture in results.values() for run in of_architecture]
    path.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> Results:
    """What `save` wrote."""
    results: Results = {}
    for of_run in json.loads(path.read_text(encoding="utf-8")):
        architecture = Architecture(*of_run.pop("architecture"))
        before, after = (LayerStatistics(*of_run.pop(when)) for when in ("before", "after"))
        run = Run(architecture, **of_run, before=before, after=after)
        results.setdefault(architecture, []).append(run)
    return results

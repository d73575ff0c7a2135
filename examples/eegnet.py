"""EEGNet (Lawhern et al., arXiv:1611.08024) tells two rhythms apart in generated EEG."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable

try:
    import torch
    import torch_elu
    from torch import Tensor, nn
    from tqdm import tqdm
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is missing from {sys.executable}: run `make build`")

ELECTRODES, SAMPLES, SAMPLE_RATE = 8, 128, 128  # a second
BATCH = 16


def eegnet(activation: Callable[[], nn.Module] = torch_elu.ELU, classes: int = 2) -> nn.Sequential:
    """EEGNet-4,2: four filters in time, two of them in space for each. The first ELU sees
    (batch, 8, 1, 128), the second (batch, 8, 1, 32).
    """
    return nn.Sequential(
        nn.ZeroPad2d((31, 32, 0, 0)),
        nn.Conv2d(1, 4, (1, 64), bias=False),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 8, (ELECTRODES, 1), groups=4, bias=False),
        nn.BatchNorm2d(8),
        activation(),
        nn.AvgPool2d((1, 4)),
        nn.Dropout(0.25),
        nn.ZeroPad2d((7, 8, 0, 0)),
        nn.Conv2d(8, 8, (1, 16), groups=8, bias=False),
        nn.Conv2d(8, 8, 1, bias=False),
        nn.BatchNorm2d(8),
        activation(),
        nn.AvgPool2d((1, 8)),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(8 * SAMPLES // 32, classes),
    )


def generate(trials: int) -> tuple[Tensor, Tensor]:
    """Noise whose power falls with frequency, as of a brain, and a rhythm of 10 Hz over it: where
    a hand is imagined to move, the rhythm over the other half of the head fades.
    """
    spectrum = torch.fft.rfft(torch.randn(trials, ELECTRODES, SAMPLES))
    noise = torch.fft.irfft(spectrum / torch.arange(1, SAMPLES // 2 + 2).sqrt(), SAMPLES)
    labels = torch.randint(2, (trials,))
    t = torch.arange(SAMPLES) / SAMPLE_RATE
    phase = 2 * math.pi * torch.rand(trials, 1, 1)
    rhythm = torch.sin(2 * math.pi * 10 * t + phase)
    is_left = torch.arange(ELECTRODES) < ELECTRODES // 2
    fades = is_left == (labels == 1).unsqueeze(1)
    strength = torch.where(fades, 0.1, 0.25).unsqueeze(2)
    signal = noise + strength * rhythm
    return ((signal - signal.mean()) / signal.std()).unsqueeze(1), labels


@torch.no_grad()
def accuracy(network: nn.Module, trials: Tensor, labels: Tensor) -> float:
    """The share of trials told apart rightly."""
    network.eval()
    is_right: Tensor = network(trials).argmax(1) == labels
    return is_right.float().mean().item()


def main() -> None:
    """Trains, and asks for trials it has not seen."""
    parser = argparse.ArgumentParser(prog="python -m examples.eegnet", description=__doc__)
    parser.add_argument("--trials", type=int, default=960, help="to train with (%(default)s)")
    parser.add_argument("--epochs", type=int, default=20, help="(%(default)s)")
    parser.add_argument("--quick", action="store_true", help="240 trials, 5 epochs")
    arguments = parser.parse_args()
    trials, epochs = (240, 5) if arguments.quick else (arguments.trials, arguments.epochs)

    torch.manual_seed(0)
    signals, labels = generate(trials)
    test_signals, test_labels = generate(400)
    network = eegnet()
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in (progress := tqdm(range(epochs), unit="epoch")):
        network.train()
        for chosen in torch.randperm(trials).split(BATCH):
            loss = nn.functional.cross_entropy(network(signals[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        progress.set_postfix(loss=f"{loss.item():.3f}")
    right = accuracy(network, test_signals, test_labels)
    print(f"accuracy on {len(test_labels)} trials held out: {100 * right:.1f} %")


if __name__ == "__main__":
    main()

"""A streaming audio encoder in the shape of EnCodec's SEANet: an ELU before each convolution."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable

try:
    import torch
    import torch_elu
    from torch import Tensor, nn
    from tqdm import tqdm
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is missing from {sys.executable}: run `make build`")

# EnCodec at 24 kHz (arXiv:2210.13438): (1, 1, 24000) becomes (1, 32, 24000), then, halved in
# channels' width by each stride, (1, 512, 75) for a second of sound.
SAMPLE_RATE, CHANNELS, STRIDES = 24_000, 32, (2, 4, 5, 8)
FRAME = math.prod(STRIDES)  # samples that make a column of the result


class CausalConv(nn.Conv1d):
    """Sees nothing of the future, and keeps what it has to remember of the past."""

    past: Tensor

    def __init__(self, inputs: int, outputs: int, kernel_size: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel_size, stride)
        self.register_buffer("past", torch.zeros(1, inputs, kernel_size - stride))

    def forward(self, x: Tensor) -> Tensor:
        """Goes on where the last call ended."""
        x = torch.cat([self.past, x], dim=2)
        self.past = x[:, :, x.shape[2] - self.past.shape[2] :]
        return super().forward(x)

    def forget(self) -> None:
        """Before a new sound there was silence."""
        self.past = torch.zeros_like(self.past)


class Residual(nn.Module):
    """A bottleneck of half the channels beside what goes past it."""

    def __init__(self, channels: int, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        half = channels // 2
        self.block = nn.Sequential(
            activation(), CausalConv(channels, half, 3), activation(), CausalConv(half, channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """What goes past, and what the block adds."""
        result: Tensor = x + self.block(x)
        return result


def seanet(activation: Callable[[], nn.Module] = torch_elu.ELU) -> nn.Sequential:
    """The encoder, without the LSTM and the last convolution that EnCodec puts behind it."""
    channels = CHANNELS
    layers: list[nn.Module] = [CausalConv(1, channels, 7)]
    for stride in STRIDES:
        layers += [
            Residual(channels, activation),
            activation(),
            CausalConv(channels, 2 * channels, 2 * stride, stride),
        ]
        channels *= 2
    return nn.Sequential(*layers)


def forget(encoder: nn.Module) -> None:
    """Makes an encoder ready for a new sound."""
    for module in encoder.modules():
        if isinstance(module, CausalConv):
            module.forget()


def sound(seconds: float) -> Tensor:
    """A chord that fades, with a little noise."""
    t = torch.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tones = sum(torch.sin(2 * math.pi * pitch * t) for pitch in (220.0, 277.2, 329.6))
    noisy = tones * torch.exp(-t) / 3 + 0.01 * torch.randn(len(t))
    return noisy.view(1, 1, -1)


def stream(
    encoders: dict[str, nn.Module], samples: Tensor, frames: int
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Encodes chunk by chunk, as they come from a microphone; the results, and seconds they took.

    Each chunk goes to the encoders in turn, so that what else the machine does slows all of them.
    """
    columns: dict[str, list[Tensor]] = {name: [] for name in encoders}
    took = dict.fromkeys(encoders, 0.0)
    for encoder in encoders.values():
        forget(encoder)
    for chunk in tqdm(samples.split(frames * FRAME, dim=2), unit="chunk"):
        for name, encoder in encoders.items():
            start = time.perf_counter()
            columns[name].append(encoder(chunk))
            took[name] += time.perf_counter() - start
    return {name: torch.cat(of_one, dim=2) for name, of_one in columns.items()}, took


@torch.no_grad()
def main() -> None:
    """Encodes a sound at once and as a stream, with torch_elu's ELU and with PyTorch's."""
    parser = argparse.ArgumentParser(prog="python -m examples.audio_encoder", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of sound (%(default)s)")
    parser.add_argument(
        "--frames", type=int, default=5, help=f"of {FRAME} samples, in a chunk (%(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="one second of sound")
    arguments = parser.parse_args()
    seconds = 1.0 if arguments.quick else arguments.seconds

    torch.manual_seed(0)
    samples = sound(seconds)
    encoders: dict[str, nn.Module] = {"torch_elu": seanet(), "PyTorch": seanet(nn.ELU)}
    encoders["PyTorch"].load_state_dict(encoders["torch_elu"].state_dict())
    at_once = {name: encoder(samples) for name, encoder in encoders.items()}
    results, took = stream(encoders, samples, arguments.frames)
    for name, streamed in results.items():
        torch.testing.assert_close(streamed, at_once[name], rtol=1e-3, atol=1e-4)
        print(f"{name}: {seconds / took[name]:.1f} x as fast as the sound plays")
    torch.testing.assert_close(*results.values(), rtol=1e-3, atol=1e-4)
    print(f"{tuple(samples.shape)} became {tuple(results['torch_elu'].shape)}, at once as streamed")


if __name__ == "__main__":
    main()

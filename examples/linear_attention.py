"""Linear attention with the feature map elu(x) + 1, as a sum and as torch_elu.elu_plus_one."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

try:
    import torch
    import torch_elu
    from torch import Tensor
    from torch.nn import functional
    from tqdm import tqdm
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is missing from {sys.executable}: run `make build`")

FeatureMap = Callable[[Tensor], Tensor]
SHAPE = (1, 4800, 8, 32)  # batch, positions, heads, features
MAPS: dict[str, FeatureMap] = {
    "elu(x) + 1": lambda x: functional.elu(x) + 1,
    "elu_plus_one(x)": torch_elu.elu_plus_one,
}


def linear_attention(q: Tensor, k: Tensor, v: Tensor, feature_map: FeatureMap) -> Tensor:
    """Katharopoulos et al., arXiv:2006.16236, equation 5, for all positions at once: softmax's
    exp(q k) replaced by a product of features, so that keys and values are summed up only once.
    """
    q, k = feature_map(q), feature_map(k)
    context = torch.einsum("nshd,nshm->nhdm", k, v)
    total = torch.einsum("nlhd,nhd->nlh", q, k.sum(1))
    return torch.einsum("nlhd,nhdm->nlhm", q, context) / total.unsqueeze(-1)


def exact_map(x: Tensor) -> Tensor:
    """The feature map in float64, by PyTorch."""
    return torch.where(x > 0, x + 1, torch.exp(x.clamp(max=0)))


def inputs(positions: int, shift: float, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Queries around -shift, which the features are to tell apart, keys and values around 0."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, positions, *SHAPE[2:]) for _ in range(3))
    return (3 * q - shift).to(dtype), k.to(dtype), v.to(dtype)


def compare(positions: int, shift: float, dtype: torch.dtype, name: str) -> list[str]:
    """Features that are 0, outputs that are NaN, and how far the others are off, in percent."""
    q, k, v = inputs(positions, shift, dtype)
    exact = linear_attention(q.double(), k.double(), v.double(), exact_map)
    features = MAPS[name](q)
    # The sums in float64, so that what differs comes from the features.
    result = linear_attention(q, k, v.double(), lambda x: MAPS[name](x).double())
    lost = result.isnan()
    error = ((result - exact).abs() / exact.abs().mean())[~lost]
    largest = f"{100 * error.max():.2g} %" if len(error) else "-"
    return [f"{100 * part.float().mean():.1f} %" for part in (features == 0, lost)] + [largest]


def milliseconds(feature_map: FeatureMap, x: Tensor, rounds: int) -> float:
    """The least time of forward and backward, of some."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        feature_map(x).sum().backward()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def main() -> None:
    """Prints what becomes of small features, and how long both ways take."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.linear_attention", description=__doc__
    )
    parser.add_argument("--quick", action="store_true", help="few positions and rounds")
    arguments = parser.parse_args()
    positions, rounds = (200, 3) if arguments.quick else (SHAPE[1], 30)

    cases = [
        (dtype, shift, name)
        for dtype in (torch.float32, torch.bfloat16)
        for shift in (0.0, 8.0, 16.0, 32.0)
        for name in MAPS
    ]
    rows = [
        [
            str(dtype).removeprefix("torch."),
            f"{0 - shift:g}",
            name,
            *compare(positions, shift, dtype, name),
        ]
        for dtype, shift, name in tqdm(cases, unit="case")
    ]
    header = ["dtype", "mean of q", "feature map", "features 0", "outputs NaN", "largest error"]
    for row in [header, *rows]:
        print("  ".join(f"{cell:>15}" for cell in row))
    x = torch.randn(1, positions, *SHAPE[2:], requires_grad=True)
    for name, feature_map in MAPS.items():
        took = milliseconds(feature_map, x, rounds)
        print(f"{name}: {took:.2f} ms forward and backward of {tuple(x.shape)} float32")


if __name__ == "__main__":
    main()

"""The benchmark of other packages' models, on small stand-ins for these."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch_elu
from torch import Tensor, nn

pytest.importorskip("tqdm")


@pytest.fixture
def models(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(repository)
    from benchmarks import models

    class NotPinned:
        cpus = (0,)

        def use(self, threads: int) -> None:
            assert threads == 1

    monkeypatch.setattr(models, "Pinned", NotPinned)
    return models


def test_a_model_runs_as_it_is_and_converted_and_a_missing_one_is_left_out(
    models: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = []

    class Seen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.elu = nn.ELU()

        def forward(self, x: Tensor) -> Tensor:
            seen.append((type(self.elu), torch.is_grad_enabled()))
            return self.elu(x)

    def build() -> tuple[nn.Module, Tensor]:
        return Seen(), torch.randn(8, requires_grad=True)

    def missing(trains: bool = False) -> object:
        return models.package("a_package_that_is_not_here")

    monkeypatch.setattr(models, "MODELS", {"model": build, "missing": missing})
    monkeypatch.setattr(models, "graph_attention", missing)
    monkeypatch.setattr(models, "BLOCK_SECONDS", 1e-4)
    arguments = ["models", "--seconds", "0.01", "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    models.main()
    activations = (nn.Identity, nn.ELU, torch_elu.ELU)
    assert set(seen) == {(activation, trains) for activation in activations for trains in (0, 1)}
    document = json.loads((tmp_path / "models.json").read_text(encoding="utf-8"))
    assert document["machine"]["threads"] == "1"
    assert list(document["seconds"]) == ["model", "model, training"]
    for times in document["seconds"].values():
        assert set(times) == {models.NONE, models.PYTORCH, models.OURS}


def test_a_package_that_refuses_pytorchs_cuda_version_is_told_its_own(
    models: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "strict_about_cuda.py").write_text(
        "import torch\n"
        "if torch.version.cuda != '7.5':\n"
        "    raise RuntimeError('PyTorch has CUDA version 9.2 whereas X has CUDA version 7.5.')\n"
    )
    (tmp_path / "broken.py").write_text("raise RuntimeError('of another kind')")
    monkeypatch.syspath_prepend(tmp_path)
    before = torch.version.cuda
    assert models.package("strict_about_cuda").__name__ == "strict_about_cuda"
    with pytest.raises(RuntimeError, match="of another kind"):
        models.package("broken")
    assert torch.version.cuda == before

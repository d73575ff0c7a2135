"""Whole runtimes run converted models, by the way that the docs name for each."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch_elu
from test_tools import import_or_skip
from torch import Tensor, nn

pytestmark = pytest.mark.filterwarnings("ignore")


def make_policy() -> tuple[nn.Module, Tensor]:
    """As a legged robot's: 48 observations, 12 joints."""
    torch.manual_seed(0)
    first, second = nn.Linear(48, 64), nn.Linear(64, 32)
    model = nn.Sequential(first, nn.ELU(), second, nn.ELU(), nn.Linear(32, 12))
    return model.eval(), torch.randn(1, 48) * 3


class Residual(nn.Module):
    """A block of an audio codec's encoder (SEANet)."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.ELU(), nn.Conv1d(8, 4, 3, padding=1), nn.ELU(alpha=0.5), nn.Conv1d(4, 8, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)


def make_codec() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    layers = [nn.Conv1d(1, 8, 7, padding=3), Residual(), nn.SELU(), Residual(), nn.CELU(0.7)]
    return nn.Sequential(*layers).eval(), torch.randn(1, 1, 64) * 3


MODELS = {"policy": make_policy, "codec": make_codec}
parametrize_models = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
Make = Callable[[], tuple[nn.Module, Tensor]]

TO_OPENVINO: dict[str, Callable[[nn.Module, Tensor], Any]] = {
    "module": lambda model, _: model,
    "traced": lambda model, x: torch.jit.trace(model, x),
    "scripted": lambda model, _: torch.jit.script(model),
    "exported": lambda model, x: torch.export.export(model, (x,)),
}


@parametrize_models
@pytest.mark.parametrize("give", TO_OPENVINO.values(), ids=TO_OPENVINO.keys())
def test_openvino(make: Make, give: Callable[[nn.Module, Tensor], Any]) -> None:
    openvino = import_or_skip("openvino")
    in_float32 = {"INFERENCE_PRECISION_HINT": "f32"}  # some processors have bfloat16

    def run(model: nn.Module, x: Tensor) -> Tensor:
        given = give(model, x)
        example = None if isinstance(given, torch.export.ExportedProgram) else x
        before = str(given.graph) if hasattr(given, "graph") else None
        compiled = openvino.compile_model(
            openvino.convert_model(given, example_input=example), "CPU", in_float32
        )
        # What it was given stays as it was.
        assert before == (str(given.graph) if hasattr(given, "graph") else None)
        return torch.from_numpy(next(iter(compiled(x.numpy()).values())))

    model, x = make()
    expected = run(copy.deepcopy(model), x)
    converted = torch_elu.convert(copy.deepcopy(model))
    torch.testing.assert_close(run(converted, x), expected)
    assert any(isinstance(module, torch_elu.ELU) for module in converted.modules())
    torch.testing.assert_close(expected, model(x), rtol=1e-4, atol=1e-5)


@parametrize_models
@pytest.mark.parametrize("dynamo", [False, True], ids=["torchscript", "dynamo"])
def test_onnxruntime(make: Make, dynamo: bool) -> None:
    runtime = import_or_skip("onnxruntime")

    def run(model: nn.Module, x: Tensor) -> Tensor:
        file = io.BytesIO()
        torch.onnx.export(model, (x,), file, dynamo=dynamo)
        session = runtime.InferenceSession(file.getvalue())
        return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])

    model, x = make()
    expected = run(copy.deepcopy(model), x)
    torch.testing.assert_close(run(torch_elu.convert(copy.deepcopy(model)), x), expected)
    torch.testing.assert_close(expected, model(x), rtol=1e-4, atol=1e-5)


@parametrize_models
def test_executorch_with_xnnpack(make: Make) -> None:
    exir = import_or_skip("executorch.exir")
    partitioner = import_or_skip("executorch.backends.xnnpack.partition.xnnpack_partitioner")
    bindings = import_or_skip("executorch.extension.pybindings.portable_lib")

    model, x = make()
    program = torch.export.export(torch_elu.convert(copy.deepcopy(model)), (x,))
    program = program.run_decompositions(torch_elu.decompositions())
    lowered = exir.to_edge_transform_and_lower(
        program, partitioner=[partitioner.XnnpackPartitioner()]
    ).to_executorch()
    runner = bindings._load_for_executorch_from_buffer(lowered.buffer)
    actual = runner.run_method("forward", (x,))[0]
    torch.testing.assert_close(actual, model(x), rtol=1e-4, atol=1e-5)

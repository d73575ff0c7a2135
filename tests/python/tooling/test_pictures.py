"""`make pictures` draws the README's pictures, from made-up numbers here."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
pytest.importorskip("tqdm")


@pytest.fixture
def draw(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(repository)
    from docs import draw

    return draw


@pytest.fixture
def build(draw: ModuleType, tmp_path: Path) -> Path:
    """A build folder as bench, demo and memory leave it, with their own writers."""
    from benchmarks.timing import Case, Samples

    for folder in ("bench", "demo", "memory"):
        (tmp_path / folder).mkdir()
    results = {
        Case("forward", f"float32, {numel}", list, facts={"dtype": "float32", "numel": numel}): {
            "torch_elu": Samples([0.5, 0.2]),
            "F.elu": Samples([1.3]),
            "JAX": Samples([0.8]),
        }
        for numel in (1 << 10, 1 << 20)
    }
    machine = {"CPU": "Made Up 1", "instruction set": "avx2", "caches of a core": "L1 32 KiB"}
    document = draw.report.to_json(machine, {}, results, [])
    (tmp_path / "bench" / "results.json").write_text(document)
    draw.training.save(demo_results(draw), tmp_path / "demo" / "results.json")
    draw.memory.save(peaks(draw), tmp_path / "memory")
    return tmp_path


def demo_results(draw: ModuleType) -> object:
    from examples.digits.network import ARCHITECTURES, LayerStatistics

    statistics = LayerStatistics([0.1] * 8, [1.0] * 8)
    return {
        architecture: [
            draw.training.Run(architecture, seed, [2.0, 0.3 + seed], 0.9, statistics, statistics)
            for seed in range(2)
        ]
        for architecture in ARCHITECTURES
    }


def peaks(draw: ModuleType) -> object:
    memory = draw.memory
    return [
        memory.Peak(network, activation, allocated=number << 20, resident=number << 21)
        for network in memory.NETWORKS
        for number, activation in enumerate(memory.ACTIVATIONS, start=1)
    ]


def test_all_four_are_drawn_small_and_transparent(
    draw: ModuleType, build: Path, tmp_path: Path
) -> None:
    output = tmp_path / "pictures"
    draw.save_all(build, output)
    names = {path.stem for path in output.iterdir()}
    assert names == {"function", "speed", "demo", "memory"}
    for path in output.iterdir():
        assert path.stat().st_size < 100_000
        svg = path.read_text()
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
        assert "fill: #ffffff" not in svg
        assert "fill: #000000" not in svg
        assert draw.GREY in svg


def test_equal_numbers_give_equal_files(draw: ModuleType, build: Path, tmp_path: Path) -> None:
    for folder in ("first", "second"):
        draw.save_all(build, tmp_path / folder)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_what_is_missing_is_named_and_the_rest_is_drawn(
    draw: ModuleType, build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (build / "bench" / "results.json").unlink()
    draw.save_all(build, tmp_path / "pictures")
    printed = capsys.readouterr().out
    assert "speed.svg is not drawn: " in printed
    assert "results.json is missing, run `make bench`" in printed
    drawn = {path.stem for path in (tmp_path / "pictures").iterdir()}
    assert drawn == {"function", "demo", "memory"}


def test_the_lines_are_the_measured_minima_and_the_machine_is_named(
    draw: ModuleType, build: Path
) -> None:
    (axis,) = draw.draw_speed(build / "bench" / "results.json").axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in axis.get_lines()}
    assert lines["torch_elu"] == [[1 << 10, 0.2], [1 << 20, 0.2]]
    assert lines["JAX"] == [[1 << 10, 0.8], [1 << 20, 0.8]]
    assert "Made Up 1, avx2" in axis.get_title()
    assert axis.get_ylabel() == "time (ns per element)"


def test_what_the_demo_wrote_is_read_back(draw: ModuleType, build: Path) -> None:
    assert draw.training.load(build / "demo" / "results.json") == demo_results(draw)


def test_the_curves_of_the_function_are_pytorchs(draw: ModuleType) -> None:
    import torch

    value, slope = draw.draw_function().axes
    for name, function in {"ELU": torch.nn.functional.elu, "SELU": torch.selu}.items():
        (line,) = [line for line in value.get_lines() if line.get_label() == name]
        x = torch.tensor(line.get_xdata(), dtype=torch.float64, requires_grad=True)
        y = function(x)
        torch.testing.assert_close(torch.tensor(line.get_ydata()).double(), y.detach())
        (line,) = [line for line in slope.get_lines() if line.get_label() == name]
        (dy_dx,) = torch.autograd.grad(y.sum(), x)
        torch.testing.assert_close(torch.tensor(line.get_ydata()).double(), dy_dx)

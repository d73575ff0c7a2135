"""Inductor: recompilations, memory, flex_attention, kernels on CUDA, caches on disk."""

from __future__ import annotations

import functools
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from conftest import RunPython
from torch import Tensor
from torch._dynamo.utils import counters
from torch._inductor import metrics
from torch._inductor.compile_fx import compile_fx

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(autouse=True)
def nothing_compiled_before() -> Iterator[None]:
    torch.compiler.reset()
    counters.clear()
    yield
    torch.compiler.reset()


# Recompilations


def number_of_graphs(
    functions: list[Callable[..., Tensor]], calls: list[tuple[object, ...]]
) -> int:
    """How many graphs Inductor would compile; what comes after the graph is left out."""
    torch.compiler.reset()
    counters.clear()
    backend = functools.partial(compile_fx, inner_compile=lambda graph, *_, **__: graph.forward)
    for function in functions:
        compiled = torch.compile(function, fullgraph=True, backend=backend)
        for arguments in calls:
            compiled(*arguments)
    assert not counters["graph_break"]
    return counters["stats"]["unique_graphs"]


ALPHAS = [0.1, 0.2, 0.3, 0.4]
CHANGES: dict[str, list[tuple[object, ...]]] = {
    "alpha": [(torch.randn(4, 4), alpha) for alpha in ALPHAS],
    "alpha, with gradient": [(torch.randn(4, 4, requires_grad=True), alpha) for alpha in ALPHAS],
    "integer alpha": [(torch.randn(4, 4, requires_grad=True), alpha) for alpha in (1, 2, 3, 4)],
    "shape": [(torch.randn(n, 4), 0.3) for n in (4, 5, 6, 7)],
    "shape, with gradient": [(torch.randn(n, 4, requires_grad=True), 0.3) for n in (4, 5, 6, 7)],
    "dtype": [(torch.randn(4, dtype=dtype), 0.3) for dtype in (torch.float32, torch.float64)],
}
KEYWORDS = [{}, {"inplace": True}, {"save": "output"}]


@pytest.mark.parametrize("calls", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("keywords", KEYWORDS, ids=str)
@pytest.mark.parametrize("name", ["elu", "celu"])
def test_functions_are_compiled_no_more_often_than_pytorchs(
    name: str, keywords: dict[str, object], calls: list[tuple[object, ...]]
) -> None:
    ours, theirs = getattr(torch_elu, name), getattr(F, name)
    inplace = bool(keywords.get("inplace"))
    expected = number_of_graphs([lambda x, alpha: theirs(x * 1.0, alpha, inplace)], calls)
    assert number_of_graphs([lambda x, alpha: ours(x * 1.0, alpha, **keywords)], calls) <= expected


@pytest.mark.parametrize("name", ["ELU", "CELU"])
def test_modules_are_compiled_no_more_often_than_pytorchs(name: str) -> None:
    class Activation(torch.nn.Module):
        def __init__(self, activation: torch.nn.Module) -> None:
            super().__init__()
            self.activation = activation

        def forward(self, x: Tensor) -> Tensor:
            return self.activation(x)

    def graphs(package: object) -> int:
        modules = [Activation(getattr(package, name)(alpha)) for alpha in ALPHAS]
        return number_of_graphs(list(modules), [(torch.randn(4, requires_grad=True),)])

    assert graphs(torch_elu) <= graphs(torch.nn)


# What Inductor makes


def test_a_compiled_model_saves_no_more_for_backward_than_with_pytorchs() -> None:
    def saved(activation: Callable[[], torch.nn.Module]) -> int:
        torch.compiler.reset()
        model = torch.nn.Sequential(
            *(torch.nn.Linear(64, 64), torch.nn.LayerNorm(64), activation()) * 3,
            torch.nn.Softplus(),
        )
        x = torch.randn(256, 64)
        known = {tensor.untyped_storage().data_ptr() for tensor in (x, *model.parameters())}
        sizes: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            y = torch.compile(model, fullgraph=True)(x)
        y.sum().backward()
        return sum(size for pointer, size in sizes.items() if pointer not in known)

    assert saved(torch_elu.ELU) <= saved(torch.nn.ELU)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
def test_flex_attention_takes_them_for_scores_whatever_alpha_is(device: str) -> None:
    from torch.nn.attention.flex_attention import flex_attention

    x = torch.randn(1, 2, 64, 16, device=device)

    def score_mod(score: Tensor, *_: Tensor) -> Tensor:
        score = torch_elu.elu(torch_elu.elu(score, 0.3) * 2, 0.0) + torch_elu.celu(score, -0.5)
        return score + torch_elu.elu(score, 1e30) * 1e-30 + torch_elu.elu_plus_one(score)

    def attention(x: Tensor) -> Tensor:
        return flex_attention(x, x, x, score_mod=score_mod)

    torch.testing.assert_close(torch.compile(attention)(x), attention(x))


@needs_cuda
@pytest.mark.parametrize("name", ["elu", "selu", "celu"])
@pytest.mark.parametrize("keywords", KEYWORDS, ids=str)
@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_on_cuda_inductor_makes_as_many_kernels_as_of_pytorchs(
    name: str, keywords: dict[str, object], mode: str
) -> None:
    if name == "selu" and "save" in keywords:
        pytest.skip("selu has no save")

    def kernels(function: Callable[..., Tensor]) -> tuple[int, Tensor, Tensor]:
        torch.compiler.reset()
        metrics.reset()
        compiled = torch.compile(lambda x: function(x * 2 + 1) * 0.5, fullgraph=True, mode=mode)
        torch.manual_seed(0)
        x = torch.randn(1000, 100, device="cuda", requires_grad=True)
        y = compiled(x)
        (grad,) = torch.autograd.grad(y.square().sum(), x)
        return metrics.generated_kernel_count, y.clone(), grad.clone()

    theirs = functools.partial(getattr(F, name), inplace=bool(keywords.get("inplace")))
    ours = functools.partial(getattr(torch_elu, name), **keywords)
    expected, result = kernels(theirs), kernels(ours)
    assert result[0] == expected[0]
    torch.testing.assert_close(result[1:], expected[1:])


# The caches on disk

SCRIPT = """
import torch, torch_elu
from torch._dynamo.utils import counters
x = torch.tensor([-1.0, 2.0])
print(torch.compile(torch_elu.elu)(x).tolist(), counters["aot_autograd"]["autograd_cache_hit"])
"""


def changed_package(folder: Path) -> Path:
    """A copy of the package whose library has one constant changed, of the float32 polynomial."""
    package = folder / "torch_elu"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(torch_elu.__file__).parent, package, ignore=ignored)
    library = package / Path(torch_elu.library_path).relative_to(Path(torch_elu.__file__).parent)
    old, new = (struct.pack("<d", float.fromhex(q1)) for q1 in ("0x1.555494p-3", "0x1.555496p-3"))
    assert old in library.read_bytes()
    library.write_bytes(library.read_bytes().replace(old, new))
    return folder


def test_a_graph_compiled_with_another_library_is_not_reused(
    tmp_path: Path, run_python: RunPython
) -> None:
    def run(**keywords: object) -> list[str]:
        printed = run_python(
            "-W", "ignore", "-c", SCRIPT,
            TORCHINDUCTOR_CACHE_DIR=str(tmp_path / "cache"),
            TORCHINDUCTOR_FORCE_DISABLE_CACHES="0",
            **keywords,
        ).stdout  # fmt: skip
        return printed.strip().rsplit(maxsplit=1)

    value = str(torch_elu.elu(torch.tensor([-1.0, 2.0])).tolist())
    assert run() == [value, "0"]
    assert run() == [value, "1"], "Inductor does not cache at all"
    _, hits = run(path=changed_package(tmp_path / "changed"))
    assert hits == "0"


def test_the_caches_key_keeps_what_the_user_put_in_it(run_python: RunPython) -> None:
    script = "import torch, torch_elu; print(torch.compiler.config.cache_key_tag)"
    tag = run_python("-c", script, TORCH_COMPILE_CACHE_KEY_TAG="mine").stdout.strip()
    assert tag.startswith("mine")
    assert f"torch_elu-{torch_elu.__version__}-" in tag


def test_the_caches_key_does_without_the_source_file(run_python: RunPython) -> None:
    script = (
        "import pathlib, torch\n"
        "def read_bytes(path): raise FileNotFoundError(path)\n"
        "pathlib.Path.read_bytes = read_bytes\n"
        "import torch_elu\n"
        "print(torch.compiler.config.cache_key_tag)"
    )
    assert f"torch_elu-{torch_elu.__version__}-" in run_python("-c", script).stdout

"""Inductor: formulas that fuse on CUDA, our kernel on the CPU, recompilations, caches on disk."""

from __future__ import annotations

import functools
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from conftest import RunPython
from references import DTYPES, SELU, Coefficients, assert_same_bits, celu
from torch import Tensor
from torch._dynamo.utils import counters
from torch._inductor import metrics
from torch._inductor.compile_fx import compile_fx
from torch._inductor.decomposition import select_decomp_table
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

ops = torch.ops.torch_elu
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(autouse=True)
def nothing_compiled_before() -> Iterator[None]:
    torch.compiler.reset()
    counters.clear()
    yield
    torch.compiler.reset()


# The formulas that Inductor gets on CUDA

FAMILY = {
    "elu(0.3)": Coefficients(0.3),
    "negative alpha": Coefficients(-0.3),
    "selu": SELU,
    "celu(0.3)": celu(0.3),
    "celu(-2)": celu(-2.0),
}
SPECIAL = [math.nan, -math.inf, -1e30, -100.0, -1.0, -1e-3, -1e-40, -0.0, 0.0, 1e-40, 1.0, math.inf]


def formula_of(operator: torch._ops.OpOverload) -> Callable[..., Tensor]:
    return select_decomp_table()[operator]


@pytest.fixture
def formulas_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the CPU compute what is for CUDA."""
    monkeypatch.setattr(torch_elu.integrations.inductor, "_stays_whole", lambda *_: False)


def assert_close_with_signs(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, equal_nan=True)
    zero = expected == 0
    assert torch.equal(actual[zero].signbit(), expected[zero].signbit())


@pytest.mark.usefixtures("formulas_everywhere")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_formulas_of_elu_plus_one_are_right_at_nan_and_ends(dtype: torch.dtype) -> None:
    x = torch.cat([torch.tensor(SPECIAL), torch.randn(1000) * 9]).to(dtype)
    value = formula_of(ops.elu_plus_one.default)(x)
    assert_close_with_signs(value, ops.elu_plus_one(x))
    slope = formula_of(ops.elu_plus_one_backward.default)(x, value)
    assert_same_bits(slope, ops.elu_plus_one_backward(x, value))


@pytest.mark.usefixtures("formulas_everywhere")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("c", FAMILY.values(), ids=FAMILY.keys())
def test_formulas_are_right_at_nan_zeros_and_ends(c: Coefficients, dtype: torch.dtype) -> None:
    x = torch.tensor(SPECIAL, dtype=torch.float64).to(dtype)
    x = torch.cat([x, torch.randn(1000).to(dtype)])
    grad = torch.randn(len(x)).to(dtype)
    value = formula_of(ops.elu.default)(x, *c)
    assert_close_with_signs(value, ops.elu(x, *c))
    assert value.dtype == dtype
    backward = formula_of(ops.elu_backward.default)
    assert_close_with_signs(backward(grad, *c, False, x), ops.elu_backward(grad, *c, False, x))
    if min(c) >= 0:
        result = ops.elu(x, *c)
        assert_close_with_signs(
            backward(grad, *c, True, result), ops.elu_backward(grad, *c, True, result)
        )


def traced(function: Callable[..., object], *inputs: Tensor) -> set[str]:
    """The operators of the graph that Inductor gets, traced without data or device."""
    graph = make_fx(function, decomposition_table=select_decomp_table())(*inputs).graph
    graph.eliminate_dead_code()
    return {str(node.target) for node in graph.nodes if node.op == "call_function"}


@pytest.mark.parametrize(
    ("dtype", "alpha"),
    [(torch.float32, -0.3), (torch.float16, 1e5), (torch.float64, 1e300)],
    ids=str,
)
def test_on_cuda_coefficients_within_the_computations_dtype_are_fused(
    dtype: torch.dtype, alpha: float
) -> None:
    with FakeTensorMode():
        x = torch.empty(8, device="cuda", dtype=dtype)
        assert not [name for name in traced(lambda x: ops.elu(x, alpha), x) if "torch_elu" in name]


def is_pointwise(name: str) -> bool:
    namespace, operator, overload = name.split(".")
    target = getattr(getattr(getattr(torch.ops, namespace), operator), overload)
    return torch.Tag.pointwise in target.tags


def chains() -> dict[str, Callable[[Tensor], object]]:
    return {
        "elu": lambda x: torch_elu.elu(x * 2 + 1, 0.3) * 0.5,
        "elu, output saved": lambda x: torch_elu.elu(x * 2 + 1, save="output") * 0.5,
        "elu in place": lambda x: torch_elu.elu(x * 2 + 1, inplace=True) * 0.5,
        "selu": lambda x: torch_elu.selu(x * 2 + 1) * 0.5,
        "celu": lambda x: torch_elu.celu(x * 2 + 1, 0.3) * 0.5,
        "backward": lambda x: ops.elu_backward(x, 0.3, 1, 1, False, x * 2) * 0.5,
        "elu_plus_one": lambda x: torch_elu.elu_plus_one(x * 2 + 1) * 0.5,
        "backward of elu_plus_one": lambda x: ops.elu_plus_one_backward(x, x * 2) * 0.5,
        "backward of the result": lambda x: ops.elu_backward(x, 0.3, 1, 1, True, x * 2) * 0.5,
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("name", chains())
def test_on_cuda_a_chain_is_all_elementwise_operators_of_pytorch(
    name: str, dtype: torch.dtype
) -> None:
    function = torch.func.functionalize(chains()[name])
    with FakeTensorMode():
        operators = traced(function, torch.empty(8, 4, device="cuda", dtype=dtype))
        assert not [operator for operator in operators if "torch_elu" in operator]
        not_fused = {o for o in operators if not is_pointwise(o) and "_to_copy" not in o}
        assert not_fused == set()
        on_cpu = traced(function, torch.empty(8, 4, dtype=dtype))
        whole = [operator for operator in on_cpu if "torch_elu" in operator]
        assert len(whole) == (name != "backward of elu_plus_one")


@pytest.mark.parametrize(
    "c", [(math.inf, 1, 1), (1, 1, 0), (math.nan, 1, 1), (1e300, 1, 1)], ids=str
)
def test_on_cuda_coefficients_that_the_formula_is_not_for_keep_the_operator(
    c: tuple[float, float, float],
) -> None:
    with FakeTensorMode():
        x = torch.empty(8, device="cuda")
        assert traced(lambda x: ops.elu(x, *c), x) == {"torch_elu.elu.default"}
        backward = traced(lambda x: ops.elu_backward(x, *c, False, x), x)
        assert backward == {"torch_elu.elu_backward.default"}


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


class PlusOne(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch_elu.elu_plus_one(x)


@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_on_the_cpu_inductor_calls_our_kernel(mode: str) -> None:
    model = torch.nn.Sequential(
        torch_elu.ELU(0.5), torch_elu.CELU(0.7, save="output"), torch_elu.SELU()
    )
    model.append(PlusOne())
    compiled = torch.compile(model, fullgraph=True, mode=mode)
    x = torch.randn(100, requires_grad=True)
    expected = model(x)
    result = compiled(x)
    assert_same_bits(result, expected)
    (grad,) = torch.autograd.grad(result.sum(), x)
    assert_same_bits(grad, torch.autograd.grad(expected.sum(), x)[0])


def test_a_symbolic_alpha_on_the_cpu_gives_close_values_and_gradients() -> None:
    compiled = torch.compile(torch_elu.celu, fullgraph=True)
    for alpha in ALPHAS:
        x = torch.randn(100, requires_grad=True)
        result, expected = compiled(x, alpha), torch_elu.celu(x, alpha)
        torch.testing.assert_close(result, expected)
        grad, other = (torch.autograd.grad(y.sum(), x)[0] for y in (result, expected))
        torch.testing.assert_close(grad, other)
    assert counters["stats"]["unique_graphs"] == 2


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


@pytest.mark.parametrize("name", ["elu", "elu_plus_one"])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
def test_flex_attention_takes_them_for_scores(name: str, device: str) -> None:
    from torch.nn.attention.flex_attention import flex_attention

    x = torch.randn(1, 2, 64, 16, device=device)

    def attention(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda x: flex_attention(x, x, x, score_mod=lambda score, *_: function(score))

    try:
        torch.compile(attention(F.elu))(x)
    except Exception as error:
        pytest.skip(f"flex_attention does not compile here: {error}")
    function = getattr(torch_elu, name)
    torch.testing.assert_close(torch.compile(attention(function))(x), attention(function)(x))


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
    """A copy of the package that has another formula and gives it to Inductor on the CPU, too."""
    package = folder / "torch_elu"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(torch_elu.__file__).parent, package, ignore=ignored)
    source = package / "integrations" / "inductor.py"
    text = source.read_text()
    for old, new in [
        ('if tensor.device.type == "cpu" and', "if False and"),
        ("where(x < 0, negative,", "where(x < 0, negative - 10,"),
    ]:
        assert text.count(old) == 1
        text = text.replace(old, new)
    source.write_text(text)
    return folder


def test_a_graph_compiled_with_other_formulas_is_not_reused(
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
    changed, hits = run(path=changed_package(tmp_path / "changed"))
    assert changed.startswith("[-10.6")
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

"""torch.compile, torch.export, make_fx and compiled autograd keep the operator and its results."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch_elu
from references import PLUS_ONE, SELU, Coefficients, assert_same_bits, celu, exact_slope
from torch import Tensor, func
from torch._dynamo.testing import CompileCounterWithBackend
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.checkpoint import checkpoint

FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], Coefficients]] = {
    "elu(0.3)": (lambda x: torch_elu.elu(x, 0.3), Coefficients(0.3)),
    "elu, output saved": (lambda x: torch_elu.elu(x, 0.3, save="output"), Coefficients(0.3)),
    "elu in place": (lambda x: torch_elu.elu(x * 1.0, 0.3, inplace=True), Coefficients(0.3)),
    "selu": (torch_elu.selu, SELU),
    "selu in place": (lambda x: torch_elu.selu(x * 1.0, inplace=True), SELU),
    "celu(0.3)": (lambda x: torch_elu.celu(x, 0.3), celu(0.3)),
    "elu_plus_one": (torch_elu.elu_plus_one, PLUS_ONE),
}
parametrize_functions = pytest.mark.parametrize(
    ("function", "c"), FUNCTIONS.values(), ids=FUNCTIONS.keys()
)


@pytest.fixture(autouse=True)
def nothing_compiled_before() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def operators_in(graph: torch.fx.Graph) -> set[str]:
    return {str(node.target) for node in graph.nodes if "torch_elu" in str(node.target)}


@pytest.mark.skipif(torch.__version__ < "2.15", reason="graphs run no operator on a subclass")
def test_a_compiled_elu_checks_no_names_of_the_package_but_its_own() -> None:
    # Each check costs a compiled call some 30 ns.
    guards = torch._dynamo.explain(lambda x: torch_elu.elu(x, 0.3))(torch.randn(3)).out_guards
    names = {guard.name for guard in guards}
    assert "G['torch_elu'].elu" in names
    assert {name for name in names if name.startswith("G")} <= {
        "G['torch_elu']",
        "G['torch_elu'].elu",
    }


@parametrize_functions
def test_compiled_in_one_graph_gives_the_same_bits_at_every_size(
    function: Callable[[Tensor], Tensor], c: Coefficients
) -> None:
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(function, backend=counter, dynamic=True, fullgraph=True)
    for shape in ((3, 5), (4, 7), (6, 2)):
        x = torch.randn(shape, requires_grad=True)
        y, expected = compiled(x), function(x)
        assert_same_bits(y, expected)
        assert y.stride() == expected.stride()
        (grad,) = torch.autograd.grad(y.sum(), x)
        assert_same_bits(grad, torch.autograd.grad(expected.sum(), x)[0])
        torch.testing.assert_close(grad.double(), exact_slope(x.detach(), c), rtol=1e-6, atol=1e-7)
    assert counter.frame_count == 1, "recompiled for another size"
    assert len(operators_in(counter.graphs[0].graph)) == 1


def test_inductor_does_not_overwrite_results_of_in_place_and_out() -> None:
    def function(x: Tensor, weight: Tensor) -> Tensor:
        hidden = torch_elu.elu(x @ weight, 0.5, inplace=True)
        hidden = torch_elu.selu(hidden @ weight, inplace=True)
        hidden = hidden @ weight
        out = torch.ops.torch_elu.elu.out(hidden, 0.5, out=torch.empty_like(hidden))
        return torch.relu(out @ weight)

    x, weight = torch.randn(16, 16), torch.randn(16, 16)
    compiled = torch.compile(function, fullgraph=True)
    torch.testing.assert_close(compiled(x, weight), function(x, weight))


def then_doubled(x: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
    activation(x)
    return x * 2


def between_graph_breaks(x: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
    torch._dynamo.graph_break()
    activation(x)
    torch._dynamo.graph_break()
    return x * 2


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("name", ["elu", "selu", "celu"])
@pytest.mark.parametrize("function", [then_doubled, between_graph_breaks])
def test_in_place_on_an_input_of_the_graph_reaches_its_gradient(
    function: Callable[..., Tensor], name: str, dynamic: bool
) -> None:
    def gradient(call: Callable[..., Tensor]) -> tuple[Tensor, Tensor]:
        x = torch.linspace(-3, 2, 7).requires_grad_()
        hidden = x * 3
        y = call(hidden, lambda x: getattr(torch_elu, name)(x, inplace=True))
        return torch.autograd.grad((y * hidden).sum(), x)[0], hidden

    compiled = torch.compile(function, backend="aot_eager", dynamic=dynamic)
    torch.testing.assert_close(gradient(compiled), gradient(function))


def test_in_place_on_one_of_two_inputs_that_share_memory() -> None:
    def function(x: Tensor, y: Tensor) -> Tensor:
        torch_elu.elu(x, inplace=True)
        return y.sin()

    def gradient(call: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        x = torch.linspace(-3, 2, 5).requires_grad_()
        z = x * 3
        return torch.autograd.grad(call(z[:3], z[1:]).sum(), x)[0]

    compiled = torch.compile(function, backend="aot_eager")
    torch.testing.assert_close(gradient(compiled), gradient(function))


@pytest.mark.parametrize("keywords", [{"inplace": True}, {"save": "output"}], ids=str)
def test_negative_alpha_is_an_error_of_the_compiled_forward(keywords: dict[str, object]) -> None:
    compiled = torch.compile(
        lambda x: torch_elu.elu(x * 1.0, -0.5, **keywords), backend="aot_eager", fullgraph=True
    )
    with pytest.raises(RuntimeError, match="only if alpha, scale and input_scale are >= 0"):
        compiled(torch.randn(3, requires_grad=True))


@pytest.mark.parametrize("name", ["elu", "elu_plus_one"])
@pytest.mark.parametrize("tracing_mode", ["real", "fake", "symbolic"])
def test_make_fx_traces_forward_and_backward_as_operators(tracing_mode: str, name: str) -> None:
    def gradient(x: Tensor) -> Tensor:
        (grad,) = torch.autograd.grad(getattr(torch_elu, name)(x).sum(), x)
        return grad

    x = torch.randn(5, requires_grad=True)
    graph = make_fx(gradient, tracing_mode=tracing_mode)(x)
    expected = {f"torch_elu.{name}.default", f"torch_elu.{name}_backward.default"}
    assert operators_in(graph.graph) == expected
    assert_same_bits(graph(x), gradient(x))


def test_fx_symbolic_trace_keeps_the_functions() -> None:
    model = torch.nn.Sequential(torch_elu.ELU(0.5), torch_elu.SELU(), torch_elu.CELU(2.0))
    x = torch.randn(5)
    assert_same_bits(torch.fx.symbolic_trace(model)(x), model(x))

    # A function is seen through __torch_function__, as torch.nn.functional's are.
    def function(x: Tensor) -> Tensor:
        return torch_elu.elu_plus_one(torch_elu.celu(torch_elu.elu(x, 0.5), 2.0))

    traced = torch.fx.symbolic_trace(function)
    assert [node.target for node in traced.graph.nodes if node.op == "call_function"] == [
        torch_elu.elu,
        torch_elu.celu,
        torch_elu.elu_plus_one,
    ]
    assert_same_bits(traced(x), function(x))


def in_place_on_a_view(x: Tensor, alpha: float) -> Tensor:
    whole = x * 1.0
    torch_elu.elu(whole[10:30], alpha, inplace=True)
    return whole


def slope(x: Tensor, alpha: float) -> Tensor:
    y = torch_elu.elu(x * 1.0, alpha) * torch_elu.elu_plus_one(x)
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]


@pytest.mark.parametrize(
    "function",
    [
        lambda x, alpha: torch_elu.elu(x * 1.0, alpha),
        lambda x, alpha: torch_elu.elu(torch_elu.elu(x, alpha) * 2.0),
        lambda x, alpha: torch_elu.elu(x * 1.0, alpha, save="output"),
        lambda x, alpha: torch_elu.elu(x * 1.0, alpha, inplace=True),
        in_place_on_a_view,
        slope,
        lambda x, alpha: torch_elu.elu_plus_one(x * alpha),
    ],
    ids=["input", "twice", "output", "in place", "of a view", "second derivative", "plus one"],
)
def test_compiled_autograd_traces_the_backward(function: Callable[..., Tensor]) -> None:
    compiled_autograd = pytest.importorskip("torch._dynamo.compiled_autograd")
    x = torch.randn(50, requires_grad=True)

    def backward(alpha: float) -> Tensor:
        x.grad = None
        function(x, alpha).sum().backward()
        assert x.grad is not None
        return x.grad

    expected = [backward(alpha) for alpha in (0.3, 0.7)]
    captured: list[torch.fx.GraphModule] = []

    def compiler(graph: torch.fx.GraphModule) -> Callable[..., object]:
        captured.append(graph)
        return torch.compile(graph, backend="eager")

    with compiled_autograd._enable(compiler):
        results = [backward(alpha) for alpha in (0.3, 0.7)]
    targets = [str(node.target) for graph in captured for node in graph.graph.nodes]
    assert any("torch_elu_Elu" in target for target in targets), targets
    for result, of_alpha in zip(results, expected, strict=True):
        assert_same_bits(result, of_alpha)


TRANSFORMED: dict[str, Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]] = {
    "vmap": lambda f, x: func.vmap(f)(x),
    "grad": lambda f, x: func.grad(lambda x: f(x).sum())(x),
    "vmap of grad": lambda f, x: func.vmap(func.grad(lambda x: f(x).sum()))(x),
    "jvp": lambda f, x: func.jvp(f, (x,), (x,))[1],
    "jvp of vjp": lambda f, x: func.jvp(lambda x: func.vjp(f, x)[1](x)[0], (x,), (x,))[1],
    "jacrev": lambda f, x: func.jacrev(f)(x[0]),
    "hessian": lambda f, x: func.hessian(lambda x: f(x).sum())(x[0]),
}


@pytest.mark.parametrize("transform", TRANSFORMED.values(), ids=TRANSFORMED.keys())
@parametrize_functions
def test_a_compiled_transform_gives_what_the_transform_gives(
    function: Callable[[Tensor], Tensor],
    c: Coefficients,
    transform: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor],
) -> None:
    x = torch.randn(3, 4, dtype=torch.float64)
    compiled = torch.compile(lambda x: transform(function, x), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), transform(function, x))


def test_compiled_checkpointing_gives_the_same_gradient() -> None:
    def layer(x: Tensor) -> Tensor:
        return torch_elu.elu(torch_elu.celu(x * 2, 0.7), 0.5, inplace=True)

    def checkpointed(x: Tensor) -> Tensor:
        return checkpoint(layer, x, use_reentrant=False)

    x = torch.randn(10, requires_grad=True)
    compiled = torch.compile(checkpointed, backend="aot_eager", fullgraph=True)
    grad, expected = (torch.autograd.grad(f(x).sum(), x)[0] for f in (compiled, layer))
    assert_same_bits(grad, expected)


@pytest.mark.parametrize("layout", [lambda x: x, lambda x: x.t(), lambda x: x.t()[::2]])
def test_sizes_that_only_data_will_tell_compile(layout: Callable[[Tensor], Tensor]) -> None:
    def select(x: Tensor) -> Tensor:
        return torch_elu.elu(layout(x[x[:, 0] > 0])).sum()

    x = torch.linspace(-2, 2, 40).view(10, 4).roll(3, 0)
    with torch._dynamo.config.patch(capture_dynamic_output_shape_ops=True):
        compiled = torch.compile(select, backend="aot_eager", fullgraph=True)
        assert torch.equal(compiled(x), select(x))


def test_sizes_that_only_data_will_tell_count_as_equal() -> None:
    def select(x: Tensor) -> Tensor:
        return torch.ops.torch_elu.elu_backward(x[x > 0], 0.3, 1, 1, False, x[x < 0])

    x = torch.linspace(-2, 2, 40)
    with torch._dynamo.config.patch(capture_dynamic_output_shape_ops=True):
        compiled = torch.compile(select, backend="aot_eager", fullgraph=True)
        assert torch.equal(compiled(x), select(x))

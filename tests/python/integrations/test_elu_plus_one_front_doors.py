"""elu_plus_one through everything that PyTorch does with an operator, as elu goes through it."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from layouts import LAYOUTS, Dense
from references import (
    DTYPES,
    Coefficients,
    assert_same_bits,
    exact_curvature,
    exact_slope,
    in_range,
)
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functionalize, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.library import opcheck
from torch.overrides import TorchFunctionMode
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils._python_dispatch import TorchDispatchMode

ops = torch.ops.torch_elu
elu_plus_one = torch_elu.elu_plus_one
FORWARD, BACKWARD = "torch_elu.elu_plus_one.default", "torch_elu.elu_plus_one_backward.default"
ELU = Coefficients()


def exact(x: Tensor) -> Tensor:
    x = x.double()
    return torch.where(x > 0, x + 1, torch.exp(x))


def layer(x: Tensor) -> Tensor:
    return elu_plus_one(x * 2.0) * 0.5


@pytest.fixture
def nothing_compiled_before() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def operators_in(graph: torch.fx.Graph) -> list[str]:
    return [str(node.target) for node in graph.nodes if "torch_elu" in str(node.target)]


# The registration


def test_the_schemas_are_functional_and_pointwise() -> None:
    assert str(ops.elu_plus_one.default._schema) == "torch_elu::elu_plus_one(Tensor self) -> Tensor"
    assert str(ops.elu_plus_one_backward.default._schema) == (
        "torch_elu::elu_plus_one_backward(Tensor grad_output, Tensor result) -> Tensor"
    )
    for operator in (ops.elu_plus_one, ops.elu_plus_one_backward):
        assert operator.overloads() == ["default"]
        assert {torch.Tag.pointwise, torch.Tag.pt2_compliant_tag} <= set(operator.default.tags)


@pytest.mark.parametrize(
    "key", ["CPU", "Meta", "Autograd", "FuncTorchBatched", "CompositeExplicitAutograd"]
)
@pytest.mark.parametrize("name", ["elu_plus_one", "elu_plus_one_backward"])
def test_there_is_a_kernel_for_every_key(name: str, key: str) -> None:
    assert torch._C._dispatch_has_kernel_for_dispatch_key(f"torch_elu::{name}", key)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_opcheck_passes_for_every_dtype(dtype: torch.dtype) -> None:
    x = torch.randn(3, 4, dtype=dtype, requires_grad=True)
    opcheck(ops.elu_plus_one.default, (x,))
    opcheck(ops.elu_plus_one_backward.default, (torch.randn_like(x).requires_grad_(), x))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_opcheck_passes_for_every_layout(layout: Callable[[Dense], Tensor]) -> None:
    x = layout(lambda *shape: torch.randn(shape)).detach().requires_grad_()
    utils = ("test_schema", "test_autograd_registration", "test_faketensor")
    opcheck(ops.elu_plus_one.default, (x,), test_utils=utils)
    opcheck(ops.elu_plus_one_backward.default, (torch.randn_like(x), x), test_utils=utils)


def test_a_device_without_a_kernel_here_gets_pytorchs_operators() -> None:
    """As it would be there: the kernel for such devices, called on the CPU."""
    for dtype in DTYPES:
        x = torch.cat(
            [in_range(dtype, 1000, -100, 3), torch.tensor([math.inf, math.nan, -math.inf])]
        )
        x = x.to(dtype)
        keys = torch._C.DispatchKeySet(torch._C.DispatchKey.CompositeExplicitAutograd)
        value = ops.elu_plus_one.default.redispatch(keys, x)
        assert value.dtype == dtype
        torch.testing.assert_close(value, elu_plus_one(x), equal_nan=True)
        backward = ops.elu_plus_one_backward.default
        torch.testing.assert_close(
            backward.redispatch(keys, x, value), backward(x, value), equal_nan=True
        )


# torch.func


def inputs(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64) * 9


def assert_close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=0, equal_nan=True)


@pytest.mark.filterwarnings("error::UserWarning")  # vmap warns where it has to loop
def test_functional_derivatives_are_those_of_the_formula() -> None:
    # Where exp(x) overflows, its gradient must not come in.
    x = torch.cat([inputs(4), torch.tensor([800.0, -800.0, 0.0, math.inf], dtype=torch.float64)])
    tangent = inputs(8)
    slope, curvature = exact_slope(x, ELU), exact_curvature(x, ELU)
    assert_close(grad(lambda x: elu_plus_one(x).sum())(x), slope)
    value, pull = vjp(elu_plus_one, x)
    assert_close(value, exact(x))
    assert_close(pull(tangent)[0], slope * tangent)
    value, pushed = jvp(elu_plus_one, (x,), (tangent,))
    assert_close(value, exact(x))
    assert_close(pushed, slope * tangent)
    assert_close(jacrev(elu_plus_one)(x), slope.diag())
    assert_close(jacfwd(elu_plus_one)(x), slope.diag())
    assert_close(hessian(lambda x: elu_plus_one(x).sum())(x), curvature.diag())
    assert_close(vmap(grad(lambda x: elu_plus_one(x).sum()))(x.view(8, 1)), slope.view(8, 1))
    assert_close(grad(lambda x: vmap(elu_plus_one)(x).sum())(x), slope)
    backward = ops.elu_plus_one_backward
    assert_close(grad(lambda g: backward(g, exact(x)).sum())(tangent), slope)
    assert_close(grad(lambda y: backward(tangent, y).sum())(exact(x)), tangent * (x <= 0))


@pytest.mark.parametrize("in_dim", [0, 1, -1])
@pytest.mark.parametrize("out_dim", [0, 1])
def test_vmap_gives_the_bits_of_one_call(in_dim: int, out_dim: int) -> None:
    x = inputs(3, 4, 5).float()
    batched = vmap(elu_plus_one, in_dims=in_dim, out_dims=out_dim)(x)
    assert_same_bits(batched, elu_plus_one(x).movedim(in_dim, out_dim))
    assert_same_bits(vmap(vmap(elu_plus_one, 1, 1), 1, 1)(x), elu_plus_one(x))


BACKWARD_DIMS = [dims for dims in itertools.product([0, 1, None], repeat=2) if dims != (None, None)]


@pytest.mark.parametrize("in_dims", BACKWARD_DIMS, ids=str)
def test_vmap_of_the_backward_for_all_dims(in_dims: tuple[int | None, int | None]) -> None:
    shapes = {0: (3, 4), 1: (4, 3), None: (4,)}
    tensors = [inputs(*shapes[dim]) for dim in in_dims]
    result = vmap(ops.elu_plus_one_backward, in_dims=in_dims)(*tensors)
    slices = [
        [t if dim is None else t.select(dim, i) for t, dim in zip(tensors, in_dims, strict=True)]
        for i in range(3)
    ]
    expected = [ops.elu_plus_one_backward(*pair) for pair in slices]
    assert_same_bits(result, torch.stack(expected))


def test_functionalize_keeps_it() -> None:
    def function(x: Tensor) -> Tensor:
        return elu_plus_one(x.clone().mul_(2))

    x = inputs(5)
    assert_same_bits(functionalize(function)(x), function(x))
    graph = make_fx(functionalize(function))(x).graph
    assert operators_in(graph) == [FORWARD]


# torch.compile and torch.export


@pytest.mark.usefixtures("nothing_compiled_before")
def test_compiled_in_one_graph_gives_the_same_bits_at_every_size() -> None:
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(layer, backend=counter, dynamic=True, fullgraph=True)
    for shape in ((3, 5), (4, 7), (6, 2)):
        x = torch.randn(shape, requires_grad=True)
        y, expected = compiled(x), layer(x)
        assert_same_bits(y, expected)
        (result,) = torch.autograd.grad(y.sum(), x)
        assert_same_bits(result, torch.autograd.grad(expected.sum(), x)[0])
    assert counter.frame_count == 1, "recompiled for another size"
    assert operators_in(counter.graphs[0].graph) == ["torch_elu.elu_plus_one"]


@pytest.mark.usefixtures("nothing_compiled_before")
def test_inductor_calls_our_forward_on_the_cpu_and_fuses_the_backward() -> None:
    x = torch.randn(1000, requires_grad=True)
    compiled = torch.compile(layer, fullgraph=True)
    (result,) = torch.autograd.grad(compiled(x).sum(), x)
    assert_same_bits(compiled(x), layer(x))
    assert_same_bits(result, torch.autograd.grad(layer(x).sum(), x)[0])
    traced = traced_for_inductor(elu_plus_one, torch.empty(8))
    assert traced == [FORWARD]


def traced_for_inductor(function: Callable[..., Tensor], *tensors: Tensor) -> list[str]:
    from torch._inductor.decomposition import select_decomp_table

    graph = make_fx(function, decomposition_table=select_decomp_table())(*tensors).graph
    graph.eliminate_dead_code()
    return operators_in(graph)


def test_inductor_gets_formulas_on_cuda() -> None:
    with FakeTensorMode():
        for dtype in (torch.float32, torch.float16):
            x = torch.empty(8, 4, device="cuda", dtype=dtype)
            assert traced_for_inductor(elu_plus_one, x) == []
            assert traced_for_inductor(ops.elu_plus_one_backward, x, x) == []
        y = torch.empty(8)
        assert traced_for_inductor(ops.elu_plus_one_backward, y, y) == []


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_formulas_for_inductor_are_right(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_elu.integrations.inductor, "_stays_whole", lambda *_: False)
    special = [math.nan, -math.inf, -1e30, -100.0, -1e-40, -0.0, 0.0, 1e-40, 1e3, math.inf]
    x = torch.cat([torch.tensor(special), torch.randn(1000) * 9]).to(dtype)
    value = torch_elu.integrations.inductor.elu_plus_one(x)
    assert value.dtype == dtype
    torch.testing.assert_close(value, elu_plus_one(x), equal_nan=True)
    assert_same_bits(
        torch_elu.integrations.inductor.elu_plus_one_backward(x, value),
        ops.elu_plus_one_backward(x, value),
    )


@pytest.mark.usefixtures("nothing_compiled_before")
def test_compiled_autograd_traces_the_backward() -> None:
    compiled_autograd = pytest.importorskip("torch._dynamo.compiled_autograd")
    x = torch.randn(50, requires_grad=True)

    def backward() -> Tensor:
        x.grad = None
        layer(x).sum().backward()
        assert x.grad is not None
        return x.grad

    expected = backward().clone()
    captured: list[str] = []

    def compiler(graph: torch.fx.GraphModule) -> Callable[..., object]:
        captured.append(graph.print_readable(print_output=False))
        return torch.compile(graph, backend="eager")

    with compiled_autograd._enable(compiler):
        assert_same_bits(backward(), expected)
    assert len(captured) == 1
    assert "EluPlusOne" in captured[0] or "elu_plus_one_backward" in captured[0]


@pytest.mark.parametrize("tracing_mode", ["real", "fake", "symbolic"])
def test_make_fx_traces_forward_and_backward_as_operators(tracing_mode: str) -> None:
    def gradient(x: Tensor) -> Tensor:
        (result,) = torch.autograd.grad(elu_plus_one(x).sum(), x)
        return result

    x = torch.randn(5, requires_grad=True)
    graph = make_fx(gradient, tracing_mode=tracing_mode)(x)
    assert operators_in(graph.graph) == [FORWARD, BACKWARD]
    assert_same_bits(graph(x), gradient(x))


class Module(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return elu_plus_one(x)


@pytest.mark.parametrize("strict", [False, True])
def test_export_keeps_the_operator(strict: bool) -> None:
    batch = ({0: torch.export.Dim("batch", min=2, max=64)},)
    exported = torch.export.export(
        Module(), (torch.randn(4, 3),), dynamic_shapes=batch, strict=strict
    )
    decomposed = exported.run_decompositions()
    x = torch.randn(9, 3)
    for program in (exported, decomposed):
        assert operators_in(program.graph) == [FORWARD]
        assert_same_bits(program.module()(x), elu_plus_one(x))


def test_fx_symbolic_trace_keeps_the_function() -> None:
    traced = torch.fx.symbolic_trace(Module())
    assert elu_plus_one in [node.target for node in traced.graph.nodes]
    x = torch.randn(5)
    assert_same_bits(traced(x), elu_plus_one(x))


# TorchScript and ONNX


@pytest.mark.parametrize("convert", ["script", "trace"])
def test_scripted_or_traced_it_differentiates_at_every_run_and_can_be_saved(convert: str) -> None:
    script = (
        torch.jit.script(Module()) if convert == "script" else torch.jit.trace(Module(), inputs(3))
    )
    file = io.BytesIO()
    torch.jit.save(script, file)
    file.seek(0)
    for model in (script, torch.jit.load(file)):
        assert "torch_elu::elu_plus_one" in str(model.inlined_graph)
        for _ in range(4):  # the executor specialises it after some
            x = inputs(9).requires_grad_()
            y = model(x)
            assert_same_bits(y, elu_plus_one(x))
            (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
            assert_close(slope, exact_slope(x.detach(), ELU))
            (curvature,) = torch.autograd.grad(slope.sum(), x)
            assert_close(curvature, exact_curvature(x.detach(), ELU))


@pytest.mark.filterwarnings("ignore")  # the exporter's own
@pytest.mark.parametrize("opset", [None, 9, 11], ids=["dynamo", "9", "11"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_onnx_gets_the_formula(dtype: torch.dtype, opset: int | None) -> None:
    onnx = pytest.importorskip("onnx")
    reference = pytest.importorskip("onnx.reference")
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    special = torch.tensor([math.inf, -math.inf, math.nan, 0.0, 700.0, -700.0, -20.0])
    x = torch.cat([special, torch.linspace(-12, 5, 1000)]).to(dtype)
    if opset is None:
        model = torch.onnx.export(Module(), (x,), dynamo=True, verbose=False).model_proto
    else:
        file = io.BytesIO()
        torch.onnx.export(Module(), (x,), file, dynamo=False, opset_version=opset)
        model = onnx.load_from_string(file.getvalue())
    onnx.checker.check_model(model)
    names = {node.op_type for node in model.graph.node} - {"Constant", "Cast", "Identity"}
    assert names == {"Where", "Greater", "Add", "Exp"}
    assert reference.ReferenceEvaluator(model).input_names
    if dtype == torch.bfloat16:
        return  # numpy, through which the runtime is asked below, has none
    session = runtime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(
        torch.from_numpy(y), elu_plus_one(x), rtol=2 * eps, atol=0, equal_nan=True
    )


# Tensors that are not plain


@pytest.mark.usefixtures("nothing_compiled_before")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("compiled", [False, True])
def test_jagged_tensors_have_a_gradient(compiled: bool) -> None:
    x = torch.nested.nested_tensor(
        [torch.randn(2, 3), torch.randn(4, 3)], layout=torch.jagged, requires_grad=True
    )
    function = torch.compile(layer, backend="aot_eager", fullgraph=True) if compiled else layer
    y = function(x)
    assert y.is_nested
    values = x.detach().values()
    assert_same_bits(y.values(), layer(values))
    y.values().sum().backward()
    expected = exact_slope(2 * values, ELU)
    torch.testing.assert_close(x.grad.values().double(), expected, rtol=1e-6, atol=0)


@pytest.mark.usefixtures("nothing_compiled_before")
@pytest.mark.parametrize("compiled", [False, True])
def test_a_wrapper_subclass_passes_through(compiled: bool) -> None:
    parts = torch.randn(5), torch.randn(5)
    x = TwoTensor(*parts).requires_grad_()
    function = torch.compile(layer, backend="aot_eager", fullgraph=True) if compiled else layer
    y = function(x)
    y.sum().backward()
    for part, of_y, of_grad in zip(parts, (y.a, y.b), (x.grad.a, x.grad.b), strict=True):
        assert_same_bits(of_y, layer(part))
        torch.testing.assert_close(of_grad.double(), exact_slope(2 * part, ELU), rtol=1e-6, atol=0)


def test_modes_see_the_function_and_the_operators() -> None:
    seen: list[object] = []

    class Functions(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(func)
            return func(*args, **(kwargs or {}))

    class Operators(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    x = torch.randn(3, requires_grad=True)
    with Functions():
        elu_plus_one(x)
    with Operators():
        elu_plus_one(x).sum().backward()
    assert elu_plus_one in seen
    assert {FORWARD, BACKWARD} <= set(seen)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_autocast_leaves_the_dtype_alone_as_of_elu(dtype: torch.dtype) -> None:
    x = torch.randn(3, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16):
        assert elu_plus_one(x).dtype == F.elu(x).dtype == dtype

"""An alpha that is computed in the program, and followed by whatever traces the program."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

Function = Callable[..., Tensor]

parametrize_functions = pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (torch_elu.elu, F.elu),
        (torch_elu.celu, F.celu),
        (lambda x, alpha: torch_elu.elu(x, alpha, save="output"), F.elu),
        (lambda x, alpha: torch_elu.celu(x * 1.0, alpha, inplace=True), F.celu),
    ],
    ids=["elu", "celu", "elu, output saved", "celu in place"],
)


class OfShape(torch.nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, x.shape[0] / 8)


class OfBuffer(OfShape):
    def __init__(self, function: Function) -> None:
        super().__init__(function)
        self.register_buffer("alpha", torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.alpha)


class OfData(OfShape):
    def forward(self, x: Tensor, alpha: Tensor) -> Tensor:
        return self.function(x, alpha.item())


def x_of(rows: int) -> Tensor:
    return torch.linspace(-3, 2, rows * 5).view(rows, 5)


@parametrize_functions
@pytest.mark.filterwarnings("ignore")  # of torch.jit.trace
def test_a_trace_follows_alpha(ours: Function, theirs: Function) -> None:
    of_shape = torch.jit.trace(OfShape(ours), x_of(4))
    torch.testing.assert_close(of_shape(x_of(8)), theirs(x_of(8), 1.0))
    of_argument = torch.jit.trace(ours, (x_of(4), torch.tensor(0.5)))
    torch.testing.assert_close(of_argument(x_of(4), torch.tensor(2.0)), theirs(x_of(4), 2.0))
    of_buffer = torch.jit.trace(OfBuffer(ours), x_of(4))
    of_buffer.alpha.fill_(2.0)
    for _ in range(2):
        torch.testing.assert_close(of_buffer(x_of(4)), theirs(x_of(4), 2.0))
        torch_elu.convert(of_buffer)


@pytest.mark.filterwarnings("ignore")  # of torch.jit.trace
@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.celu])
def test_a_trace_that_follows_alpha_writes_in_place(function: Function) -> None:
    arguments = x_of(4), torch.tensor(0.5)
    traced = torch.jit.trace(lambda x, alpha: function(x, alpha, inplace=True), arguments)
    x = x_of(4)
    assert traced(x, torch.tensor(2.0)).data_ptr() == x.data_ptr()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("alpha", [2, 2.0])
@pytest.mark.parametrize("function", [torch_elu.elu, torch_elu.celu])
def test_a_trace_with_a_number_holds_our_operator(function: Function, alpha: float) -> None:
    traced = torch.jit.trace(lambda x: function(x, alpha), torch.ones(3))
    assert "torch_elu::elu(" in str(traced.graph)


@parametrize_functions
def test_make_fx_follows_alpha(ours: Function, theirs: Function) -> None:
    graph = make_fx(OfShape(ours), tracing_mode="symbolic")(x_of(4))
    torch.testing.assert_close(graph(x_of(8)), theirs(x_of(8), 1.0))
    assert "torch_elu.elu" in graph.code
    graph = make_fx(OfData(ours), tracing_mode="fake")(x_of(4), torch.tensor(0.5))
    torch.testing.assert_close(graph(x_of(4), torch.tensor(2.0)), theirs(x_of(4), 2.0))


@parametrize_functions
def test_make_fx_follows_an_alpha_that_is_a_size(ours: Function, theirs: Function) -> None:
    graph = make_fx(lambda x: ours(x, x.shape[0]), tracing_mode="symbolic")(x_of(4))
    torch.testing.assert_close(graph(x_of(8)), theirs(x_of(8), 8))


@pytest.mark.parametrize("strict", [False, True])
@parametrize_functions
def test_export_follows_alpha(ours: Function, theirs: Function, strict: bool) -> None:
    rows = ({0: torch.export.Dim("rows", min=2, max=64)},)
    program = torch.export.export(OfShape(ours), (x_of(4),), dynamic_shapes=rows, strict=strict)
    torch.testing.assert_close(program.module()(x_of(8)), theirs(x_of(8), 1.0))
    arguments = x_of(4), torch.tensor(0.5)
    program = torch.export.export(OfData(ours), arguments, strict=strict)
    result = program.module()(x_of(4), torch.tensor(2.0))
    torch.testing.assert_close(result, theirs(x_of(4), 2.0))


@pytest.mark.parametrize("strict", [False, True])
@parametrize_functions
def test_an_exported_program_follows_its_buffer(
    ours: Function, theirs: Function, strict: bool
) -> None:
    program = torch.export.export(OfBuffer(ours), (x_of(4),), strict=strict).module()
    for alpha in (0.5, 2.0):
        program.alpha.fill_(alpha)
        torch.testing.assert_close(program(x_of(4)), theirs(x_of(4), alpha))


def test_an_exported_celu_whose_alpha_comes_out_as_0_is_an_error() -> None:
    program = torch.export.export(OfData(torch_elu.celu), (x_of(4), torch.tensor(0.5)))
    with pytest.raises(ZeroDivisionError):
        program.module()(x_of(4), torch.tensor(0.0))


@parametrize_functions
def test_a_compiled_function_follows_alpha(ours: Function, theirs: Function) -> None:
    torch.compiler.reset()
    of_shape = torch.compile(OfShape(ours), backend="aot_eager", dynamic=True)
    of_data = torch.compile(OfData(ours), backend="aot_eager")
    for rows in (4, 8):
        torch.testing.assert_close(of_shape(x_of(rows)), theirs(x_of(rows), rows / 8))
        result = of_data(x_of(4), torch.tensor(rows / 4))
        torch.testing.assert_close(result, theirs(x_of(4), rows / 4))


class InTraining(OfData):
    """Gradients are recorded while it is traced."""

    def __init__(self, function: Function) -> None:
        super().__init__(function)
        self.weight = torch.nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor, alpha: Tensor) -> Tensor:
        return super().forward(x * self.weight, alpha)


@pytest.mark.parametrize("strict", [False, True])
@parametrize_functions
def test_export_follows_alpha_where_gradients_are_recorded(
    ours: Function, theirs: Function, strict: bool
) -> None:
    program = torch.export.export(InTraining(ours), (x_of(4), torch.tensor(0.5)), strict=strict)
    result = program.module()(x_of(4), torch.tensor(2.0))
    torch.testing.assert_close(result, theirs(2 * x_of(4), 2.0))


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
@parametrize_functions
def test_the_gradient_follows_alpha_in_a_whole_graph(
    ours: Function, theirs: Function, backend: str
) -> None:
    torch.compiler.reset()
    with torch._dynamo.config.patch(capture_scalar_outputs=True):
        model = torch.compile(InTraining(ours), backend=backend, fullgraph=True)
        for alpha in (0.5, 2.0):
            weight = torch.tensor(2.0, requires_grad=True)
            (expected,) = torch.autograd.grad(theirs(x_of(4) * weight, alpha).sum(), weight)
            (grad,) = torch.autograd.grad(model(x_of(4), torch.tensor(alpha)).sum(), model.weight)
            torch.testing.assert_close(grad, expected)


@pytest.mark.parametrize(
    "x", [torch.tensor(-1.0), torch.linspace(-2, 2, 5)], ids=["0-dim", "1-dim"]
)
@parametrize_functions
def test_inductor_follows_an_integer_of_data(ours: Function, theirs: Function, x: Tensor) -> None:
    torch.compiler.reset()
    with torch._dynamo.config.patch(capture_scalar_outputs=True):
        compiled = torch.compile(OfData(ours), fullgraph=True)
        for alpha in (2, 3):
            torch.testing.assert_close(compiled(x, torch.tensor(alpha)), theirs(x, float(alpha)))


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
@pytest.mark.parametrize(
    "function",
    [
        lambda x, alpha: torch_elu.elu(x, alpha, save="output"),
        lambda x, alpha: torch_elu.elu(x * 1.0, alpha, inplace=True),
    ],
    ids=["output saved", "in place"],
)
def test_an_alpha_that_comes_out_negative_is_an_error_of_the_backward(
    function: Function, backend: str
) -> None:
    torch.compiler.reset()
    with torch._dynamo.config.patch(capture_scalar_outputs=True):
        model = torch.compile(InTraining(function), backend=backend, fullgraph=True)
        y = model(x_of(4), torch.tensor(-0.5))
        with pytest.raises(RuntimeError, match="only if alpha, scale and input_scale are >= 0"):
            y.sum().backward()


@pytest.mark.parametrize(
    "alpha", [torch.tensor(0.5), torch.tensor(0.5).numpy()[()]], ids=["tensor", "NumPy"]
)
@pytest.mark.filterwarnings("ignore")  # that a scalar breaks the graph
@parametrize_functions
def test_a_compiled_function_takes_what_f_elu_takes_for_a_number(
    ours: Function, theirs: Function, alpha: float
) -> None:
    torch.compiler.reset()
    compiled = torch.compile(ours, backend="aot_eager")
    torch.testing.assert_close(compiled(x_of(4), alpha), theirs(x_of(4), 0.5))

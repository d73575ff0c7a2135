"""torch.onnx.export, both of it, writes ONNX's own Elu, Selu and Celu, which onnxruntime runs.

onnxruntime 1.32 computes them as exp(x) - 1 in float32, which cancels near 0: its error is below
two steps of the numbers around alpha * scale, and in float16 of those around the result. What
PyTorch's own functions export to is the same node, hence the same bits. With
`onnx_translations(accurate=True)` it is about half a step of the result, in float64 below two, or
three where input_scale is negative.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from references import (
    HALF_DTYPES,
    PLUS_ONE,
    SELU,
    Coefficients,
    all_halves,
    celu,
    exact_value,
    in_range,
    largest_mpmath_error,
    mpmath_value,
    ulp,
)
from torch import Tensor

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

pytestmark = pytest.mark.filterwarnings("ignore")  # the exporter's own

Function = Callable[[Tensor], Tensor]
Attributes = dict[str, float]


class Calls(torch.nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def export(
    model: torch.nn.Module | torch.export.ExportedProgram, x: Tensor, **keywords: object
) -> onnx.ModelProto:
    program = torch.onnx.export(model, (x,), dynamo=True, verbose=False, **keywords)
    onnx.checker.check_model(program.model_proto)
    return program.model_proto


def export_script(model: torch.nn.Module, x: Tensor, opset: int) -> onnx.ModelProto:
    """By the exporter of TorchScript."""
    file = io.BytesIO()
    torch.onnx.export(model, (x,), file, dynamo=False, opset_version=opset)
    exported = onnx.load_from_string(file.getvalue())
    onnx.checker.check_model(exported)
    return exported


def nodes(model: onnx.ModelProto) -> list[tuple[str, Attributes]]:
    return [
        (n.op_type, {a.name: a.f for a in n.attribute if a.type == 1}) for n in model.graph.node
    ]


ELEMENT_TYPES = {
    torch.float64: onnx.TensorProto.DOUBLE,
    torch.float32: onnx.TensorProto.FLOAT,
    torch.float16: onnx.TensorProto.FLOAT16,
    torch.bfloat16: onnx.TensorProto.BFLOAT16,
}


def run(model: onnx.ModelProto, x: Tensor) -> Tensor:
    """The output in float64, computed by onnxruntime in the memory of tensors of PyTorch."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    output = torch.full(session_shape(session, x), math.nan, dtype=x.dtype)
    binding = session.io_binding()
    for bind, value, tensor in (
        (binding.bind_input, session.get_inputs()[0], x),
        (binding.bind_output, session.get_outputs()[0], output),
    ):
        bind(value.name, "cpu", 0, ELEMENT_TYPES[x.dtype], tuple(tensor.shape), tensor.data_ptr())
    session.run_with_iobinding(binding)
    return output.double()


def session_shape(session: onnxruntime.InferenceSession, x: Tensor) -> list[int]:
    """The shape of the output, in which a dynamic dimension has a name and is that of x."""
    shape = session.get_outputs()[0].shape
    return [x.shape[0] if isinstance(size, str) else size for size in shape]


def inputs(dtype: torch.dtype = torch.float32) -> Tensor:
    special = torch.tensor([math.nan, math.inf, -math.inf, 0.0, -1e-40, -1e-8, -30.0])
    return torch.cat([in_range(torch.float64, 2000, -20, 5), special.double()]).to(dtype)


def all_inputs(dtype: torch.dtype) -> Tensor:
    """All numbers of a half type but those that SELU would let overflow."""
    x = all_halves(dtype)
    return x[~(x.isfinite() & (x > torch.finfo(dtype).max / 2))]


def steps(
    actual: Tensor, x: Tensor, c: Coefficients, dtype: torch.dtype, *, near_0: bool = False
) -> float:
    """The largest error in steps of the dtype around the result, or around alpha * scale where
    that is larger and values near 0 are not looked at for themselves.
    """
    exact = exact_value(x, c)
    same = (actual == exact) | (actual.isnan() & exact.isnan())
    size = exact.abs() if near_0 else exact.abs().clamp(min=abs(c.alpha * c.scale))
    error = torch.where(same, 0.0, (actual - exact).abs())
    return float((error / torch.from_numpy(ulp(size.nan_to_num(1.0).numpy(), dtype))).max())


# The function, its arguments and coefficients, and the node.
EXPORTED: dict[str, tuple[str, dict[str, object], Coefficients, str]] = {
    "elu()": ("elu", {}, Coefficients(), "Elu"),
    "elu(0.3)": ("elu", {"alpha": 0.3}, Coefficients(0.3), "Elu"),
    "elu(-2)": ("elu", {"alpha": -2}, Coefficients(-2), "Elu"),
    "elu in place": ("elu", {"alpha": 0.3, "inplace": True}, Coefficients(0.3), "Elu"),
    "elu, output saved": ("elu", {"alpha": 0.5, "save": "output"}, Coefficients(0.5), "Elu"),
    "selu": ("selu", {}, SELU, "Selu"),
    "celu(0.7)": ("celu", {"alpha": 0.7}, celu(0.7), "Celu"),
    "celu(2.0)": ("celu", {"alpha": 2.0}, celu(2.0), "Celu"),
}
parametrize_exported = pytest.mark.parametrize(
    ("function", "arguments", "c", "node"), EXPORTED.values(), ids=EXPORTED.keys()
)


def calls(function: str, arguments: dict[str, object], package: object = torch_elu) -> Calls:
    return Calls(lambda x: getattr(package, function)(x * 1.0, **arguments))


def attributes(node: str, c: Coefficients) -> object:
    numbers = {"alpha": c.alpha, "gamma": c.scale} if node == "Selu" else {"alpha": c.alpha}
    return pytest.approx(numbers, rel=1e-7)


@parametrize_exported
def test_an_activation_becomes_the_node_of_its_name_without_an_argument(
    function: str, arguments: dict[str, object], c: Coefficients, node: str
) -> None:
    x = inputs()
    model = export(calls(function, arguments), x)
    ((name, numbers),) = nodes(model)
    assert name == node
    assert numbers == attributes(node, c)
    output = run(model, x)
    assert steps(output, x, c, torch.float32) <= 2
    if "save" not in arguments:
        expected = run(export(calls(function, arguments, F), x), x)
        assert torch.equal(output.nan_to_num(), expected.nan_to_num())


def test_coefficients_that_are_not_given_have_the_operators_defaults() -> None:
    assert nodes(export(Calls(torch.ops.torch_elu.elu), inputs())) == [("Elu", {"alpha": 1.0})]


@pytest.mark.parametrize("strict", [False, True])
def test_an_exported_program_with_a_dynamic_batch(strict: bool) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch_elu.ELU(0.5), torch_elu.CELU(2.0))
    batch = ({0: torch.export.Dim("batch", min=1, max=64)},)
    program = torch.export.export(model, (torch.randn(4, 3),), dynamic_shapes=batch, strict=strict)
    exported = export(program, torch.randn(4, 3))
    assert [name for name, _ in nodes(exported)] == ["Gemm", "Elu", "Celu"]
    x = torch.randn(9, 3)
    torch.testing.assert_close(run(exported, x).float(), model(x).detach())


def test_celu_of_a_negative_alpha_grows_in_its_node() -> None:
    x = in_range(torch.float32, 2000, -20, 5)
    model = export(Calls(lambda x: torch_elu.celu(x, -2)), x)
    assert nodes(model) == [("Celu", {"alpha": -2.0})]
    torch.testing.assert_close(run(model, x), exact_value(x, celu(-2.0)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["elu()", "elu(0.3)", "elu(-2)", "selu", "celu(0.7)", "celu(2.0)"])
def test_the_nodes_are_accurate_near_0_in_float16(name: str) -> None:
    function, arguments, c, node = EXPORTED[name]
    x = all_inputs(torch.float16)
    model = export(calls(function, arguments), x)
    assert node in [name for name, _ in nodes(model)]
    assert steps(run(model, x), x, c, torch.float16, near_0=True) <= 2


# Coefficients of the operator, for which ONNX has no node: (alpha, scale, input_scale)
OTHERS = [
    (0.3, 2.0, 0.7),
    (0.3, -2.0, 1.0),
    (0.3, 2.0, -0.7),
    (2.0, 1.0, 0.4),
    (2.0, 3.0, 0.5),  # CELU's but for the scale
    (0.0, 1.0, 2.0),
]


EXPORTED_TOO = {
    "celu(1000)": ("celu", {"alpha": 1000.0}, celu(1000.0), "Celu"),
    "celu(1e-3)": ("celu", {"alpha": 1e-3}, celu(1e-3), "Celu"),
}


@pytest.mark.parametrize(
    "name",
    [name for name in EXPORTED | EXPORTED_TOO if "," not in name and "place" not in name],
)
@pytest.mark.parametrize("dtype", ELEMENT_TYPES, ids=str)
def test_basic_operators_are_accurate_near_0_too(name: str, dtype: torch.dtype) -> None:
    function, arguments, c, node = (EXPORTED | EXPORTED_TOO)[name]
    near_0 = torch.logspace(-320, 0, 5000, dtype=torch.float64).neg().to(dtype)
    beside_the_series = (in_range(torch.float64, 4000, -1.1, -0.4) / c.input_scale).to(dtype)
    # Where exp(x) - 1 in float64 has too few digits for float32.
    in_the_series = (in_range(torch.float64, 4000, -5e-7, -1e-7) / c.input_scale).to(dtype)
    x = torch.cat([inputs(dtype), near_0, in_the_series, beside_the_series])
    if dtype in HALF_DTYPES:
        x = all_inputs(dtype)
    table = torch_elu.onnx_translations(accurate=True)
    model = export(calls(function, arguments), x, custom_translation_table=table)
    assert node not in [name for name, _ in nodes(model)]
    result = run(model, x)
    assert torch.equal(result.isnan(), x.isnan())
    if dtype == torch.float64:
        number = ~x.isnan()
        assert largest_mpmath_error(result[number], mpmath_value(x[number].tolist(), c)) <= 2
    else:
        limit = 0.501 if dtype == torch.float32 else 0.51
        assert steps(result, x, c, dtype, near_0=True) <= limit


@pytest.mark.parametrize("numbers", OTHERS, ids=str)
def test_other_coefficients_become_the_formula(numbers: tuple[float, float, float]) -> None:
    x = inputs()
    model = export(Calls(lambda x: torch.ops.torch_elu.elu(x, *numbers)), x)
    assert not {"Elu", "Selu", "Celu"} & {name for name, _ in nodes(model)}
    assert steps(run(model, x), x, Coefficients(*numbers), torch.float32, near_0=True) <= 1


# Where the one or the other product loses most, by what the series and Exp lose beside it.
@pytest.mark.parametrize(
    ("c", "low", "high", "limit"),
    [
        (Coefficients(1.234567, 0.987654, 1.7), -1.2, -0.4, 2),
        (celu(1000.0), -0.72, -0.68, 2),
        (celu(-3.0), 0.0, 708.6, 3),  # Exp is the result, and its error that of the result
        (celu(-1e200), 0.0, 249.2, 3),
        (celu(-1e-200), 0.0, 709.7, 3),
        (Coefficients(123.0, 1 / 123), -1e-9, -1e-12, 1.1),  # a product above 1, rounded to 1
        (Coefficients(1.234567, 0.987654, 1.7), -1e-270, -1e-279, 0.6),
    ],
    ids=["all", "celu(1000)", "celu(-3)", "celu(-1e200)", "celu(-1e-200)", "rounded to 1", "tiny"],
)
def test_the_formula_in_float64_makes_up_for_rounded_products(
    c: Coefficients, low: float, high: float, limit: float
) -> None:
    x = in_range(torch.float64, 40_000, low, high) / c.input_scale
    result = run(export(Calls(lambda x: torch.ops.torch_elu.elu(x, *c)), x), x)
    assert largest_mpmath_error(result, mpmath_value(x.tolist(), c)) <= limit


def of_every_size() -> Tensor:
    x = torch.logspace(-320, 308, 3000, dtype=torch.float64)
    return torch.cat([x, x.neg(), torch.tensor([math.inf, -math.inf, 0.0], dtype=torch.float64)])


# The products of two are 0 and infinity, and the last alpha has no halves.
@pytest.mark.parametrize(
    "c",
    [
        Coefficients(1e-80, 1.0, 1e-80),
        Coefficients(1e-200, 1.0, 1e-200),
        Coefficients(1e200, 1.0, 1e200),
        Coefficients(6e77, 8e72, 1.8e-5),
        *(celu(1e30), celu(-1e30), celu(1e-30)),
        celu(sys.float_info.max),
    ],
    ids=str,
)
def test_coefficients_of_every_size_become_a_formula_that_is_right(c: Coefficients) -> None:
    x = of_every_size()
    result = run(export(Calls(lambda x: torch.ops.torch_elu.elu(x, *c)), x), x)
    assert largest_mpmath_error(result, mpmath_value(x.tolist(), c)) <= 3


# The last makes them of ordinary numbers.
@pytest.mark.parametrize("c", [SELU, Coefficients(1.3e-60, 1.0, 1.7)], ids=str)
def test_subnormal_results_in_float64_are_rounded_once(c: Coefficients) -> None:
    x = torch.logspace(-322, -309, 4000, dtype=torch.float64).neg() / min(c.alpha, 1)
    result = run(export(Calls(lambda x: torch.ops.torch_elu.elu(x, *c)), x), x)
    assert largest_mpmath_error(result, mpmath_value(x.tolist(), c)) <= 0.51


def test_alpha_0_makes_0_of_negative_numbers_even_where_the_exponential_grows() -> None:
    x = of_every_size()
    result = run(export(Calls(lambda x: torch.ops.torch_elu.elu(x, 0.0, 2.0, -3.0)), x), x)
    torch.testing.assert_close(result, torch.where(x > 0, 2 * x, 0.0), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["elu(0.3)", "selu", "celu(0.7)"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("opset", [18, 22])
def test_other_dtypes_run_in_onnxruntime(name: str, dtype: torch.dtype, opset: int) -> None:
    function, arguments, c, node = EXPORTED[name]
    x = inputs(dtype)
    model = export(calls(function, arguments), x, opset_version=opset)
    names = [name for name, _ in nodes(model)]
    if dtype == torch.float64:  # ONNX has the numbers in float32, and onnxruntime no such node
        assert "Where" in names
    elif dtype == torch.float16 and node != "Celu":
        assert names == [node]
    else:
        assert names == ["Cast", node, "Cast"]
    assert steps(run(model, x), x, c, dtype) <= 2


@parametrize_exported
@pytest.mark.parametrize("opset", [9, 11, 12, 18])
def test_the_exporter_of_torchscript_writes_the_same_nodes(
    function: str, arguments: dict[str, object], c: Coefficients, node: str, opset: int
) -> None:
    x = inputs()
    model = export_script(calls(function, arguments), x, opset)
    found = [n for n in nodes(model) if n[0] not in ("Constant", "Mul", "Identity")]
    if node == "Celu" and opset < 12:  # which did not have it
        assert ("Exp", {}) in found
    else:
        ((name, numbers),) = found
        assert name == node
        assert numbers == attributes(node, c)
    assert steps(run(model, x), x, c, torch.float32) <= 2


@pytest.mark.parametrize("opset", [None, 9, 11], ids=["dynamo", "9", "11"])
@pytest.mark.parametrize("dtype", ELEMENT_TYPES, ids=str)
def test_elu_plus_one_becomes_its_formula(dtype: torch.dtype, opset: int | None) -> None:
    x, model = inputs(dtype), Calls(torch_elu.elu_plus_one)
    exported = export(model, x) if opset is None else export_script(model, x, opset)
    assert {name for name, _ in nodes(exported)} - {"Constant", "Cast", "Identity"} == {
        *("Where", "Greater", "Add", "Exp")
    }
    if dtype != torch.bfloat16:  # for which onnxruntime has no Exp
        info = torch.finfo(dtype)
        near = {"rtol": 2 * info.eps, "atol": info.smallest_normal * info.eps, "equal_nan": True}
        torch.testing.assert_close(run(exported, x), exact_value(x, PLUS_ONE), **near)


def test_the_translation_table_serves_where_onnxscript_was_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from onnxscript.function_libs.torch_lib import registration

    registered = dict(registration.default_registry._registry)
    monkeypatch.setattr(registration.default_registry, "_registry", registered)
    del registered["torch_elu::elu"]
    x = torch.randn(5)
    with pytest.raises(torch.onnx.errors.OnnxExporterError):
        export(torch_elu.ELU(0.5), x)
    table = torch_elu.onnx_translations()
    assert nodes(export(torch_elu.ELU(0.5), x, custom_translation_table=table)) == [
        ("Elu", {"alpha": 0.5})
    ]

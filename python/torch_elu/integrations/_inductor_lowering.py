"""The operators in Inductor's intermediate representation: fused with their neighbours with the
bits of the kernels, or a call where only the kernel has them.

Nothing here is PyTorch's public interface. Where a version of PyTorch has not what is used,
register() raises before it registers anything; Inductor then calls every operator.
"""

from __future__ import annotations

import functools
import logging
from typing import Any

import torch
from torch._inductor import cpu_vec_isa, lowering
from torch._inductor.codegen import cpp, triton
from torch._inductor.ops_handler import OpsHandler
from torch._inductor.virtualized import V, ops

from ._inductor_formula import OPERATIONS, Formula, PyTorchsFormula, plus_one_slope

_log = logging.getLogger("torch_elu")
_operators = torch.ops.torch_elu


def register() -> None:
    for overrides in (OpsHandler, cpp.CppOverrides, cpp.CppVecOverrides, triton.TritonOverrides):
        missing = [name for name in OPERATIONS if not hasattr(overrides, name)]
        if missing:
            raise NotImplementedError(f"{overrides.__name__} of Inductor has no {missing}")
    _cast_vectors_in_registers()
    for function in _LOWERINGS:
        operator = getattr(_operators, function.__name__.removeprefix("_")).default
        lowering.register_lowering(operator, broadcast=True, type_promotion_kind=None)(function)


def _cast_vectors_in_registers() -> None:
    """CppVecOverrides.to_dtype_bitcast goes through memory, one element at a time; where two
    vectors are in step, as for the halves, GCC does not see through that: six times slower.
    """
    through_memory = cpp.CppVecOverrides.to_dtype_bitcast
    pairs = {(torch.float32, torch.int32), (torch.float64, torch.int64)}

    @functools.wraps(through_memory)
    def to_dtype_bitcast(x: Any, dtype: torch.dtype, src_dtype: torch.dtype) -> Any:
        is_pair = (dtype, src_dtype) in pairs or (src_dtype, dtype) in pairs
        if is_pair and x.dtype == src_dtype and _fuses_on_the_cpu():
            return f"c10::bit_cast<{V.kernel._get_vec_type(dtype)}>({x})"
        return through_memory(x, dtype, src_dtype)  # type: ignore[no-untyped-call]

    # c10::bit_cast of PyTorch 2.11 refuses vectors.
    if torch.__version__ >= "2.15" and hasattr(cpp.CppVecKernel, "_get_vec_type"):
        cpp.CppVecOverrides.to_dtype_bitcast = staticmethod(to_dtype_bitcast)  # type: ignore[method-assign]


def _fuses_on_the_cpu() -> bool:
    return _is_fused(str(cpu_vec_isa.pick_vec_isa()))


@functools.cache
def _is_fused(vectors: str) -> bool:
    """Whether at::vec's fmadd rounds once: that of its generic vectors does not."""
    if vectors.startswith(("avx2", "avx512")):
        return True
    _log.info("On the CPU Inductor calls torch_elu's kernels whole: its vectors are %s", vectors)
    return False


def _formula(tensor: Any, *numbers: Any) -> Formula | PyTorchsFormula | None:
    """How to compute the operator with these coefficients; None: by a call."""
    device, dtype = tensor.get_device().type, tensor.get_dtype()
    is_ours = device == "cuda" or (device == "cpu" and _fuses_on_the_cpu())
    if is_ours and all(isinstance(number, int | float) for number in numbers):
        report = _operators.coefficients(*numbers, dtype)
        if not report["is_kernels_alone"][0]:
            return Formula(report, dtype)
    if device in ("cpu", "cuda") and _can_call():
        return None
    return PyTorchsFormula(numbers, dtype)


def _pointwise(function: Any, *tensors: Any) -> Any:
    """Of numbers in the type of the computation, rounded once to that of the first tensor."""
    dtype = tensors[0].get_dtype()
    computed_in = torch.promote_types(dtype, torch.float32)
    is_computed_in = [tensor.get_dtype() == computed_in for tensor in tensors]

    def elementwise(*elements: Any) -> Any:
        numbers = (
            element if is_number else ops.to_dtype(element, computed_in)
            for element, is_number in zip(elements, is_computed_in, strict=True)
        )
        result = function(*numbers)
        return result if is_computed_in[0] else ops.to_dtype(result, dtype)

    return lowering.make_pointwise(elementwise)(*tensors)


def _can_call() -> bool:
    """Not in flex_attention's functions of a score."""
    from torch._inductor.subgraph_lowering import PointwiseSubgraphLowering  # imports lowering

    return not isinstance(V.graph, PointwiseSubgraphLowering)


def _call(operator: torch._ops.OpOverload, *arguments: Any) -> Any:
    return lowering.fallback_handler(operator, add_to_fallback_set=False)(*arguments)


def _elu(
    self: Any,
    alpha: Any = 1.0,
    scale: Any = 1.0,
    input_scale: Any = 1.0,
    *,
    save_output: bool = False,
) -> Any:
    formula = _formula(self, alpha, scale, input_scale)
    if formula is None:
        return _call(_operators.elu.default, self, alpha, scale, input_scale)
    return _pointwise(formula.value, self)


def _elu_backward(
    grad_output: Any, alpha: Any, scale: Any, input_scale: Any, is_result: bool, saved: Any
) -> Any:
    numbers = (alpha, scale, input_scale)
    formula = _formula(saved, *numbers)
    if formula is None:
        operator = _operators.elu_backward.default
        return _call(operator, grad_output, *numbers, is_result, saved)
    slope = formula.slope_from_result if is_result else formula.slope
    return _pointwise(lambda grad, x: ops.mul(grad, slope(x)), grad_output, saved)


def _elu_plus_one(self: Any) -> Any:
    formula = _formula(self, 1, 1, 1)
    if formula is None:
        return _call(_operators.elu_plus_one.default, self)
    return _pointwise(formula.plus_one, self)


def _elu_plus_one_backward(grad_output: Any, result: Any) -> Any:
    dtype = torch.promote_types(result.get_dtype(), torch.float32)
    return _pointwise(lambda grad, y: ops.mul(grad, plus_one_slope(y, dtype)), grad_output, result)


_LOWERINGS = (_elu, _elu_backward, _elu_plus_one, _elu_plus_one_backward)

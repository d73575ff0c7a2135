"""ELU, SELU, CELU as functions, with the signatures of :mod:`torch.nn.functional`, and ELU + 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad
from torch.compiler import is_dynamo_compiling
from torch.nn import Parameter
from torch.overrides import handle_torch_function, has_torch_function_unary

from . import _C, _library  # noqa: F401  (loading the library registers the operators)

# Called eagerly, a function goes straight into C++, which takes half the time of torch.ops. Tracers
# and TorchScript cannot see through that: they take the functions below, made of operators alone.
# TorchDynamo has its own way to a subclass's __torch_function__; but before PyTorch 2.15 graphs run
# no operator on a subclass (seen in 2.11), so there the graph breaks before the call.
_SUBCLASSES_COMPILE = torch.__version__ >= "2.15"


def elu(
    input: Tensor, alpha: float | Tensor = 1.0, inplace: bool = False, *, save: str = "input"
) -> Tensor:
    r"""Exponential linear unit, elementwise (Clevert et al., https://arxiv.org/abs/1511.07289).

    .. math:: \text{ELU}(x) = \max(0, x) + \min(0, \alpha \cdot (e^x - 1))

    Args:
        input: A float64, float32, float16 or bfloat16 tensor of any shape and layout. On the CPU
            and on CUDA this package's kernels compute it (float16 and bfloat16 in float32, rounded
            once), on other devices PyTorch's.
        alpha: The result tends to -alpha as x goes to -infinity. A tensor broadcasts against
            ``input`` as in :func:`torch.where` and has a gradient. It has the dtype of ``input``,
            or float32 for a float16 or bfloat16 ``input``. A tensor without dimensions that
            requires no grad counts as a number. Default: 1.0
        inplace: Overwrite ``input`` with the result, and save that for backward. Default:
            ``False``
        save: What to save for backward. ``"input"`` is exact. ``"output"`` saves the result. The
            next layer usually saves that tensor too, so the activation costs no extra memory. It
            needs alpha >= 0, and slopes smaller than the rounding error of alpha are lost. Default:
            ``"input"``

    Returns:
        A tensor with the shape, strides, dtype and device that :func:`torch.nn.functional.elu`
        returns.

    Raises:
        NotImplementedError: for integer, bool and complex tensors. If these have no data (on the
            meta device or in a graph), RuntimeError.
        RuntimeError: if gradients are recorded with ``inplace`` or ``save="output"`` and alpha < 0;
            with ``inplace``, if ``input`` is a leaf that requires grad or overlaps itself; if alpha
            overflows the dtype of the computation (float32 for float16 and bfloat16); if the dtype,
            device or shape of a tensor alpha does not fit.
        TypeError: if ``input`` is not a tensor, or alpha neither a number nor a tensor.
        ValueError: if ``save`` is anything else; if alpha is a tensor with ``inplace`` or
            ``save="output"``, because its gradient is computed from the input.

    The gradient is :math:`1` for :math:`x > 0` and :math:`\alpha e^x` for :math:`x \le 0`;
    derivatives of any order exist.

    >>> import torch, torch_elu
    >>> x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    >>> torch_elu.elu(x, alpha=0.5).sum().backward()
    >>> x.grad
    tensor([0.1839, 0.5000, 1.0000])
    """
    if has_torch_function_unary(input) and not (_SUBCLASSES_COMPILE and is_dynamo_compiling()):
        return handle_torch_function(elu, (input,), input, alpha=alpha, inplace=inplace, save=save)
    if is_dynamo_compiling() or type(alpha) is not float:
        return _elu_of_any_alpha(input, alpha, inplace, save)
    return _C.elu(input, alpha, inplace, save != "input" and _saves_output(save))


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    r"""Scaled exponential linear unit, elementwise (Klambauer et al.,
    https://arxiv.org/abs/1706.02515).

    .. math:: \text{SELU}(x) = scale \cdot (\max(0, x) + \min(0, \alpha \cdot (e^x - 1)))

    with :math:`\alpha = 1.6732632423543772848170429916717` and :math:`scale =
    1.0507009873554804934193349852946`.

    Args:
        input: A tensor as for :func:`elu`.
        inplace: Overwrite ``input`` with the result. Default: ``False``

    Result, gradient and errors are as for :func:`elu`. The input is saved for backward, or the
    result with ``inplace``.

    >>> import torch, torch_elu
    >>> torch_elu.selu(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([-1.1113,  0.0000,  2.1014])
    """
    if has_torch_function_unary(input) and not (_SUBCLASSES_COMPILE and is_dynamo_compiling()):
        return handle_torch_function(selu, (input,), input, inplace=inplace)
    if is_dynamo_compiling():
        return _traceable_selu(input, inplace)
    return _C.selu(input, inplace)


def celu(
    input: Tensor, alpha: float | Tensor = 1.0, inplace: bool = False, *, save: str = "input"
) -> Tensor:
    r"""Continuously differentiable exponential linear unit, elementwise (Barron,
    https://arxiv.org/abs/1704.07483).

    .. math:: \text{CELU}(x) = \max(0, x) + \min(0, \alpha \cdot (e^{x / \alpha} - 1))

    Args:
        input: A tensor as for :func:`elu`.
        alpha: The result tends to -alpha as x goes to -infinity. Not 0. 1 / alpha is computed in
            double. May be a tensor as for :func:`elu`; where that is 0 the result is the limit,
            max(0, x). Default: 1.0
        inplace: Overwrite ``input`` with the result, and save that for backward. Default:
            ``False``
        save: What to save for backward, as for :func:`elu`. Default: ``"input"``

    Result and errors are as for :func:`elu`. RuntimeError if alpha is 0, or so small that 1 / alpha
    overflows. The gradient is :math:`1` for :math:`x > 0` and :math:`e^{x / \alpha}` for
    :math:`x \le 0`.

    >>> import torch, torch_elu
    >>> torch_elu.celu(torch.tensor([-1.0, 0.0, 2.0]), alpha=0.5)
    tensor([-0.4323,  0.0000,  2.0000])
    """
    if has_torch_function_unary(input) and not (_SUBCLASSES_COMPILE and is_dynamo_compiling()):
        return handle_torch_function(celu, (input,), input, alpha=alpha, inplace=inplace, save=save)
    if is_dynamo_compiling() or type(alpha) is not float:
        functions = (celu, _C.celu, _traceable_celu, F.celu)
        return _follow_alpha(functions, input, alpha, inplace, save)
    return _C.celu(input, alpha, inplace, save != "input" and _saves_output(save))


def elu_plus_one(input: Tensor) -> Tensor:
    r"""ELU + 1, elementwise: the feature map of linear attention (Katharopoulos et al.,
    https://arxiv.org/abs/2006.16236, equation 7).

    .. math:: \text{elu\_plus\_one}(x) = \begin{cases} x + 1 & x > 0 \\ e^x & x \le 0 \end{cases}

    This form has an error below one ulp and is positive for as long as :math:`e^x` is: down to
    -103.9 in float32, -92.5 in bfloat16, -17.3 in float16, -745.1 in float64. The sum ``elu(x) +
    1`` rounds to 0 below about -17 (float32), -6.3 (bfloat16), -8.4 (float16) or -37.5 (float64),
    and loses digits long before.

    Args:
        input: A float64, float32, float16 or bfloat16 tensor of any shape and layout. On the CPU
            and on CUDA this package's kernels compute it (float16 and bfloat16 in float32, rounded
            once), on other devices PyTorch's ``exp`` and ``add``.

    Returns:
        A tensor of the same shape, dtype and device, with the strides that :func:`elu` returns.

    Raises:
        NotImplementedError: for integer, bool and complex tensors. If these have no data (on the
            meta device or in a graph), RuntimeError.
        TypeError: if ``input`` is not a tensor.

    The gradient is :math:`1` for :math:`x > 0` and :math:`e^x` for :math:`x \le 0`, that is
    :math:`\min(y, 1)` of the result y. So the result is saved for backward: no accuracy is lost,
    and the matrix product after it saves it anyway. Writing to the result before backward is an
    error. Derivatives of any order exist. From the second on they jump at 0, and an x > 0 for which
    x + 1 rounds to 1 counts as 0.

    There is no variant in place or with ``out``. The input of a feature map is the result of a
    layer and is freed after it, so none is needed.

    >>> import torch, torch_elu
    >>> x = torch.tensor([-20.0, -1.0, 0.0, 2.0])
    >>> torch_elu.elu_plus_one(x)
    tensor([2.0612e-09, 3.6788e-01, 1.0000e+00, 3.0000e+00])
    >>> torch.nn.functional.elu(x) + 1
    tensor([0.0000, 0.3679, 1.0000, 3.0000])
    """
    if has_torch_function_unary(input) and not (_SUBCLASSES_COMPILE and is_dynamo_compiling()):
        return handle_torch_function(elu_plus_one, (input,), input)
    if is_dynamo_compiling():
        return _traceable_elu_plus_one(input)
    return _C.elu_plus_one(input)


def _elu_of_any_alpha(input: Tensor, alpha: Any, inplace: bool, save: str) -> Tensor:
    """For tracers, which need an operator, and for an alpha that is not a float."""
    functions = (elu, _C.elu, _traceable_elu, F.elu)
    return _follow_alpha(functions, input, alpha, inplace, save)


def _follow_alpha(
    functions: tuple[Callable[..., Tensor], ...],
    input: Tensor,
    alpha: Any,
    inplace: bool,
    save: str,
) -> Tensor:
    """Calls the function that keeps a tracer's hold on alpha, which need be no float."""
    function, direct, traceable, of_pytorch = functions
    if isinstance(alpha, Tensor) and (
        _is_more_than_a_number(alpha)
        # A fake one, for example, of which a tracer had better keep hold.
        or (type(alpha) not in (Tensor, Parameter) and save == "input" and not inplace)
    ):
        return _parametric(function, input, alpha, inplace, save)
    if isinstance(alpha, Tensor) and torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return of_pytorch(input, alpha, inplace)  # ours would hold alpha as a constant
    alpha = _number(alpha)
    if is_dynamo_compiling() or isinstance(alpha, torch.SymFloat | torch.SymInt):
        return traceable(input, alpha, inplace, save)
    return direct(input, alpha, inplace, _saves_output(save))


def _is_more_than_a_number(alpha: Tensor) -> bool:
    """Whether PyTorch's functions would refuse alpha, or lose what belongs to it."""
    return (
        alpha.dim() > 0
        or alpha.requires_grad
        or torch._C._functorch.is_batchedtensor(alpha)
        or _may_have_tangent(alpha)
    )


def _may_have_tangent(alpha: Tensor) -> bool:
    if is_dynamo_compiling():
        return False
    is_wrapped: bool = torch._C._functorch.is_functorch_wrapped_tensor(alpha)
    return is_wrapped or forward_ad._current_level >= 0


def _parametric(
    function: Callable[..., Tensor], input: Any, alpha: Tensor, inplace: bool, save: str
) -> Tensor:
    if has_torch_function_unary(alpha) and not (_SUBCLASSES_COMPILE and is_dynamo_compiling()):
        return handle_torch_function(
            function, (input, alpha), input, alpha=alpha, inplace=inplace, save=save
        )
    name = function.__name__
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}(): argument 'input' must be Tensor, not {type(input).__name__}")
    if _saves_output(save) or inplace:
        raise ValueError(
            f"torch_elu.{name} finds the gradient of an alpha that is a tensor from the input, so "
            'there is neither inplace=True nor save="output" beside it: leave these out, or pass '
            "alpha.item()."
        )
    divisor = alpha if function is celu else None
    return torch.ops.torch_elu.parametric_elu(input, alpha, divisor)


def _number(alpha: Any) -> Any:
    """What F.elu takes for a number, as one: a symbolic one where a tracer follows a tensor."""
    if isinstance(alpha, Tensor):
        return alpha.item()
    if is_dynamo_compiling() and not isinstance(alpha, int | float):
        if isinstance(alpha, Tensor | str | bytes):  # which float() would take
            raise TypeError(f"argument 'alpha' must be Number, not {type(alpha).__name__}")
        return float(alpha)
    return alpha


def _is_known_to_be_zero(alpha: float) -> bool:
    from torch.fx.experimental.symbolic_shapes import guard_or_false

    return guard_or_false(alpha == 0)


def _saves_output(save: str) -> bool:
    if save == "output":
        return True
    if save == "input":
        return False
    raise ValueError(f'save must be "input" or "output", but got "{save}"')


def _traceable(
    input: Tensor, alpha: float, scale: float, input_scale: float, inplace: bool, save: str
) -> Tensor:
    save_output = _saves_output(save)
    if inplace:
        return torch.ops.torch_elu.elu_(input, alpha, scale, input_scale)
    return torch.ops.torch_elu.elu(input, alpha, scale, input_scale, save_output=save_output)


def _traceable_elu(
    input: Tensor, alpha: float = 1.0, inplace: bool = False, save: str = "input"
) -> Tensor:
    return _traceable(input, alpha, 1.0, 1.0, inplace, save)


def _traceable_selu(input: Tensor, inplace: bool = False) -> Tensor:
    # As in selu.h: TorchScript takes no constants from outside of a function, and Dynamo makes
    # symbols of them where shapes are dynamic.
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    return _traceable(input, alpha, scale, 1.0, inplace, "input")


def _traceable_celu(
    input: Tensor, alpha: float = 1.0, inplace: bool = False, save: str = "input"
) -> Tensor:
    # An alpha that only data will tell is not compared: 1 / alpha then fails when it runs.
    is_zero = alpha == 0 if torch.jit.is_scripting() else _is_known_to_be_zero(alpha)  # type: ignore[attr-defined]
    if is_zero:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _traceable(input, alpha, 1.0, 1.0 / alpha, inplace, save)


def _traceable_elu_plus_one(input: Tensor) -> Tensor:
    return torch.ops.torch_elu.elu_plus_one(input)


# torch.jit.script compiles what __prepare_scriptable__ returns. (It takes no keyword-only
# arguments, nor the calls above.)
setattr(elu, "__prepare_scriptable__", lambda: _traceable_elu)  # noqa: B010
setattr(selu, "__prepare_scriptable__", lambda: _traceable_selu)  # noqa: B010
setattr(celu, "__prepare_scriptable__", lambda: _traceable_celu)  # noqa: B010
setattr(elu_plus_one, "__prepare_scriptable__", lambda: _traceable_elu_plus_one)  # noqa: B010

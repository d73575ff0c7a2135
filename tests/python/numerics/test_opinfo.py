"""PyTorch's own test inputs and references for elu, selu and celu, with our functions put in."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator

import pytest
import torch
import torch_elu
from references import DTYPES, SELU, Coefficients, celu
from torch.autograd import gradcheck, gradgradcheck

try:
    from torch.testing._internal import common_methods_invocations, common_modules
    from torch.testing._internal.opinfo.core import OpInfo, SampleInput
except ImportError as error:  # expecttest is missing, or PyTorch has moved them
    pytest.skip(
        f"PyTorch's own test machinery cannot be imported: {error}", allow_module_level=True
    )

NAMES = ("elu", "selu", "celu")
OPINFOS: dict[str, OpInfo] = {
    name: next(op for op in common_methods_invocations.op_db if op.name == f"nn.functional.{name}")
    for name in NAMES
}
MODULEINFOS = {
    info.name: info
    for info in common_modules.module_db
    if info.name in ("nn.ELU", "nn.SELU", "nn.CELU")
}
CASES = [("selu", {})] + [
    (name, {"alpha": a}) for name in ("elu", "celu") for a in (1.0, 0.3, 2.5, -0.7)
]
parametrize_cases = pytest.mark.parametrize(("name", "keywords"), CASES, ids=str)
parametrize_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def samples(name: str, kind: str, dtype: torch.dtype, **options: bool) -> Iterator[SampleInput]:
    yield from getattr(OPINFOS[name], kind)("cpu", dtype, **options)


def coefficients(name: str, keywords: dict[str, float]) -> Coefficients:
    return SELU if name == "selu" else (celu if name == "celu" else Coefficients)(keywords["alpha"])


# max(0, x) + min(0, ...) is another function where alpha is negative.
@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize(
    ("name", "keywords"), [case for case in CASES if case[1].get("alpha", 1.0) > 0], ids=str
)
def test_values_agree_with_pytorchs_own_reference(name: str, keywords: dict[str, float]) -> None:
    for sample in samples(name, "reference_inputs", torch.float64):
        y = getattr(torch_elu, name)(sample.input, **keywords)
        reference = torch.as_tensor(OPINFOS[name].ref(sample.input.numpy(), **keywords))
        # which computes exp(x) - 1
        torch.testing.assert_close(y, reference, rtol=4e-16, atol=1e-15, equal_nan=True)


@parametrize_cases
def test_gradients_of_the_sample_inputs_pass_gradcheck(
    name: str, keywords: dict[str, float]
) -> None:
    function = getattr(torch_elu, name)
    tried = 0
    for sample in samples(name, "sample_inputs", torch.float64, requires_grad=True):
        if sample.input.numel() and sample.input.abs().min() < 1e-3:
            continue  # finite differences would straddle the kink
        call = functools.partial(function, **{**sample.kwargs, **keywords})
        assert gradcheck(call, sample.input, check_forward_ad=True, check_batched_grad=True)
        assert gradgradcheck(call, sample.input, check_fwd_over_rev=True)
        tried += 1
    assert tried >= 2


MODULE_OPTIONS: list[tuple[str, dict[str, object]]] = [
    (name, {"inplace": inplace, **save})
    for name, inplace in itertools.product(("ELU", "SELU", "CELU"), (False, True))
    for save in ([{}] if name == "SELU" else [{}, {"save": "output"}])
]


@pytest.mark.parametrize(("name", "options"), MODULE_OPTIONS, ids=str)
@pytest.mark.parametrize("training", [False, True])
def test_modules_agree_with_the_module_references(
    name: str, options: dict[str, object], training: bool
) -> None:
    info = MODULEINFOS[f"nn.{name}"]
    make: Callable[..., torch.nn.Module] = getattr(torch_elu, name)
    for module_input in info.module_inputs_func(info, "cpu", torch.float64, False, training):
        arguments = module_input.constructor_input
        module = make(*arguments.args, **{**arguments.kwargs, **options}).train(training)
        theirs = info.module_cls(*arguments.args, **arguments.kwargs).train(training)
        (x,) = module_input.forward_input.args
        inputs = [x.clone().requires_grad_() for _ in range(2)]
        y, expected = module(inputs[0] * 1), theirs(inputs[1])
        torch.testing.assert_close(y, expected)
        if module_input.reference_fn is not None and not options["inplace"]:
            torch.testing.assert_close(y, module_input.reference_fn(theirs, x))
        grads = [
            torch.autograd.grad(z.sum(), i)[0] for z, i in zip((y, expected), inputs, strict=True)
        ]
        torch.testing.assert_close(*grads)

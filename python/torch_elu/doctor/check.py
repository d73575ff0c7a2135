"""``python -m torch_elu check``: whether this installation does what it should, part by part."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.testing import assert_close

from .._library import cmake_prefix_path, include_paths, without_cuda
from ..conversion import convert
from ..functional import celu, elu, selu
from ..modules import ELU
from ..override import override_aten

X = torch.tensor([-math.inf, -100.0, -3.7, -1.0, -1e-3, -1e-20, 0.0, 0.5, math.inf, math.nan])
# PyTorch's own elu gives other bits at some of them.
SPREAD = torch.linspace(-5, 1, 4096)
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


class Skipped(Exception):
    """Says why something cannot be checked here."""


def _expect_bits_of_elu(result: Tensor, x: Tensor = SPREAD) -> None:
    assert_close(result, elu(x), rtol=0, atol=0, equal_nan=True)


def _values() -> None:
    for dtype in DTYPES:
        x = X.to(dtype)
        of_python = [y if y > 0 else math.expm1(y) for y in x.tolist()]
        expected = torch.tensor(of_python, dtype=torch.float64).to(dtype)
        assert_close(elu(x), expected, rtol=torch.finfo(dtype).eps, atol=0, equal_nan=True)


def _derivatives() -> None:
    x = torch.tensor([-3.0, -0.5, 0.5, 2.0], dtype=torch.float64, requires_grad=True)
    for function in (elu, selu, celu):
        torch.autograd.gradcheck(function, x)
        torch.autograd.gradgradcheck(function, x)


def _cuda() -> None:
    if not torch.cuda.is_available():
        raise Skipped("no GPU is available to PyTorch")
    on_gpu = {dtype: elu(X.to("cuda", dtype)).cpu() for dtype in DTYPES}
    if without_cuda:
        raise Skipped(f"CUDA kernels {without_cuda}: GPUs use PyTorch's own elu")
    for dtype, result in on_gpu.items():
        _expect_bits_of_elu(result, X.to(dtype))


def _torchscript() -> None:
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(ELU()), file)
    file.seek(0)
    _expect_bits_of_elu(torch.jit.load(file)(SPREAD))


def _compile() -> None:
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        result = torch.compile(elu, fullgraph=True)(SPREAD)
    except Exception as error:
        if any(isinstance(each, InvalidCxxCompiler) for each in _wrapped_in(error)):
            raise Skipped("Inductor finds no C++ compiler") from error
        raise
    _expect_bits_of_elu(result)


def _wrapped_in(error: BaseException) -> list[BaseException]:
    """The error, and those that Inductor and TorchDynamo have wrapped in it."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and each not in found:
            found.append(each)
            waiting += [each.__cause__, each.__context__, getattr(each, "inner_exception", None)]
    return found


def _existing_models() -> None:
    _expect_bits_of_elu(convert(nn.Sequential(nn.ELU()))(SPREAD))
    with override_aten():
        result = nn.functional.elu(SPREAD)
    _expect_bits_of_elu(result)


def _cmake_package() -> None:
    headers = [Path(folder, "torch_elu", "torch_elu.h") for folder in include_paths()]
    for path in [*headers, Path(cmake_prefix_path, "TorchELU", "TorchELUConfig.cmake")]:
        path.open("rb").close()


CHECKS: dict[str, Callable[[], None]] = {
    "CPU": _values,
    "autograd": _derivatives,
    "CUDA": _cuda,
    "TorchScript": _torchscript,
    "torch.compile": _compile,
    "existing models": _existing_models,
    "C++": _cmake_package,
}


def results() -> Iterator[tuple[str, str, str]]:
    """For each check "ok", "skipped" or "FAILED", its name, and why."""
    for name, check in CHECKS.items():
        status, why = "ok", ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PyTorch's own deprecations
                check()
        except Skipped as reason:
            status, why = "skipped", str(reason)
        except Exception as error:
            status, why = "FAILED", f"{type(error).__name__}: {error}"
        yield status, name, why

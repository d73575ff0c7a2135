"""``python -m torch_elu check``: whether this installation does what it should, part by part."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from .. import _build_info
from .._library import cmake_prefix_path, include_paths, library_path
from ..conversion import convert
from ..functional import celu, elu, selu
from ..modules import ELU
from ..override import override_aten

INPUTS = [-math.inf, -100.0, -20.0, -3.7, -1.0, -0.3, -1e-3, -1e-20, -0.0]
INPUTS += [0.0, 1e-20, 0.5, 1.0, 88.5, math.inf, math.nan]
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


class Skipped(Exception):
    """Says why something cannot be checked here."""


def expect(holds: bool, otherwise: str) -> None:
    """Raises where something does not hold."""
    if not holds:
        raise RuntimeError(otherwise)


def expect_same_bits(result: Tensor, expected: Tensor, what: str) -> None:
    """Bit by bit, but that one NaN is as good as another."""

    def bits(tensor: Tensor) -> Tensor:
        return torch.where(tensor.isnan(), torch.nan, tensor).contiguous().view(torch.uint8)

    same = torch.equal(bits(result), bits(expected))
    expect(same, f"{what} gives {result.tolist()} instead of {expected.tolist()}")


def inputs(dtype: torch.dtype = torch.float32) -> Tensor:
    """Numbers from all parts of the function."""
    return torch.tensor(INPUTS, dtype=torch.float64).to(dtype)


def expect_values(x: Tensor, result: Tensor) -> None:
    """Compares with Python's own expm1 in float64, to the unit in the last place and the sign."""
    of_python = [y if y > 0 else math.expm1(y) for y in x.tolist()]
    exact = torch.tensor(of_python, dtype=torch.float64)
    rounded = exact.to(x.dtype)
    infinity = torch.tensor(math.inf, dtype=x.dtype)
    # The halves are rounded correctly; float64's expected value carries an error of its own.
    ulps = {torch.float64: 2, torch.float32: 1}.get(x.dtype, 0)
    lowest, highest = rounded, rounded
    for _ in range(ulps):
        lowest, highest = lowest.nextafter(-infinity), highest.nextafter(infinity)
    right = (lowest <= result) & (result <= highest) | (result.isnan() & x.isnan())
    right &= (rounded != 0) | (result.signbit() == rounded.signbit())
    expect(bool(right.all()), f"elu({x[~right].tolist()}) gives {result[~right].tolist()}")


def check_library() -> str:
    expect(library_path in torch.ops.loaded_libraries, f"{library_path} is not loaded")
    built = _build_info.torch_version
    return f"{torch.ops.torch_elu.version()}, built with PyTorch {built}: {library_path}"


def check_cpu() -> str:
    for dtype in DTYPES:
        x = inputs(dtype)
        expect_values(x, elu(x))
        expect_same_bits(elu(x.repeat_interleave(2)[::2]), elu(x), "a strided tensor")
    names = ", ".join(str(dtype).removeprefix("torch.") for dtype in DTYPES)
    return f"{torch.ops.torch_elu.cpu_capability()}: {names}"


def check_autograd() -> str:
    x = torch.tensor([-3.0, -0.5, 0.5, 2.0], dtype=torch.float64, requires_grad=True)
    for function in (elu, selu, celu):
        torch.autograd.gradcheck(function, x)
        torch.autograd.gradgradcheck(function, x)
    return "first and second derivatives of elu, selu, celu agree with differences"


def check_cuda() -> str:
    if not torch.cuda.is_available():
        raise Skipped("no GPU is available to PyTorch")
    for dtype in DTYPES:
        x = inputs(dtype)
        on_gpu = elu(x.cuda()).cpu()
        if _build_info.cuda_version:
            expect_same_bits(on_gpu, elu(x), f"{dtype} on the GPU")
    if not _build_info.cuda_version:
        raise Skipped("built without CUDA kernels: CUDA tensors use PyTorch's own elu")
    return f"{torch.cuda.get_device_name()}: the bits of the CPU"


def check_torchscript() -> str:
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(ELU()), file)
    file.seek(0)
    expect_same_bits(torch.jit.load(file)(inputs()), elu(inputs()), "the loaded model")
    return "scripted, saved, loaded: the same bits"


def check_compile() -> str:
    def step(x: Tensor) -> Tensor:
        y: Tensor = elu(x)
        return y

    from torch._inductor.exc import InvalidCxxCompiler

    try:
        result = torch.compile(step, fullgraph=True)(inputs())
    except Exception as error:
        causes = (error, error.__cause__, getattr(error, "inner_exception", None))
        if any(isinstance(cause, InvalidCxxCompiler) for cause in causes):
            raise Skipped("Inductor finds no C++ compiler") from error
        raise
    expect_same_bits(result, elu(inputs()), "the compiled function")
    return "without a graph break: the same bits"


def check_existing_models() -> str:
    model = convert(nn.Sequential(nn.ELU()))
    expect(type(model[0]) is ELU, f"convert made {type(model[0])} of torch.nn.ELU")
    x = torch.linspace(-5, 0, 4096)  # PyTorch's own gives other bits at some of them
    with override_aten():
        same = torch.equal(nn.functional.elu(x), elu(x))
    expect(same, "F.elu under override_aten does not give the bits of elu")
    return "convert, override_aten"


def check_cmake_package() -> str:
    headers = [Path(folder, "torch_elu", "torch_elu.h") for folder in include_paths()]
    for path in [*headers, Path(cmake_prefix_path, "TorchELU", "TorchELUConfig.cmake")]:
        expect(path.is_file(), f"{path} is missing")
    return cmake_prefix_path


CHECKS: dict[str, Callable[[], str]] = {
    "library": check_library,
    "CPU": check_cpu,
    "autograd": check_autograd,
    "CUDA": check_cuda,
    "TorchScript": check_torchscript,
    "torch.compile": check_compile,
    "existing models": check_existing_models,
    "C++": check_cmake_package,
}


def results() -> Iterator[tuple[str, str, str]]:
    """For each check "ok", "skipped" or "FAILED", its name, and what it found."""
    for name, check in CHECKS.items():
        try:
            with warnings.catch_warnings():
                # PyTorch's own deprecations.
                warnings.simplefilter("ignore")
                found = check()
        except Skipped as reason:
            yield "skipped", name, str(reason)
        except Exception as error:
            yield "FAILED", name, f"{type(error).__name__}: {error}"
        else:
            yield "ok", name, found

"""On a GPU: streams, graphs, devices and errors."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch_elu
from conftest import RunPython

if not torch.ops.torch_elu.cuda_version():
    pytest.skip("this build has no CUDA kernels", allow_module_level=True)
if not torch.cuda.is_available():
    pytest.skip("no GPU is available to PyTorch", allow_module_level=True)

ops = torch.ops.torch_elu


def test_kernels_run_on_the_current_stream() -> None:
    x = torch.zeros(1000, device="cuda")
    late, ones = torch.full_like(x, -1.0), torch.ones_like(x)

    def calls() -> tuple[torch.Tensor, ...]:
        return ops.elu(x), ops.elu_backward(ones, 1, 1, 1, False, x), ops.elu(x[::2])

    calls()  # a kernel is loaded when it first runs, and that waits for the GPU
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)
        x.copy_(late)
        copied = stream.record_event()
        # On another stream these would run now, and see zeros.
        y, grad, strided = calls()
        assert not copied.query(), "a call waited until the GPU was done"
    stream.synchronize()
    assert bool((y < -0.6).all())
    assert bool((grad < 0.4).all())
    assert bool((strided < -0.6).all())


def test_nothing_waits_for_the_gpu() -> None:
    x = torch.randn(1 << 20, device="cuda", requires_grad=True)
    grad_output = torch.ones_like(x)

    def calls() -> None:
        x.grad = None
        torch_elu.elu(x).backward(grad_output)
        torch_elu.elu(x.detach()[::3], inplace=True)

    calls()  # a kernel is loaded when it first runs, PyTorch's own among them, and that waits
    torch.cuda.synchronize()
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        torch.cuda._sleep(2_000_000_000)
        started = torch.cuda.Event()
        started.record()
        calls()
        assert not started.query(), "a call waited until the GPU was done"
    finally:
        torch.cuda.set_sync_debug_mode(before)
    torch.cuda.synchronize()


def test_a_cuda_graph_replays_forward_and_backward() -> None:
    x = torch.randn(3000, device="cuda", requires_grad=True)
    grad_output = torch.randn_like(x)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            torch.autograd.grad(torch_elu.elu(x), x, grad_output)
            torch_elu.elu(x.detach()[1::2])
    torch.cuda.current_stream().wait_stream(side)

    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = torch_elu.elu(x)
        strided = torch_elu.elu(x.detach()[1::2])
        (grad,) = torch.autograd.grad(y, x, grad_output)
    for _ in range(2):
        with torch.no_grad():
            x.normal_()
        graph.replay()
        expected = torch_elu.elu(x)
        assert torch.equal(y, expected)
        assert torch.equal(strided, expected[1::2])
        assert torch.equal(grad, torch.autograd.grad(expected, x, grad_output)[0])


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_a_tensor_on_another_gpu_is_computed_there() -> None:
    with torch.cuda.device(0):
        x = torch.randn(1000, device="cuda:1", requires_grad=True)
        y = torch_elu.elu(x)
        y.sum().backward()
        assert y.device == x.device
        assert torch.cuda.current_device() == 0
        assert torch.equal(y.cpu(), torch_elu.elu(x.cpu()))


@pytest.mark.parametrize("dtype", [torch.int32, torch.bool, torch.complex64], ids=str)
def test_other_dtypes_raise_not_implemented(dtype: torch.dtype) -> None:
    x = torch.zeros(3, device="cuda").to(dtype)
    for call in (
        torch_elu.elu,
        lambda x: torch_elu.elu(x, inplace=True),
        lambda x: ops.elu_backward(x, 1, 1, 1, False, x),
    ):
        with pytest.raises(NotImplementedError, match=r"torch_elu::elu.*not implemented for"):
            call(x)


def test_tensors_on_two_devices_are_an_error() -> None:
    x, other = torch.ones(3, device="cuda"), torch.ones(3)
    for call in (
        lambda: ops.elu.out(x, out=other),
        lambda: ops.elu.out(other, out=x),
        lambda: ops.elu_backward(other, 1, 1, 1, False, x),
        lambda: ops.elu_backward(x, 1, 1, 1, False, other),
    ):
        with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
            call()


def test_a_launch_that_fails_is_an_error(tmp_path: Path, run_python: RunPython) -> None:
    """A library that is loaded first has a function in place of CUDA's, which refuses to launch."""
    compiler = shlex.split(os.environ.get("CXX") or "c++")
    source, library = tmp_path / "refuse.cpp", tmp_path / "refuse.so"
    source.write_text(
        'extern "C" int cudaLaunchKernelExC(const void*, const void*, void**) { return 701; }'
    )
    subprocess.run([*compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    script = """
import torch, torch_elu
ops = torch.ops.torch_elu
x = torch.empty(100, device="cuda")
for x in (x, x[::2]):
    for call in (lambda: ops.elu(x), lambda: ops.elu_backward(x, 1, 1, 1, False, x)):
        try:
            call()
        except RuntimeError as error:
            assert "too many resources requested for launch" in str(error), error
        else:
            raise SystemExit("no error")
"""
    run_python("-c", script, LD_PRELOAD=str(library))


def test_an_output_that_overlaps_itself_or_the_input_is_an_error() -> None:
    x = torch.ones(10, device="cuda")
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        ops.elu_(x[:1].expand(4))
    with pytest.raises(RuntimeError, match="unsupported operation"):
        ops.elu.out(x[1:], out=x[:-1])


def test_too_many_dimensions_are_an_error_that_says_what_to_do() -> None:
    shape = (2,) * 26
    x = torch.zeros(shape, dtype=torch.float16, device="cuda")
    out = torch.empty(shape, dtype=torch.float16, device="cuda").permute(*range(25, -1, -1))
    with pytest.raises(RuntimeError, match=r"at most 25 dimensions.*contiguous"):
        ops.elu.out(x, out=out)


def test_out_of_another_size_is_resized_with_a_warning(
    said_by: Callable[[Callable[[], object]], list[str]],
) -> None:
    x, out = torch.tensor([-1.0, 2.0], device="cuda"), torch.empty(5, device="cuda")
    said = said_by(lambda: ops.elu.out(x, out=out))
    assert sum("was resized since it had shape [5]" in text for text in said) == 1
    assert torch.equal(out, torch_elu.elu(x))

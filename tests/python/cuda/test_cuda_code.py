"""What the compiler made of the CUDA kernels: no GPU is needed to read it."""

from __future__ import annotations

import re

import pytest
from cuda_code import Kernel, architectures, cuobjdump, kernels, run_cuobjdump
from torch_elu import _build_info

if not _build_info.cuda_version:
    pytest.skip("this build has no CUDA kernels", allow_module_level=True)
if cuobjdump() is None:
    pytest.skip("cuobjdump is not here", allow_module_level=True)

parametrize_architectures = pytest.mark.parametrize("architecture", architectures())

REGISTERS, THREADS_OF_BLOCK = 65536, 128  # of a multiprocessor; kThreads


def compute_capability(architecture: str) -> int:
    return int(re.findall(r"\d+", architecture)[0])


def test_code_for_the_listed_architectures_and_ptx_are_there() -> None:
    listed = run_cuobjdump("--list-elf", "--list-ptx")
    for architecture, has_ptx in architectures().items():
        assert re.search(rf"\b{architecture}\.cubin", listed), listed
        assert bool(re.search(rf"\b{architecture}\.ptx", listed)) == has_ptx, listed


@parametrize_architectures
def test_there_is_a_kernel_for_every_layout_dtype_and_function(architecture: str) -> None:
    found = {str(kernel) for kernel in kernels(architecture)}
    functions = ["Value", "Backward", "BackwardFromResult", "GeneralValue", "GeneralBackward"]
    functions += ["PlusOneValue", "PlusOneBackward", "RoundedValue", "RoundedBackward"]

    def layouts(size: int) -> dict[str, tuple[int, ...]]:
        return {"dense": (32, 16, size), "staged": (16,), "strided": (16, size)}

    assert found == {
        f"{layout}<{alignment}, {dtype}, {function}>"
        for dtype, size in {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}.items()
        for layout, alignments in layouts(size).items()
        for alignment in alignments
        for function in functions
        if not (layout == "staged" and function.startswith("General"))
        if size > 2 or not function.startswith("Rounded")
    }


@parametrize_architectures
def test_no_kernel_uses_local_memory(architecture: str) -> None:
    for kernel in kernels(architecture):
        assert (kernel.stack, kernel.local) == (0, 0), kernel
        assert kernel.count("LDL", "STL") == 0, kernel


def threads_of_multiprocessor(architecture: str) -> int:
    """At most: the compute capabilities' table in CUDA's programming guide."""
    capability = compute_capability(architecture)
    if capability == 75:
        return 1024
    return 1536 if 80 < capability < 90 or capability >= 110 else 2048


def threads_at_once(kernel: Kernel) -> int:
    """How many the registers allow, which a thread gets in eights."""
    registers = -(-kernel.registers // 8) * 8
    return REGISTERS // (registers * THREADS_OF_BLOCK) * THREADS_OF_BLOCK


@parametrize_architectures
def test_registers_leave_room_for_the_threads_that_hide_latency(architecture: str) -> None:
    for kernel in kernels(architecture):
        has_32_bytes = compute_capability(architecture) >= 100 and kernel.layout == "dense"
        if kernel.takes_general_path:
            threads = 512 if compute_capability(architecture) >= 100 else 768
        elif kernel.layout == "strided":
            threads = 1280
        elif kernel.alignment == 32 or has_32_bytes:
            threads = 1024 if kernel.inputs == 1 else 768
        else:
            threads = 2048
        full = threads_of_multiprocessor(architecture)
        assert threads_at_once(kernel) >= min(threads, full), (kernel, kernel.registers)


@parametrize_architectures
def test_aligned_operands_are_accessed_as_widely_as_the_architecture_can(architecture: str) -> None:
    nvcc = tuple(map(int, _build_info.cuda_version.split(".")))
    widest = 32 if compute_capability(architecture) >= 100 and nvcc >= (12, 9) else 16
    for kernel in kernels(architecture):
        width = min(widest, kernel.alignment) if kernel.is_wide else kernel.element_size
        # The elements at the edges of a run are done one by one.
        edges = set() if kernel.layout == "strided" else {kernel.element_size}
        assert kernel.widths("STG") == {width} | edges, kernel
        if is_copied_to_shared_memory(kernel, architecture):
            assert kernel.widths("LDG") == edges, kernel
            assert kernel.widths("LDGSTS") == kernel.widths("LDS") == {width}, kernel
        else:
            assert kernel.widths("LDG") == {width} | edges, kernel


def is_copied_to_shared_memory(kernel: Kernel, architecture: str) -> bool:
    """Before compute capability 8.0 there is no instruction for it."""
    return kernel.layout == "staged" and compute_capability(architecture) >= 80


@parametrize_architectures
def test_no_operation_is_approximate_or_flushes_subnormals(architecture: str) -> None:
    for kernel in kernels(architecture):
        assert not [i for i in kernel.instructions if ".FTZ" in i], kernel
        assert kernel.count("MUFU", "RRO") == 0, kernel

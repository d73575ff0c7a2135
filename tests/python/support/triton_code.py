"""The Triton kernels that Inductor makes, compiled for a GPU that need not be here."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import triton
from torch import Tensor
from torch._inductor.debug import DebugContext
from torch._inductor.decomposition import select_decomp_table
from torch._inductor.graph import GraphLowering
from torch._inductor.runtime.hints import DeviceProperties
from torch._inductor.virtualized import V
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

HOPPER = DeviceProperties(
    type="cuda", index=0, multi_processor_count=132, cc=90, major=9, warp_size=32,
    regs_per_multiprocessor=65536, max_threads_per_multi_processor=2048,
)  # fmt: skip
BLOCK, WARPS = 1024, 4
PER_THREAD = BLOCK // (WARPS * 32)
IMPORTS = """import triton
import triton.language as tl
from torch._inductor.runtime import triton_helpers
from torch._inductor.runtime.triton_helpers import libdevice, math as tl_math

@triton.jit
"""


def source_of(function: Callable[..., Tensor], inputs: int, dtype: torch.dtype) -> str:
    """The function of the one kernel."""
    with (
        mock.patch.object(DeviceProperties, "create", return_value=HOPPER),
        mock.patch("torch._inductor.scheduler.has_triton", return_value=True),
        mock.patch("torch.utils._triton.triton_hash_with_backend", return_value=""),
        mock.patch("torch.cuda.get_device_capability", return_value=(9, 0)),
        mock.patch("torch.cuda.get_device_properties", return_value=HOPPER),
        FakeTensorMode() as mode,
    ):
        tensors = [torch.empty(1 << 20, dtype=dtype, device="cuda") for _ in range(inputs)]
        traced = make_fx(function, decomposition_table=select_decomp_table())(*tensors)
        graph = GraphLowering(traced, example_inputs=tensors, shape_env=ShapeEnv())
        with (
            V.set_graph_handler(graph),
            V.set_fake_mode(mode),
            V.set_debug_handler(DebugContext()),
        ):
            graph.run(*tensors)
            wrapper = graph.codegen()[0]
    (kernel,) = re.findall(
        r"\n(def triton_.*?)\n'''", getattr(wrapper, "value", wrapper), re.DOTALL
    )
    return str(kernel)


def compile_for_hopper(source: str, dtype: torch.dtype, folder: Path) -> Any:
    path = folder / "kernel.py"
    path.write_text(IMPORTS + source)
    spec = importlib.util.spec_from_file_location("kernel", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (name,) = re.findall(r"def (triton_\w+)", source)
    function = getattr(module, name)
    pointer = {torch.float64: "*fp64", torch.float32: "*fp32"}[dtype]
    types = {
        argument: pointer if "ptr" in argument else "i32" if argument == "xnumel" else "constexpr"
        for argument in function.arg_names
    }
    aligned = [i for i, argument in enumerate(types) if types[argument] != "constexpr"]
    kernel = ASTSource(
        function,
        types,
        constexprs={(function.arg_names.index("XBLOCK"),): BLOCK},
        attrs={(i,): [["tt.divisibility", 16]] for i in aligned},
    )
    target = GPUTarget("cuda", 90, 32)
    return triton.compile(kernel, target=target, options={"num_warps": WARPS})


def instructions(kernel: Any, folder: Path) -> Counter[str]:
    """Of the machine code, without those that fill it up."""
    binary = folder / "kernel.cubin"
    binary.write_bytes(kernel.asm["cubin"])
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    run = subprocess.run([tool, "-sass", binary], capture_output=True, text=True, check=True)
    names = re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+ )?([A-Z0-9]+)", run.stdout)
    return Counter(name for name in names if name != "NOP")

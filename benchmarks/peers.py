"""ELU in other frameworks, float32 on one thread; each is left out where it is not installed."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from typing import Any

import torch
from torch import Tensor
from torch_elu.doctor.timing import Contender

MODULES = {
    "LiteRT": ["ai_edge_litert", "flatbuffers"],
    "onnxruntime": ["onnxruntime", "onnx"],
    "JAX": ["jax"],
}


def litert(x: Tensor) -> Contender:
    """XNNPACK's kernel, in a model of one operator; it has buffers of its own."""
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(
        model_content=litert_model(x.numel()), num_threads=1
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(0, x.numpy())
    interpreter.invoke()
    check(torch.from_numpy(interpreter.get_tensor(1)), x, "LiteRT")
    return Contender("LiteRT", "invoke()", {"invoke": interpreter.invoke})


def litert_model(numel: int) -> bytes:
    """A TFLite file with one ELU."""
    schema = importlib.import_module("ai_edge_litert.schema_py_generated")

    def table(kind: str, **fields: object) -> Any:
        result = getattr(schema, kind)()
        for name, value in fields.items():
            setattr(result, name, value)
        return result

    elu = schema.BuiltinOperator.ELU
    tensors = [
        table("TensorT", name=name, shape=[numel], type=schema.TensorType.FLOAT32)
        for name in ("input", "output")
    ]
    graph = table(
        "SubGraphT",
        tensors=tensors,
        inputs=[0],
        outputs=[1],
        operators=[table("OperatorT", opcodeIndex=0, inputs=[0], outputs=[1])],
    )
    model = table(
        "ModelT",
        version=3,
        operatorCodes=[table("OperatorCodeT", builtinCode=elu, deprecatedBuiltinCode=elu)],
        subgraphs=[graph],
        buffers=[table("BufferT")],
    )
    builder = importlib.import_module("flatbuffers").Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def onnxruntime(x: Tensor) -> Contender:
    """Input and output are bound, so that nothing is copied or allocated."""
    out = torch.empty_like(x)
    session = onnxruntime_session()
    binding = session.io_binding()
    float32 = x.numpy().dtype
    binding.bind_input("x", "cpu", 0, float32, list(x.shape), x.data_ptr())
    binding.bind_output("y", "cpu", 0, float32, list(out.shape), out.data_ptr())
    session.run_with_iobinding(binding)
    check(out, x, "onnxruntime")
    names = {"run": session.run_with_iobinding, "binding": binding, "kept": (x, out)}
    return Contender("onnxruntime", "run(binding)", names)


@functools.cache
def onnxruntime_session() -> Any:
    """A session for a model of one Elu of any length."""
    onnx, ort = importlib.import_module("onnx"), importlib.import_module("onnxruntime")
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["length"])
        for name in ("x", "y")
    ]
    node = onnx.helper.make_node("Elu", ["x"], ["y"])
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "elu", ends[:1], ends[1:]),
        opset_imports=[onnx.helper.make_opsetid("", 17)],
        ir_version=8,
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    return ort.InferenceSession(model.SerializeToString(), options, providers=providers)


def jax(x: Tensor) -> Contender:
    """The previous output is donated to the next call, which makes it preallocated."""
    numpy, elu = jax_elu()
    array = numpy.asarray(x.numpy())
    outs = [numpy.zeros_like(array)]
    outs[0] = elu(array, outs[0])
    check(torch.utils.dlpack.from_dlpack(outs[0]), x, "JAX")
    return Contender("JAX", "outs[0] = elu(x, outs[0])", {"elu": elu, "x": array, "outs": outs})


@functools.cache
def jax_elu() -> tuple[Any, Any]:
    """jax.numpy, and a compiled jax.nn.elu."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    jax = importlib.import_module("jax")
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    elu = jax.jit(lambda x, out: jax.nn.elu(x), donate_argnums=1, keep_unused=True)
    return importlib.import_module("jax.numpy"), elu


def check(result: Tensor, x: Tensor, name: str) -> None:
    """Makes sure that a model does what it is timed for."""
    if not torch.allclose(result, torch.nn.functional.elu(x), atol=1e-6):
        raise RuntimeError(f"{name} does not compute elu")


def contenders(x: Tensor) -> list[Contender]:
    """Those that are installed."""
    builders = {"LiteRT": litert, "onnxruntime": onnxruntime, "JAX": jax}
    return [
        builder(x)
        for name, builder in builders.items()
        if all(map(importlib.util.find_spec, MODULES[name]))
    ]

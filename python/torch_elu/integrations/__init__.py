"""What other packages and parts of PyTorch are told of the operators once they are imported."""

from . import dtensor, dynamo, inductor, jagged, onnx, tools
from .after_import import AfterImport

AfterImport(
    {
        "torch._dynamo": dynamo.register,
        "torch._inductor.lowering": inductor.register,
        "torch._functorch.partitioners": inductor.register_with_partitioner,
        "torch.nested._internal.ops": jagged.register,
        "torch.distributed.tensor": dtensor.register,
        "torch.onnx": onnx.register_for_torchscript,
        "onnxscript.function_libs.torch_lib.registration": onnx.register_for_dynamo,
        **tools.registrations(),
    }
)

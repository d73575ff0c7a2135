"""A folder of csrc/ includes only what stands below it, and tools/layers.py sees what does not."""

import pytest

from tools import layers


def test_csrc_keeps_to_its_layers() -> None:
    includes = layers.read()
    assert len(includes) > 40
    assert layers.errors(includes) == []
    assert len(layers.pairs(includes)) <= layers.MOST_PAIRS


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("math/number.h", "c10/util/Half.h"),
        ("kernels/cuda/offsets.h", "ATen/core/Tensor.h"),
        ("kernels/cpu/kernels.h", "torch/library.h"),
        ("dispatch/operands.h", "math/formula.h"),
        ("dispatch/meta.cpp", "math/number.h"),
        ("api/nn.cpp", "math/general.h"),
        ("dispatch/autograd.cpp", "dispatch/capability.h"),  # which includes a kernel's header
        ("dispatch/autograd_node.h", "kernels/cpu/kernels.h"),
        ("math/number.h", "kernels/cpu/kernels.h"),
        ("kernels/cpu/kernels.h", "kernels/cuda/offsets.h"),
        ("dispatch/cpu.h", "existing/copy_module.h"),
        ("include/torch_elu/nn.h", "dispatch/operands.h"),
        ("existing/convert.cpp", "copy_module.h"),
    ],
)
def test_an_include_that_breaks_a_rule_is_an_error(file: str, name: str) -> None:
    includes = layers.read()
    includes[file].append(name)
    assert any(error.startswith(file) for error in layers.errors(includes))

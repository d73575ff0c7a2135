"""How jagged nested tensors take the backward: the other operators they take by their tag."""

from __future__ import annotations

import torch

from .. import _library  # noqa: F401  (loading the library registers the operators)


def register() -> None:
    """Once jagged tensors are there."""
    from torch.nested._internal import ops

    # As aten::elu_backward, whose two tensors are not its first two arguments either.
    operator = torch.ops.torch_elu.elu_backward.default
    ops.register_jagged_func(operator, "self: jt_all, ...")(ops.activation_backward)

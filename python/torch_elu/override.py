"""Puts this package's kernels under PyTorch's own operators."""

from __future__ import annotations

from types import TracebackType

import torch

from . import _C, _library  # noqa: F401  (_C needs the library)


class override_aten:
    """Puts this package's CPU kernels under PyTorch's ``aten::elu``.

    :func:`torch.nn.functional.elu`, :func:`~torch.nn.functional.selu`,
    :func:`~torch.nn.functional.celu` and their modules then run this package's kernels on the CPU,
    with its bits: in the code of other packages, in TorchScript models, under :func:`torch.vmap`,
    :func:`torch.func.jvp` and autograd. The operators are ``aten::elu``, ``elu_``, ``elu.out``,
    ``elu_backward`` and ``elu_backward.grad_input``. Errors, layouts and autograd are unchanged.

    The override begins with the call and holds for the whole process. As a context manager it ends
    with the block, otherwise with :meth:`remove`. Overrides nest and may end in any order. One that
    is entered again inside its own block ends with the outer block.

    Code compiled by Inductor (:func:`torch.compile`'s default, AOTInductor) does not call
    ``aten::elu`` and is unaffected: use :func:`torch_elu.elu` there.

    Other threads may call these operators while an override begins or ends. If another library has
    registered a CPU kernel for ``aten::elu``, that kernel keeps running.

    Args:
        cuda: Override the CUDA kernels too. Raises :exc:`RuntimeError` if this installation has no
            CUDA kernels. Default: ``False``

    >>> import torch, torch_elu
    >>> with torch_elu.override_aten():
    ...     y = torch.nn.functional.elu(torch.tensor([-1.0, 2.0]))
    >>> y
    tensor([-0.6321,  2.0000])
    >>> override = torch_elu.override_aten()  # from here on
    >>> override.remove()
    """

    def __init__(self, *, cuda: bool = False) -> None:
        self._cuda = cuda
        if cuda and not torch.ops.torch_elu.cuda_version():
            raise RuntimeError(
                "override_aten(cuda=True) expected a torch_elu with CUDA kernels, but this one has "
                "none (python -m torch_elu says why). Without cuda=True, CUDA tensors keep "
                "PyTorch's kernels."
            )
        # One for each block; the first block takes over that of the call.
        self._of_call = [_C.OverrideAten(cuda)]
        self._of_blocks: list[_C.OverrideAten] = []
        _in_force.add(self)

    def remove(self) -> None:
        """Ends this override. PyTorch's kernels are back once all have ended."""
        self._of_call.clear()
        self._of_blocks.clear()
        _in_force.discard(self)

    def __enter__(self) -> override_aten:
        try:
            override = self._of_call.pop()
        except IndexError:
            override = _C.OverrideAten(self._cuda)
        self._of_blocks.append(override)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        del self._of_blocks[-1:]  # none is left after remove()
        _in_force.discard(self)


# Keeps an override alive when the caller drops it; inside `with` the block holds it.
_in_force: set[override_aten] = set()

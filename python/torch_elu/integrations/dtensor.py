"""How DTensor spreads the operators over a mesh: shard by shard, as every elementwise operator."""

from __future__ import annotations

from typing import Any

import torch

from .. import _library  # noqa: F401  (loading the library registers the operators)


def register() -> None:
    """Once :mod:`torch.distributed.tensor` is there."""
    from torch.distributed.tensor import DTensor, Partial, Placement, Replicate, Shard
    from torch.distributed.tensor.experimental import register_sharding

    Rules = list[tuple[list[Placement | None], list[Placement | None]]]

    def placements(*tensors: Any) -> list[Placement]:
        # What they have; nothing partial, for the elu of a sum is no sum of elus. Beside a shard,
        # a sum may be scattered over any dimension, as PyTorch has it for its own elu.
        given = {placement for tensor in tensors for placement in tensor.placements}
        usable = {Replicate(), *(placement for placement in given if not placement.is_partial())}
        if len(usable) > 1 and any(placement.is_partial() for placement in given):
            usable.update(Shard(dim) for dim in range(len(tensors[0].shape)))
        # In the same order in all processes: of two that cost the same, the first is taken.
        return sorted(usable, key=repr)

    def of_one_tensor(self: Any, *coefficients: float, **keywords: Any) -> Rules:
        rules: Rules = []
        out = [keywords["out"]] if "out" in keywords else []
        for placement in placements(self, *out):
            others = [placement if name == "out" else None for name in keywords]
            rules.append(([placement], [placement, *(None for _ in coefficients), *others]))
        return rules

    def of_two_tensors(grad_output: Any, *arguments: Any) -> Rules:
        *coefficients, saved = arguments
        # Autograd's have the same shape.
        is_broadcast = grad_output.shape != saved.shape
        return [
            ([placement], [placement, *(None for _ in coefficients), placement])
            for placement in ([Replicate()] if is_broadcast else placements(grad_output, saved))
        ]

    def parametric(self: Any, *parameters: Any) -> list[tuple[Placement, list[Placement | None]]]:
        # Shards of self, with what each parameter needs beside one: its own shard, or all of it
        # where it is broadcast.
        def beside(placement: Placement, parameter: Any) -> Placement | None:
            if parameter is None:
                return None
            dim = getattr(placement, "dim", None)
            if dim is None:
                return placement
            own = dim - (len(self.shape) - len(parameter.shape))
            is_whole = own < 0 or parameter.shape[own] != self.shape[dim]
            return Replicate() if is_whole else Shard(own)

        largest = all(len(p.shape) <= len(self.shape) for p in parameters if p is not None)
        shapes = torch.broadcast_shapes(self.shape, *(p.shape for p in parameters if p is not None))
        usable = placements(self) if largest and shapes == tuple(self.shape) else [Replicate()]
        return [(placement, [beside(placement, p) for p in parameters]) for placement in usable]

    def of_parametric(self: Any, alpha: Any, divisor: Any = None) -> Rules:
        return [
            ([placement], [placement, *of_parameters])
            for placement, of_parameters in parametric(self, alpha, divisor)
        ]

    def of_parametric_backward(
        grad_output: Any, self: Any, alpha: Any, divisor: Any, mask: list[bool]
    ) -> Rules:
        # A parameter that is whole beside a shard gets a part of its gradient's sum.
        def gradient(placement: Placement, own: Placement | None) -> Placement | None:
            return Partial() if placement != Replicate() and own == Replicate() else own

        return [
            (
                [
                    placement if mask[0] else None,
                    *(
                        gradient(placement, own) if is_asked_for else None
                        for own, is_asked_for in zip(of_parameters, mask[1:], strict=True)
                    ),
                ],
                [placement, placement, *of_parameters, None],
            )
            for placement, of_parameters in parametric(self, alpha, divisor)
        ]

    operators = torch.ops.torch_elu
    register_sharding(operators.parametric_elu.default)(of_parametric)
    register_sharding(operators.parametric_elu_backward.default)(of_parametric_backward)
    register_sharding(
        [
            operators.elu.default,
            operators.elu_.default,
            operators.elu.out,
            operators.elu_plus_one.default,
        ]
    )(of_one_tensor)
    register_sharding([operators.elu_backward.default, operators.elu_plus_one_backward.default])(
        of_two_tensors
    )
    # Part of the key under which the choice is kept, which register_sharding leaves out.
    propagator = DTensor._op_dispatcher.sharding_propagator
    propagator.op_to_schema_info[operators.elu.out].static_kwargkey = ["out"]

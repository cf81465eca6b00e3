"""Pooling of points: one number per feature for each cloud of a batch, which no motion changes."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from equivlab.fields.invariant import Invariant
from equivlab.fields.irreps import Irreps
from equivlab.fields.space import IrrepPoints
from equivlab.nn.base import FieldModule
from equivlab.nn.space.features import features_of
from equivlab.nn.space.gate import invariants
from equivlab.nn.space.pool import check_pooling
from equivlab.so3 import SO3
from equivlab.tables import ordinary

__all__ = ["POOLINGS", "IrrepPointReadout", "Pooling", "pool_points"]

Pooling = Literal["mean", "max", "sum"]
POOLINGS = ("mean", "max", "sum")


class IrrepPointReadout(FieldModule):
    """Forget direction and place in each cloud: one number per feature that no motion changes.

    ``layer(act(g, f)) == layer(f)``: scalars ``0e`` and the lengths of all else at each point,
    then over the points of each cloud.

    Args:
        irreps: what the channels are.
        space: over the points: ``'mean'``, ``'max'`` or ``'sum'`` (energies add up).

    Shape:
        ``(N, C)`` and the clouds' numbers ``(N,)`` to ``(B, F)``. How many clouds there are is
        read off their numbers; to an exporter or a compiler of whole graphs it must be told,
        ``clouds=B``.

    Raises:
        ValueError: an unknown mode, a tensor of another kind, a cloud without points, or a number
            of clouds that is not told where nobody can read it.
    """

    in_field: IrrepPoints

    def __init__(self, irreps: Irreps | str, space: Pooling = "mean") -> None:
        field = IrrepPoints(irreps)
        super().__init__(field, Invariant(SO3, field.irreps.num_irreps))
        self.label = f"IrrepPointReadout({field.irreps})"
        self.features = features_of(field.irreps)
        check_pooling(space, self.label, POOLINGS)
        self.space = space

    def forward(self, x: Tensor, batch: Tensor | None = None, clouds: int | None = None) -> Tensor:
        """Pool ``(N, C)`` to ``(B, F)``; without `batch` all points are one cloud."""
        numbers = invariants(self.features, self.check(x))
        return pool_points(numbers, batch, self.space, self.label, clouds)

    def extra_repr(self) -> str:
        """The fields and the mode, for `print(model)`."""
        return f"{super().extra_repr()}, space={self.space!r}"


def pool_points(
    x: Tensor, batch: Tensor | None, space: str, label: str, clouds: int | None = None
) -> Tensor:
    """Sum, mean or maximum ``(B, C)`` of the points ``(N, C)`` of each cloud ``batch (N,)``.

    Without `batch` all points are one cloud. `clouds` is how many there are, ``B``; if None it is
    read off `batch`.

    Raises:
        ValueError: `batch` is no row of whole numbers from 0, or one up to the highest has no
            points; there are more clouds than told; or nobody told how many, where the numbers
            cannot be read.
    """
    if batch is None:
        batch, clouds = torch.zeros(len(x), dtype=torch.long, device=x.device), 1
    if batch.shape != x.shape[:1] or batch.is_floating_point():
        raise ValueError(
            f"{label}: batch holds the number of each point's cloud, ({len(x)},) integers; got "
            f"{tuple(batch.shape)} of {batch.dtype}."
        )
    if clouds is None or ordinary(batch):
        clouds = _count_clouds(batch, label, clouds)
    batch = batch.long()  # to add by number, torch takes no smaller ones
    out = x.new_zeros(clouds, x.shape[1])
    if space == "max":
        index = batch[:, None].expand_as(x)
        return out.scatter_reduce(0, index, x, "amax", include_self=False)
    total = out.index_add(0, batch, x)
    if space == "sum":
        return total
    counts = x.new_zeros(clouds).index_add(0, batch, x.new_ones(len(batch)))
    return total / counts[:, None]


def _count_clouds(batch: Tensor, label: str, clouds: int | None) -> int:
    """How many clouds there are, checked against what was told, and that none is empty."""
    untold = (
        f"{label}: how many clouds there are stands in the numbers of batch, which nobody can "
        "read while a model is exported, compiled as one graph, mapped by vmap, or without "
        "numbers (fake, on meta). Tell it: clouds=…"
    )
    if torch.compiler.is_dynamo_compiling():
        torch._dynamo.graph_break(msg=untold)  # one graph was asked for, or it goes on in two
    elif not ordinary(batch):
        raise ValueError(untold)
    if bool((batch < 0).any()):
        raise ValueError(f"{label}: clouds are numbered 0, 1, 2, …; got {int(batch.min())}.")
    counts = torch.bincount(batch, minlength=clouds or 0)
    if clouds is not None and len(counts) > clouds:
        raise ValueError(f"{label} was told of clouds={clouds}; batch numbers {len(counts)}.")
    if bool((counts == 0).any()):
        empty = int((counts == 0).nonzero()[0, 0])
        raise ValueError(
            f"{label}: cloud {empty} of {len(counts)} has no points. Leave empty clouds out and "
            "number the others 0, 1, 2, …"
        )
    return len(counts)

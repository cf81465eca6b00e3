"""Groups finer than P4 and P4M, seen as P4 and P4M: C8 and C16, D8 and D16 through the kernel.

A function on C8 is two functions on P4, one for each coset (`GroupRestrict`), and what commutes
with all turns of C8 commutes with those by quarters. So such a layer *is* one of P4, of twice as
many fields, whose filters are not free but made of harmonics; the kernel need not know of that.
Of the orientations of a filter only those within a quarter turn are expanded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equivlab.groups import P4, P4M, PointGroup
from equivlab.nn.planar.restrict import cosets
from equivlab.tables import remembered

__all__ = ["Finer", "as_copies", "as_fields", "finer"]


@dataclass(frozen=True)
class Finer:
    """How a group lies over P4 or P4M.

    Attributes:
        order: how many elements P4 or P4M has.
        copies: of its functions in one function on the group.
        maps: ``(|G|,)``, which map of a field stands where in those.
        image: ``(1,)``, the one map of a channel of an image.
        back: ``(|G|,)``, the inverse of that.
    """

    order: int
    copies: int
    maps: Tensor
    back: Tensor
    image: Tensor


@remembered()
def finer(group: PointGroup) -> Finer | None:
    """The tables of a group whose turns are multiples of four; None of others."""
    if group.lattice == "hexagonal" or group.turns % 4:
        return None
    parts = cosets(group, P4M if group.has_mirror else P4)
    maps = torch.tensor(parts).flatten()
    return Finer(len(parts[0]), len(parts), maps, maps.argsort(), torch.tensor([0]))


def as_copies(x: Tensor, tables: Finer) -> Tensor:
    """``(B, C, |G|, H, W)`` as functions on P4 or P4M ``(B, C·m, 4 or 8, H, W)``."""
    if tables.copies == 1:
        return x
    sorted_maps = _in_order(x, tables.maps, tables.back)
    return sorted_maps.view(x.shape[0], -1, tables.order, *x.shape[3:])


def as_fields(y: Tensor, tables: Finer) -> Tensor:
    """The inverse of `as_copies`."""
    if tables.copies == 1:
        return y
    maps = y.reshape(y.shape[0], -1, len(tables.maps), *y.shape[3:])
    return _in_order(maps, tables.back, tables.maps)


def _in_order(x: Tensor, order: Tensor, back: Tensor) -> Tensor:
    if torch.is_grad_enabled() and x.requires_grad:
        found: Tensor = _InOrder.apply(x, order, back)  # type: ignore[no-untyped-call]
        return found
    return x.index_select(2, order)


class _InOrder(torch.autograd.Function):
    """`Tensor.index_select` by a permutation: its gradient is one too, and no sum."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor, back: Tensor) -> Tensor:
        ctx.tables = order, back
        return x.index_select(2, order)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        order, back = ctx.tables
        return _in_order(gradient, back, order), None, None

"""Groups finer than P4 and P4M, seen as P4 and P4M: C8 and C16, D8 and D16 through the kernel.

A function on C8 is two functions on P4, one for each coset (`GroupRestrict`), and what commutes
with all turns of C8 commutes with those by quarters. So such a layer *is* one of P4, of twice as
many fields, whose filters are not free but made of harmonics; the kernel need only know where the
maps of those fields lie. Of the orientations of a filter only those within a quarter turn are
expanded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from equivlab.groups import P4, P4M, Cyclic, Dihedral, PointGroup
from equivlab.nn.planar.restrict import cosets
from equivlab.tables import in_no_mode, remembered

__all__ = ["Finer", "finer", "finer_by_size"]


@dataclass(frozen=True)
class Finer:
    """How a group lies over P4 or P4M.

    Attributes:
        order: how many elements P4 or P4M has.
        copies: of its functions in one function on the group.
        maps: ``(|G|,)`` int32, which map of a field stands where in those.
        image: ``(1,)``, the one map of a channel of an image.
    """

    order: int
    copies: int
    maps: Tensor
    image: Tensor


@lru_cache(maxsize=64)  # not `remembered`: asked for in each call, and of no use to a mode of torch
@in_no_mode
def finer(group: PointGroup) -> Finer | None:
    """The tables of a group whose turns are multiples of four; None of others."""
    if group.lattice == "hexagonal" or group.turns % 4:
        return None
    parts = cosets(group, P4M if group.has_mirror else P4)
    maps = torch.tensor(parts, dtype=torch.int32).flatten()
    return Finer(len(parts[0]), len(parts), maps, torch.zeros(1, dtype=torch.int32))


@remembered()
def finer_by_size(elements: int, order: int) -> Finer:
    """The tables of the group of so many elements over P4 (`order` 4) or P4M (8)."""
    found = finer(Cyclic(elements) if order == 4 else Dihedral(elements // 2))
    if found is None:
        raise ValueError(f"No group of {elements} elements lies over one of {order}.")
    return found

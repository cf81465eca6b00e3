"""The copies of a filter under a group, each a matrix on the filter's numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from equivlab.fields import scalar_maps
from equivlab.groups import PointGroup
from equivlab.nn.planar.steerable.rings import RingBasis

__all__ = ["filter_matrices", "places_moved"]


def filter_matrices(group: PointGroup, side: int) -> Tensor:
    """Matrices that take a filter ``(side, side)``, flat, to its copies: ``(G, side², side²)``.

    Groups of a lattice move its pixels or cells; what lies outside a hexagon becomes zero. Others
    take the part of the filter that circular harmonics can make (`RingBasis`), and turn that, as
    `equivlab.nn.LiftingConv2d` does.
    """
    if group.lattice is None:
        basis = RingBasis(side)
        apart = torch.linalg.pinv(basis.taps().flatten(1))  # (side², N): a filter's coefficients
        bank: Tensor = apart @ basis.turned(group)
        return bank.mT
    units = torch.eye(side * side, dtype=torch.float64).view(1, -1, side, side)
    field = scalar_maps(group, side * side)
    return torch.cat([field.act(g, field.mask(units)) for g in group.elements]).flatten(2).mT


def places_moved(group: PointGroup, side: int) -> Tensor:
    """Where each pixel comes from: ``act(g, x).flatten()[p] == x.flatten()[places[g, p]]``.

    −1 stands in the whole row of an element that resamples, and outside of a hexagon.

    Returns:
        int32 ``(G, side²)``.
    """
    numbers = torch.arange(1, side * side + 1).view(side, side)
    lost = torch.zeros_like(numbers)
    moved = [group.move(g, numbers) if group.permutes(g) else lost for g in group.elements]
    return torch.stack(moved).flatten(1).to(torch.int32) - 1

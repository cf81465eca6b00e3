"""Filters on hexagons: a number for each of 7, 19, 37, … cells, in all their orientations.

As in `equivlab.nn.planar.filterbank` the bank is one look-up. It is laid out in squares, so that an
ordinary convolution takes it; at the places that are no cells stands a zero.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.fields import RegularMaps, ScalarMaps
from equivlab.fields.cells import cells_of
from equivlab.groups import hexagon

__all__ = ["CellOrbit"]


class CellOrbit:
    """Filters that have a number for each cell, and groups that permute cells.

    Args:
        field: what a filter looks at.
        kernel_size: side ``k`` of the array in which the hexagon stands, odd.

    Attributes:
        shape: of one filter's numbers, ``(I·A, cells)``, the cells row by row.
        names: of the tables, in the order in which `expand` takes them.
    """

    names = ("filter_index",)

    def __init__(self, field: ScalarMaps | RegularMaps, kernel_size: int) -> None:
        depth = field.channels * (field.group.order if isinstance(field, RegularMaps) else 1)
        self.shape: tuple[int, ...] = (depth, cells_of(kernel_size))
        self._field, self._side = field, kernel_size

    def tables(self) -> dict[str, Tensor]:
        """Where the numbers of a filter stand in its orientations, counted from 1; 0 is a zero."""
        group, side = self._field.group, self._side
        axes = (group.order,) if isinstance(self._field, RegularMaps) else ()
        cells = hexagon(side // 2).expand(1, self._field.channels, *axes, side, side)
        positions = torch.where(cells, cells.flatten().cumsum(0).view(cells.shape), 0)
        orbit = [self._field.act(g, positions).flatten() for g in group.elements]
        return {"filter_index": torch.cat(orbit)}  # (G·I·A·k·k,)

    def expand(self, weight: Tensor, index: Tensor) -> Tensor:
        """The bank ``(O·G, I·A, k, k)`` of filters ``(O, I·A, cells)``.

        Row ``o·|G| + g`` is filter ``o`` acted on by ``g``.
        """
        bank = F.pad(weight.flatten(1), (1, 0)).index_select(1, index)  # (O, G·I·A·k·k)
        return bank.view(-1, self.shape[0], self._side, self._side)

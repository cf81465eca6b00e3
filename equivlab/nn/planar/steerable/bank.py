"""Filter banks of groups that turn by any fraction of a circle: coefficients, one matrix product.

The learned numbers of a filter are its coefficients on a `RingBasis`, and the basis is sampled once
in each orientation. The bank is the product of the two.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equivlab.fields import RegularMaps, ScalarMaps
from equivlab.nn.planar.steerable.rings import RingBasis

__all__ = ["SteerableOrbit"]


class SteerableOrbit:
    """Filters that have a number for each function of a basis, and any point group.

    Args:
        field: what a filter looks at, ``I`` fields of ``A`` maps.
        basis: what filters are made of.

    Attributes:
        shape: of one filter's numbers, ``(I·A, N)`` with ``N`` functions.
        names: of the tables, in the order in which `expand` takes them.
    """

    names = ("filter_index", "filter_basis")

    def __init__(self, field: ScalarMaps | RegularMaps, basis: RingBasis) -> None:
        depth = field.channels * (field.group.order if isinstance(field, RegularMaps) else 1)
        self.shape: tuple[int, ...] = (depth, len(basis))
        self._field, self.basis = field, basis

    def tables(self) -> dict[str, Tensor]:
        """Which map of a filter each orientation has at each place; the basis in each."""
        group, channels = self._field.group, self._field.channels
        axes = group.order if isinstance(self._field, RegularMaps) else 1
        maps = torch.arange(channels * axes).view(channels, axes)
        sources = [group.product_table[group.inverse(g)] for g in group.elements]  # h to g⁻¹h
        turned = [maps[:, source] if axes > 1 else maps for source in sources]
        index = torch.cat([one.flatten() for one in turned])  # (G·I·A,)
        return dict(zip(self.names, (index, self.basis.turned(group)), strict=True))

    def expand(self, weight: Tensor, index: Tensor, basis: Tensor) -> Tensor:
        """The bank ``(O·G, I·A, k, k)`` of coefficients ``(O, I·A, N)``.

        Row ``o·|G| + g`` is filter ``o`` acted on by ``g``.
        """
        count, depth, functions = weight.shape
        side = self.basis.kernel_size
        turned = weight.index_select(1, index).view(count, -1, depth, functions)  # (O, G, I·A, N)
        bank: Tensor = turned @ basis  # (O, G, I·A, k·k)
        return bank.view(-1, depth, side, side)

    def expand_first(
        self, weight: Tensor, index: Tensor, basis: Tensor, count: int, order: Tensor
    ) -> Tensor:
        """The first `count` orientations of each filter only, its maps in another order.

        Args:
            weight: coefficients ``(O, I·A, N)``.
            index: as in `expand`.
            basis: as in `expand`.
            count: how many orientations.
            order: ``(A,)``, which map of a field comes where.

        Returns:
            ``(O·count, I·A, k, k)``.
        """
        maps = index.view(len(basis), -1, len(order))[:count, :, order].flatten()
        return self.expand(weight, maps, basis[:count])

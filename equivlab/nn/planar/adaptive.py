"""Pooling to a given size: windows that fit themselves to the map.

Window ``i`` of ``n`` runs from ``⌊i·H/n⌋`` to ``⌈(i+1)·H/n⌉``. Counted from the other end it is
window ``n − 1 − i``, so a turn of the map is a turn of the result, on every size.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from equivlab.fields import RegularMaps
from equivlab.groups import PointGroup
from equivlab.nn.base import FieldModule, integer
from equivlab.nn.window import Sides, one_side

__all__ = ["GroupAdaptiveAvgPool2d", "GroupAdaptiveMaxPool2d"]


class _AdaptivePool(FieldModule):
    """What maximum and average share."""

    def __init__(self, group: PointGroup, channels: int, output_size: Sides = 1) -> None:
        field = RegularMaps(group, integer(channels, "channels", type(self).__name__))
        super().__init__(field, field)
        self.output_size = one_side(output_size, 2, "output_size", self.label)

    def is_exact(self, size: int) -> bool:
        """True: the windows follow the size."""
        return True

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``(B, C, G, H, W)`` to ``(B, C, G, n, n)``, each map by itself."""
        pooled = self._pool(self.check(x).flatten(1, 2))  # (B, C·G, n, n)
        return pooled.view(*x.shape[:3], *pooled.shape[-2:])

    def _pool(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def extra_repr(self) -> str:
        """The field and the size, for `print(model)`."""
        return f"{self.in_field}, output_size={self.output_size}"


class GroupAdaptiveAvgPool2d(_AdaptivePool):
    """Average each map of a regular field over as many windows as are wanted.

    ``layer(act(g, f)) == act(g, layer(f))`` exactly, on every size.

    Args:
        group: `P4` or `P4M`.
        channels: regular fields ``C``.
        output_size: rows and columns ``n`` of the result; 1 is the mean over the map.

    Shape:
        ``(B, C, G, H, W)`` to ``(B, C, G, n, n)``.

    Raises:
        ValueError: a tensor of another kind, or a result that is not square.
    """

    def _pool(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, self.output_size)


class GroupAdaptiveMaxPool2d(_AdaptivePool):
    """Maximum of each map of a regular field over as many windows as are wanted.

    ``layer(act(g, f)) == act(g, layer(f))`` exactly, on every size. Arguments, shapes and errors
    as `GroupAdaptiveAvgPool2d`.
    """

    def _pool(self, x: Tensor) -> Tensor:
        return F.adaptive_max_pool2d(x, self.output_size)

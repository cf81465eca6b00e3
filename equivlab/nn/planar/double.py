"""Doubling the size of maps, so that it undoes `GroupDownsample2d` on every size."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from equivlab.fields import CircleIrreps, CircleMaps, RegularMaps
from equivlab.groups import SO2, CircleGroup, PointGroup
from equivlab.nn.base import FieldModule, integer
from equivlab.nn.planar.hexagons import doubled

__all__ = ["CircleDouble2d", "GroupDouble2d"]

Size = tuple[int, int]


class GroupDouble2d(FieldModule):
    """Twice as many pixels, interpolated: exact for even *and* odd sizes.

    ``layer(act(g, f)) == act(g, layer(f))``. The new pixels lie where those were that
    `GroupDownsample2d` looked at: a quarter beside the old ones on even sizes (weights 3/4 and
    1/4), on and between them on odd ones (1, and 1/2 twice). A transposed convolution with free
    weights would lay a checkerboard over the maps; convolve after this instead (Odena, Dumoulin &
    Olah, *Deconvolution and Checkerboard Artifacts*, 2016).

    On hexagons every other cell is an old one, and those between two are their mean: radius ``R``
    becomes ``2R``, or ``2R − 1`` where `size` says so.

    Args:
        group: a point group.
        channels: regular fields ``C``.

    Shape:
        ``(B, C, G, H, W)`` to ``(B, C, G, 2H, 2W)``, or to the `size` that `forward` is given, of
        ``2H`` or ``2H − 1`` rows and ``2W`` or ``2W − 1`` columns; on hexagons, whose arrays have
        ``2R + 1`` rows, ``2H − 1`` or ``2H − 3`` of both.

    Raises:
        ValueError: a tensor of another kind, or another size.

    >>> import torch
    >>> from equivlab.groups import P4
    >>> double = GroupDouble2d(P4, 8)
    >>> double(torch.randn(1, 8, 4, 7, 7)).shape, double(torch.randn(1, 8, 4, 7, 7), (13, 14)).shape
    (torch.Size([1, 8, 4, 14, 14]), torch.Size([1, 8, 4, 13, 14]))
    """

    out_field: RegularMaps

    def __init__(self, group: PointGroup, channels: int) -> None:
        field = RegularMaps(group, integer(channels, "channels", type(self).__name__))
        super().__init__(field, field)

    def forward(self, x: Tensor, size: Size | None = None) -> Tensor:
        """Interpolate ``(B, C, G, H, W)`` to `size`, each map by itself."""
        enlarge = doubled if self.out_field.on_hexagons else double
        maps = enlarge(self.check(x).flatten(1, 2), size, self.label)
        return maps.view(*x.shape[:3], *maps.shape[-2:])


class CircleDouble2d(FieldModule):
    """Twice as many pixels, interpolated as by `GroupDouble2d`, channel by channel.

    ``layer(act(g, f)) == act(g, layer(f))``, exactly at quarter turns.

    Args:
        irreps: what the channels are.
        group: `SO2` or `O2`.

    Shape:
        ``(B, C, H, W)`` to ``(B, C, 2H, 2W)``, or to the `size` that `forward` is given.

    Raises:
        ValueError: a tensor of another kind, or a size that is not the double or one less.
    """

    def __init__(self, irreps: str | CircleIrreps, group: CircleGroup = SO2) -> None:
        super().__init__(CircleMaps(irreps, group), CircleMaps(irreps, group))

    def forward(self, x: Tensor, size: Size | None = None) -> Tensor:
        """Interpolate ``(B, C, H, W)`` to `size`, each channel by itself."""
        return double(self.check(x), size, self.label)


def double(maps: Tensor, size: Size | None, label: str) -> Tensor:
    """Maps ``(B, C, H, W)`` with `size` rows and columns, symmetric about the centre.

    Raises:
        ValueError: a size that is neither the double nor one less.
    """
    rows, columns = maps.shape[-2:]
    wanted = (2 * rows, 2 * columns) if size is None else tuple(size)
    if wanted[0] not in (2 * rows, 2 * rows - 1) or wanted[1] not in (2 * columns, 2 * columns - 1):
        raise ValueError(
            f"{label} doubles {rows}×{columns} to {2 * rows} or {2 * rows - 1} rows and "
            f"{2 * columns} or {2 * columns - 1} columns; got size={wanted}."
        )
    # One axis at a time, for the two may differ: on odd sizes the corners stay corners.
    tall, odd_rows = (wanted[0], columns), wanted[0] % 2 == 1
    maps = F.interpolate(maps, tall, mode="bilinear", align_corners=odd_rows)
    return F.interpolate(maps, wanted, mode="bilinear", align_corners=wanted[1] % 2 == 1)

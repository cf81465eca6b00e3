"""Maps in a disc, for turns that are finer than the frame's own."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from equivlab.fields import CircleMaps, PlanarField
from equivlab.nn.base import FieldModule

__all__ = ["DiscMask", "disc_weights"]


def disc_weights(x: Tensor, margin: float, rim: float, hexagonal: bool) -> Tensor:
    """1 within the circle that fits into maps ``(..., H, W)``, 0 beyond; by arithmetic alone."""
    # In float32, where half precision counts to 2048; halves of whole numbers are exact in both.
    tall, wide = x.shape[-2], x.shape[-1]
    rows = (x.new_ones(tall, dtype=torch.float32).cumsum(0) - (tall + 1) / 2)[:, None]
    columns = x.new_ones(wide, dtype=torch.float32).cumsum(0) - (wide + 1) / 2
    squares = rows.square() + columns.square()
    edge = torch.minimum(rows.max(), columns.max())  # a tensor, also in a trace
    if hexagonal:  # axial coordinates, in which a hexagon's edge is √3/2 of its radius away
        squares = squares + rows * columns
        edge = math.sqrt(0.75) * edge
    radius = edge + 0.5
    weights: Tensor = ((radius - margin - squares.sqrt()) / rim + 0.5).clamp(0, 1).to(x)
    return weights


class DiscMask(FieldModule):
    """Zeros beyond the circle that fits into the maps, with a soft rim.

    A square frame turns by quarter turns only: what filters make of its edge and corners does not
    follow a turn by 45°, and grows inwards by half a kernel with every layer. With a disc after
    each layer the edge is the same in all directions. For networks of `Cyclic`, `Dihedral`, `SO2`
    and `O2`; see ``docs/notes/rotated-mnist.md``. escnn's ``MaskModule`` does it to images.

    ``layer(act(g, f)) == act(g, layer(f))`` exactly where `g` permutes pixels; at other angles as
    near as the rim is sampled.

    Args:
        field: of the maps: `ScalarMaps`, `RegularMaps` or `CircleMaps`.
        margin: pixels from the frame to the middle of the rim.
        rim: pixels over which the factor falls from 1 to 0.

    Shape:
        ``(B, C, G, H, W)``, of scalars and irreps ``(B, C, H, W)``, to the same; of maps that are
        not square the circle has the shorter side. On hexagons it is the inscribed circle.

    Raises:
        TypeError: no field of planar maps.
        ValueError: a rim that is not positive, or maps of another kind.

    >>> from equivlab.fields import RegularMaps
    >>> from equivlab.groups import Cyclic
    >>> DiscMask(RegularMaps(Cyclic(8), 2))(torch.ones(1, 2, 8, 6, 6))[0, 0, 0, 2]
    tensor([0.2252, 0.7094, 1.0000, 1.0000, 0.7094, 0.2252])
    """

    def __init__(
        self, field: PlanarField | CircleMaps, margin: float = 1.0, rim: float = 2.0
    ) -> None:
        if not isinstance(field, PlanarField | CircleMaps):
            raise TypeError(
                f"DiscMask takes a field of planar maps; got {field!r}. For example "
                "DiscMask(RegularMaps(Cyclic(8), 16))"
            )
        super().__init__(field, field)
        self.margin, self.rim = float(margin), float(rim)
        if not (self.rim > 0 and math.isfinite(self.rim) and math.isfinite(self.margin)):
            raise ValueError(
                f"{self.label}: the rim takes pixels to fall from 1 to 0, so it is above 0; got "
                f"margin={margin}, rim={rim}."
            )
        self.hexagonal = bool(getattr(field, "on_hexagons", False))

    def forward(self, x: Tensor) -> Tensor:
        """Cut the corners off."""
        x = self.check(x)
        return x * disc_weights(x, self.margin, self.rim, self.hexagonal)

    def extra_repr(self) -> str:
        """The field and the rim, for `print(model)`."""
        return f"{self.in_field}, margin={self.margin:g}, rim={self.rim:g}"

"""Scalar maps on hexagons: images of cameras with hexagonal pixels, and resampled pictures.

>>> import torch
>>> from equivlab.groups import P6
>>> maps = HexMaps(P6, channels=1)
>>> maps.shape
'(B, 1, 2R + 1, 2R + 1)'
>>> maps.act(1, torch.ones(1, 1, 3, 3))
tensor([[[[0., 1., 1.],
          [1., 1., 1.],
          [1., 1., 0.]]]])
"""

from __future__ import annotations

from dataclasses import dataclass

from equivlab.fields.planar import ScalarMaps
from equivlab.groups import PointGroup, as_point_group

__all__ = ["HexMaps", "scalar_maps"]


@dataclass(frozen=True, repr=False)
class HexMaps(ScalarMaps):
    """Scalar maps on hexagons of radius ``R``, arrays ``(B, C, 2R + 1, 2R + 1)``.

    ``(g·f)(x) = f(g⁻¹x)``: cells move, values stay; what lies outside the hexagon becomes zero.
    The cell with axial coordinates ``(q, r)`` stands at ``[..., r + R, q + R]``, its centre at
    ``x = q + r/2`` to the right and ``y = √3 r/2`` downwards, in units of the distance between
    neighbours (Hoogeboom, Peters, Cohen & Welling, *HexaConv*, ICLR 2018, section 3.2).

    `mask` sets what lies outside the hexagon to zero. `validate` refuses arrays that are no
    hexagon's, and on the CPU odd square images too, by their numbers outside.

    Args:
        group: `P6` or `P6M`.
        channels: the size of axis 1, ``C``.

    Raises:
        ValueError: a group that does not act on hexagons.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.on_hexagons:
            raise ValueError(
                f"HexMaps takes a group on hexagons, P6 or P6M; got {self.group}, which acts on "
                f"square pixels: ScalarMaps({self.group}, {self.channels})"
            )


def scalar_maps(group: PointGroup, channels: int) -> ScalarMaps:
    """Scalar maps on the lattice of `group`: `HexMaps` on hexagons, else `ScalarMaps`."""
    kind = HexMaps if as_point_group(group, "ScalarMaps").lattice == "hexagonal" else ScalarMaps
    return kind(group, channels)

"""The cells of a hexagon in its array: which they are, and where turns and mirrors take them."""

from __future__ import annotations

import torch
from torch import Tensor

from equivlab.tables import remembered

__all__ = ["hexagon", "move_cells"]


def move_cells(x: Tensor, mirror: int, sixths: int, group: str) -> Tensor:
    """Mirror hexagons ``(..., 2R + 1, 2R + 1)`` so often, and turn them by so many times 60°.

    What lies outside the hexagon becomes zero.

    Raises:
        ValueError: another array; the message names the `group`.
    """
    if x.dim() < 2 or x.shape[-1] != x.shape[-2] or x.shape[-1] % 2 == 0:
        raise ValueError(
            f"{group} moves hexagons (..., 2R + 1, 2R + 1); got {tuple(x.shape)}. Resample "
            "square images: equivlab.projection.to_hexagons(image, radius)"
        )
    source, inside = _cell_sources(x.shape[-1] // 2, mirror, sixths)
    moved = x.flatten(-2).index_select(-1, source.to(x.device)).view(x.shape)
    return moved.masked_fill(~inside.to(x.device), 0)


@remembered()
def hexagon(radius: int) -> Tensor:
    """Which places of a hexagon's array ``(2R + 1, 2R + 1)`` are its 1, 7, 19, 37, … cells.

    Args:
        radius: ``R``, cells from the middle to a corner.
    """
    axis = torch.arange(-radius, radius + 1)
    return (axis[:, None] + axis).abs() <= radius


@remembered(maxsize=256)
def _cell_sources(radius: int, mirror: int, sixths: int) -> tuple[Tensor, Tensor]:
    """For each place the number of the one whose cell comes there; and which are in the hexagon."""
    inside = hexagon(radius)
    r, q = (torch.arange(-radius, radius + 1).view(shape) for shape in ((-1, 1), (1, -1)))
    for _ in range(-sixths % 6):  # the inverse: turned on to a full turn, then mirrored
        q, r = q + r, -q
    if mirror:
        q = -q - r
    places = (r + radius) * (2 * radius + 1) + q + radius
    return torch.where(inside, places, 0).flatten(), inside

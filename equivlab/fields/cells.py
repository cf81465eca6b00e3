"""Hexagonal cells in a square array: which places are cells, and turns by any angle.

A hexagon of radius ``R`` stands in an array ``(2R + 1)²`` by its axial coordinates, see
`equivlab.groups`; two triangles of the array are no cells and hold zeros.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from equivlab.groups import P6, PointGroup, hexagon
from equivlab.tables import legible

__all__ = ["cells_of", "hexagon_wanted", "inside_hexagon", "outside_hexagon", "rotate_hexagons"]

MODES = ("bilinear", "nearest")
SIXTH_TURN = math.pi / 3


class Maps(Protocol):
    """What is asked of a field here."""

    @property
    def group(self) -> PointGroup:
        """The group that acts."""


def cells_of(size: int) -> int:
    """How many cells a hexagon in an array of `size` rows has: ``3R(R + 1) + 1``.

    >>> [cells_of(size) for size in (1, 3, 5, 7)]
    [1, 7, 19, 37]
    """
    return 3 * (size // 2) * (size // 2 + 1) + 1


def outside_hexagon(x: Tensor) -> Tensor:
    """Which places of the last two axes are no cells, ``(2R + 1, 2R + 1)``.

    By arithmetic, so that it can be traced and the size of `x` may be left open.
    """
    size = x.shape[-1]
    number = x.new_ones(size, dtype=torch.long).cumsum(0)  # 1 to 2R + 1
    return (number[:, None] + number - (size + 1)).abs() > size // 2


def inside_hexagon(x: Tensor) -> Tensor:
    """`x` with zeros at the places of its last two axes that are no cells."""
    return torch.where(outside_hexagon(x), 0, x)  # not by a product: 0 · NaN is none


def hexagon_wanted(x: Tensor, field: Maps) -> str | None:
    """What to do where the last two axes of `x` are no hexagon's; None where they are.

    An odd square image has the shape of a hexagon. Where its numbers can be looked at, it is told
    by those outside, which differ from place to place.
    """
    rows, columns = x.shape[-2:]
    resample = f"to_hexagons(image, radius={max(rows, columns) // 2})"
    if rows != columns or rows % 2 == 0:
        return (
            f"{field.group} acts on hexagons of radius R in arrays (2R + 1)², and this is none. "
            f"Resample a square image: {resample}"
        )
    if x.dim() == 4 and rows > 1 and x.numel() and legible(x):
        beyond = x.detach().flatten(-2)[..., ~hexagon(rows // 2).flatten()]
        if bool((beyond != beyond[..., :1]).any()):
            return (
                "Its numbers outside the hexagon differ from place to place, as those of a square "
                f"image do. Resample it: {resample}; or, if they mean nothing, remove them: "
                f"HexMaps({field.group}, {x.shape[1]}).mask(x)"
            )
    return None


def rotate_hexagons(x: Tensor, angle: float | Tensor, mode: str = "bilinear") -> Tensor:
    """Turn hexagons about their centre, counter-clockwise as displayed.

    The whole sixths of a turn in `angle` permute cells exactly; what is left over is resampled:
    linearly on the triangles between three centres, or from the nearest.

    Args:
        x: ``(B, ..., 2R + 1, 2R + 1)``.
        angle: radians; one number, or one for each of the `B` samples, shape ``(B,)``.
        mode: ``'bilinear'`` (linear on triangles, the name is that of square pixels) or
            ``'nearest'``.

    Returns:
        A tensor as `x`, zero outside the hexagon and where the turned one leaves it.

    Raises:
        ValueError: no hexagons, not `B` angles, or another mode.
    """
    if mode not in MODES:
        raise ValueError(f"On hexagons mode is one of {', '.join(MODES)}; got {mode!r}.")
    angles = torch.as_tensor(angle, dtype=torch.float64).cpu()
    if angles.dim() > 1 or (angles.dim() == 1 and len(angles) != len(x)):
        raise ValueError(
            f"rotate_hexagons takes one angle, or one for each of the {len(x)} samples; "
            f"got {tuple(angles.shape)}."
        )
    turns = torch.round(angles / SIXTH_TURN)
    rest = angles - turns * SIXTH_TURN
    if angles.dim() == 0:
        turned = P6.move(int(turns) % 6, x)
        return turned if abs(float(rest)) < 1e-9 else _resample(turned, rest.expand(len(x)), mode)
    out = torch.empty_like(x)
    for r in range(6):  # by number, not by mask: a GPU need not say how many there are
        these = (turns.long() % 6 == r).nonzero()[:, 0].to(x.device)
        out[these] = P6.move(r, x[these])
    inexact = (rest.abs() >= 1e-9).nonzero()[:, 0]
    if len(inexact):
        these = inexact.to(x.device)
        out[these] = _resample(out[these], rest[inexact], mode)
    return out


def _resample(x: Tensor, angles: Tensor, mode: str) -> Tensor:
    """Turn the hexagons `x` (B, ..., n, n) by `angles` (B,) with interpolation."""
    size = x.shape[-1]
    places, weights = _sources(size // 2, angles, mode)  # (3, B, n·n)
    maps = x.reshape(len(x), -1, size * size)
    out = torch.zeros_like(maps)
    for place, weight in zip(places, weights, strict=True):
        found = maps.gather(2, place[:, None].expand(maps.shape).to(x.device))
        out = out + weight[:, None].to(x) * found
    return out.view_as(x)


def _sources(radius: int, angles: Tensor, mode: str) -> tuple[Tensor, Tensor]:
    """The three cells around the point from which each cell comes, and their weights."""
    axis = torch.arange(-radius, radius + 1, dtype=torch.float64)
    r, q = torch.meshgrid(axis, axis, indexing="ij")
    right, up = (q + r / 2).flatten(), (-math.sqrt(3) / 2 * r).flatten()
    c, s = torch.cos(angles)[:, None], torch.sin(angles)[:, None]
    back_right, back_up = c * right + s * up, c * up - s * right  # (B, n·n)
    down = -back_up * 2 / math.sqrt(3)
    across = back_right - down / 2
    q0, r0 = across.floor(), down.floor()
    a, b = across - q0, down - r0  # within a rhombus of two triangles
    far = a + b > 1
    weights = torch.stack(
        [(1 - a - b).abs(), torch.where(far, 1 - b, a), torch.where(far, 1 - a, b)]
    )
    first, one, zero = far.to(q0), torch.ones_like(q0), torch.zeros_like(q0)
    q1, r1 = q0 + torch.stack([first, one, zero]), r0 + torch.stack([first, zero, one])
    if mode == "nearest":
        weights = (weights == weights.amax(0)).to(weights)
        weights = weights * (weights.cumsum(0) == 1)
    there = torch.maximum(torch.maximum(q1.abs(), r1.abs()), (q1 + r1).abs()) <= radius
    here = hexagon(radius).flatten()
    places = (r1 + radius) * (2 * radius + 1) + q1 + radius
    return torch.where(there, places, 0).long(), weights * there * here

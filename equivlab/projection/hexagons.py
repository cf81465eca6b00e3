"""Square pictures onto hexagons, where turns by 60° are exact, and back.

The rows of a hexagonal grid are rows of a rectangular one, shifted by half a cell each. So a
picture is resampled along its columns first, then along each row, by the windowed sinc of Lanczos
with three lobes, made wider where the new grid is coarser than the old one (Duchon, *Lanczos
Filtering in One and Two Dimensions*, Journal of Applied Meteorology 18, 1979).

>>> import torch
>>> to_hexagons(torch.ones(1, 28, 28), radius=16).shape
torch.Size([1, 33, 33])
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from equivlab.groups import hexagon
from equivlab.tables import remembered

__all__ = ["from_hexagons", "to_hexagons"]

LOBES = 3
ROW = math.sqrt(3) / 2  # from one row of cells to the next, in distances between neighbours


def to_hexagons(images: Tensor, radius: int, *, spacing: float | None = None) -> Tensor:
    """Square pictures as hexagons of cells, without aliasing.

    The middle goes to the middle. Turns commute with it to the resampling: to 1 % for Gaussians of
    1.5 pixels and more, with cells as dense as pixels.

    Args:
        images: ``(..., H, W)``, floating point.
        radius: ``R``, cells from the middle to a corner.
        spacing: pixels from a cell to its neighbour; by default so many that the circle inscribed
            in the picture is inscribed in the hexagon, ``(min(H, W) − 1) / (√3 R)``.

    Returns:
        Hexagons ``(..., 2R + 1, 2R + 1)`` as `equivlab.fields.HexMaps` has them, differentiable:
        zero outside the hexagon, and in cells whose centre is outside the picture.

    Raises:
        TypeError: no floating-point numbers.
        ValueError: no picture, or a radius or a spacing that is not positive.
    """
    height, width = _check(images, "to_hexagons", "images (..., H, W)")
    spacing = _spacing(radius, (height, width), spacing, "to_hexagons")
    along_columns, along_rows = _to_tables(height, width, radius, spacing)
    rows = torch.einsum("rh,...hw->...rw", along_columns.to(images), images)
    return torch.einsum("rqw,...rw->...rq", along_rows.to(images), rows)


def from_hexagons(
    maps: Tensor, size: int | tuple[int, int], *, spacing: float | None = None
) -> Tensor:
    """Hexagons as pictures: the way back from `to_hexagons`.

    There and back loses what the coarser of both grids cannot hold: of 28×28 digits 0.9 %
    (relative, in the inscribed circle) by a radius of 14, 0.8 % from 16 on; of Gaussians of 2
    pixels 0.5 %.

    Args:
        maps: ``(..., 2R + 1, 2R + 1)``, floating point.
        size: rows and columns of the pictures.
        spacing: pixels from a cell to its neighbour; by default as in `to_hexagons`.

    Returns:
        Pictures ``(..., H, W)``, differentiable; zero outside the hexagon.

    Raises:
        TypeError: no floating-point numbers.
        ValueError: no hexagons, or a size or a spacing that is not positive.
    """
    rows, columns = _check(maps, "from_hexagons", "hexagons (..., 2R + 1, 2R + 1)")
    if rows != columns or rows % 2 == 0:
        raise ValueError(
            f"from_hexagons takes hexagons (..., 2R + 1, 2R + 1); got {tuple(maps.shape)}. Make "
            "them: to_hexagons(images, radius)"
        )
    height, width = (size, size) if isinstance(size, int) else size
    spacing = _spacing(rows // 2, (height, width), spacing, "from_hexagons")
    along_columns, along_rows, inside = _from_tables(height, width, rows // 2, spacing)
    wide = torch.einsum("rwq,...rq->...rw", along_rows.to(maps), maps)
    return torch.einsum("hr,...rw->...hw", along_columns.to(maps), wide) * inside.to(maps)


def _check(x: Tensor, taker: str, wanted: str) -> tuple[int, int]:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        got = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(
            f"{taker} takes {wanted} of floating-point numbers; got {got}. Convert them: "
            "torch.as_tensor(x).float() / 255"
        )
    if x.dim() < 2 or x.numel() == 0:
        raise ValueError(f"{taker} takes {wanted}; got {tuple(x.shape)}.")
    return x.shape[-2], x.shape[-1]


def _spacing(radius: int, size: tuple[int, int], spacing: float | None, taker: str) -> float:
    if radius < 1 or min(size) < 1:
        raise ValueError(
            f"{taker} takes a radius and a size of 1 or more; got {radius} and {tuple(size)}."
        )
    if spacing is None:
        spacing = max(1, min(size) - 1) / (math.sqrt(3) * radius)
    if not (spacing > 0 and math.isfinite(spacing)):
        raise ValueError(f"{taker} takes a spacing in pixels, above 0; got {spacing}.")
    return float(spacing)


@remembered(maxsize=8)
def _to_tables(height: int, width: int, radius: int, spacing: float) -> tuple[Tensor, Tensor]:
    """Weights ``(n, H)`` of the rows of cells, and ``(n, n, W)`` of the cells in each row."""
    axis = torch.arange(-radius, radius + 1, dtype=torch.float64)
    y, x = spacing * ROW * axis, spacing * (axis + axis[:, None] / 2)  # pixels from the middle
    along_columns = _weights(y + (height - 1) / 2, height, spacing * ROW)
    along_rows = _weights(x + (width - 1) / 2, width, spacing)
    there = hexagon(radius) & (y.abs() <= height / 2)[:, None] & (x.abs() <= width / 2)
    return along_columns, along_rows * there[..., None]


@remembered(maxsize=8)
def _from_tables(
    height: int, width: int, radius: int, spacing: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Weights ``(H, n)`` of the rows of cells and ``(n, W, n)`` of the cells; what is inside."""
    y = (torch.arange(height, dtype=torch.float64) - (height - 1) / 2) / (spacing * ROW)
    x = (torch.arange(width, dtype=torch.float64) - (width - 1) / 2) / spacing
    r = torch.arange(-radius, radius + 1, dtype=torch.float64)
    first, last = (-radius - r).clamp(min=-radius), (radius - r).clamp(max=radius)
    along_columns = _weights(y + radius, 2 * radius + 1, 1 / (spacing * ROW))
    ends = (first + radius).long()[:, None], (last + radius).long()[:, None]
    along_rows = _weights(x - r[:, None] / 2 + radius, 2 * radius + 1, 1 / spacing, ends)
    down = y[:, None]
    across = x - down / 2
    reach = torch.maximum(torch.maximum(across.abs(), down.abs()), (across + down).abs())
    return along_columns, along_rows, reach <= radius + 0.5


def _weights(
    places: Tensor, count: int, step: float, ends: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """How much of each of `count` samples is in the value at `places`: ``(*places, count)``.

    Args:
        places: where values are wanted, in samples.
        count: of the samples; beyond the first and the last they go on unchanged.
        step: from one place to the next, in samples: above 1 the filter is wider.
        ends: the first and the last sample that count, if they are others.
    """
    wide = max(1.0, step)
    half = math.ceil(LOBES * wide)
    taps = torch.arange(1 - half, half + 1, dtype=torch.float64)
    at = places.floor()[..., None] + taps
    distance = ((at - places[..., None]) / wide).clamp(-LOBES, LOBES)
    weights = torch.sinc(distance) * torch.sinc(distance / LOBES)
    weights = weights / weights.sum(-1, keepdim=True)
    first, last = (torch.tensor(0), torch.tensor(count - 1)) if ends is None else ends
    at = torch.minimum(torch.maximum(at.long(), first[..., None]), last[..., None])
    return torch.zeros(*places.shape, count, dtype=torch.float64).scatter_add(-1, at, weights)

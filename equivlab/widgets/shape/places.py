"""Where RotateShape shows features, and the picture of the shape beside them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ball_size", "drawn_shape", "places_of", "unit_positions"]

FULL = 0.3  # a voxel counts as part of the shape from this share of the largest value on
NOTHING = 1e-30
DRAWN_SIDE = 32  # voxels of the picture of the input; larger grids are averaged down
DRAWN_POINTS = 1500
BALLS = (0.02, 0.09)  # radius of the balls that carry the colour, in units of half the grid


def places_of(shape: Tensor, most: int) -> Tensor:
    """Up to `most` places spread evenly over a shape, for `Probe`; the same every time.

    For a grid ``(1, C, D, D, D)`` the middles of filled voxels in the inscribed ball,
    ``(n, 3)`` in voxels from the middle of the grid; for a cloud ``(N, 3)`` numbers of points.
    """
    if shape.dim() == 2:
        return _spread(shape.double(), most)
    full = shape[0].abs().amax(0)
    side = full.shape[-1]
    spots = torch.nonzero(full > FULL * full.max()).flip(1) - (side - 1) / 2
    inside = spots[torch.linalg.vector_norm(spots, dim=1) <= side / 2 - 0.5]
    spots = (inside if len(inside) else spots).double()  # else it leaves the frame when it turns
    return spots[_spread(spots, most)]


def _spread(points: Tensor, most: int) -> Tensor:
    """Numbers of `most` points, each time the one farthest from those chosen before."""
    if len(points) <= most:
        return torch.arange(len(points))
    chosen = [int(torch.linalg.vector_norm(points - points.mean(0), dim=1).argmax())]
    nearest = torch.full((len(points),), torch.inf, dtype=torch.float64)
    for _ in range(most - 1):
        off = torch.linalg.vector_norm(points - points[chosen[-1]], dim=1)
        nearest = torch.minimum(nearest, off)
        chosen.append(int(nearest.argmax()))
    return torch.tensor(chosen).sort().values


def unit_positions(shape: Tensor, places: Tensor) -> Tensor:
    """Where the places stand for the page, in units of half the grid or of the cloud's radius."""
    if shape.dim() == 5:
        return places * 2 / shape.shape[-1]
    radius = float(torch.linalg.vector_norm(shape, dim=1).max().clamp_min(NOTHING))
    return shape[places].double() / radius


def ball_size(places: Tensor) -> float:
    """A radius at which most balls in these places do not touch, ``(N, 3)``."""
    if len(places) < 2:
        return BALLS[1]
    nearest = torch.cdist(places, places).fill_diagonal_(torch.inf).amin(1)
    return round(min(max(0.5 * float(nearest.median()), BALLS[0]), BALLS[1]), 4)


def drawn_shape(shape: Tensor) -> Tensor:
    """The picture of the input: a grid of bytes, axes ``z y x``, or points ``(n, 3)``."""
    if shape.dim() == 2:
        some = places_of(shape, DRAWN_POINTS) if len(shape) > DRAWN_POINTS else slice(None)
        return unit_positions(shape, torch.arange(len(shape)))[some].float()
    full = shape[0].abs().amax(0)
    if full.shape[0] > DRAWN_SIDE:
        full = nn.functional.adaptive_avg_pool3d(full[None], DRAWN_SIDE)[0]
    return (255 * full / full.max().clamp_min(1e-12)).round().to(torch.uint8)

"""Hexagons as pictures: each dot has the colour of the cell that it lies in; as ``cells.js``."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["cells_as_picture"]

ROW = math.sqrt(3) / 2  # from one row of cells to the next


def cells_as_picture(x: Tensor, side: int) -> Tensor:
    """Hexagons ``(..., 2R + 1, 2R + 1)`` as pictures ``(..., side, side)``, cells visible.

    The picture ends half a cell beyond the circle that is inscribed in the hexagon; what lies
    outside the hexagon, in its corners, is zero.
    """
    radius = x.shape[-1] // 2
    half = ROW * radius + 0.5
    at = ((torch.arange(side, dtype=torch.float64) + 0.5) * 2 / side - 1) * half
    r = (at / ROW)[:, None].expand(side, side)
    q = at[None, :] - r / 2
    cube = torch.stack([q, r, -q - r])
    near = cube.round()
    off = (near - cube).abs()
    worst = off.argmax(0, keepdim=True)  # what was rounded most follows from the two others
    others = near.sum(0, keepdim=True) - near.gather(0, worst)
    q, r, _ = near.scatter(0, worst, -others).long()
    inside = torch.stack([q, r, q + r]).abs().amax(0) <= radius
    places = torch.where(inside, (r + radius) * (2 * radius + 1) + q + radius, 0)
    return x.flatten(-2)[..., places.to(x.device)] * inside.to(x)

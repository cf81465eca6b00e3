"""The error of a whole network at any angle, beside what resampling alone costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral

import torch
from torch import Tensor

from equivlab.equivariance.arguments import Arguments
from equivlab.equivariance.error import equivariance_error
from equivlab.fields import CircleMaps, Field, Invariant, IrrepMaps, PlanarField
from equivlab.fields.base import G
from equivlab.groups import PointGroup
from equivlab.so3 import SO3

__all__ = ["angles_of", "disc", "planar_curve", "space_curve"]

Rows = list[tuple[float, float, float]]
AXIS = (0.48, 0.6, 0.64)  # of unit length, and no axis of any grid


def angles_of(angles: int | Sequence[float]) -> list[float]:
    """Radians: so many in a full turn, or those given."""
    if isinstance(angles, int | Integral):
        return [2 * math.pi * step / angles for step in range(int(angles))]
    return [float(angle) for angle in angles]


def disc(size: int, axes: int = 2) -> Tensor:
    """A mask ``(size, size)``: 1 where a pixel's centre is in the inscribed circle, else 0.

    Not softened: masking twice is masking once, so nothing is lost at multiples of 90°.

    Args:
        size: pixels a side.
        axes: 3 for the voxels in the inscribed ball.
    """
    at = (torch.arange(size, dtype=torch.float64) - (size - 1) / 2).square()
    squares = at
    for _ in range(axes - 1):
        squares = squares[..., None] + at
    return (squares.sqrt() <= size / 2).double()


def inscribed(group: object, size: int) -> Tensor:
    """The mask of the inscribed circle on the lattice of a point group, ``(size, size)``."""
    if not isinstance(group, PointGroup) or group.lattice != "hexagonal":
        return disc(size)
    at = torch.arange(size, dtype=torch.float64) - size // 2
    squares = at[:, None].square() + at[:, None] * at + at.square()  # of distances from the middle
    return (squares <= 0.75 * (size // 2) ** 2 + 1e-9).double()


def planar_curve(
    model: Callable[[Tensor], Tensor],
    x: Tensor,
    in_field: Field[G],
    out_field: Field[G] | None,
    angles: list[float],
    mode: str,
) -> Rows:
    """Angle in degrees, error and baseline, of an image inside the inscribed circle."""
    if not isinstance(in_field, PlanarField | CircleMaps) or x.shape[-1] != x.shape[-2]:
        return []
    if not isinstance(out_field, PlanarField | CircleMaps | Invariant):
        return []
    rows: Rows = []
    inside = inscribed(in_field.group, x.shape[-1]).to(x)
    round_x = x * inside
    reference = model(round_x)
    for angle in angles:
        turned = in_field.rotate(angle, round_x, mode) * inside
        back = in_field.rotate(-angle, turned, mode) * inside
        found, wanted = model(turned), out_field.rotate(angle, reference, mode)
        if found.dim() >= 4 and found.shape[-1] == found.shape[-2]:
            seen = inscribed(out_field.group, found.shape[-1]).to(x)
            found, wanted = found * seen, wanted * seen
        error, baseline = equivariance_error(found, wanted), equivariance_error(back, round_x)
        rows.append((math.degrees(angle), error, baseline))
    return rows


def space_curve(
    model: Callable[[Arguments[Tensor]], Tensor],
    arguments: Arguments[Tensor],
    out_field: Field[Tensor] | None,
    angles: list[float],
) -> Rows:
    """The same about one tilted axis; voxels inside the inscribed ball, all else exactly."""
    if out_field is None or not angles:
        return []
    rows: Rows = []
    masked = arguments.mapped(_ball)
    reference = model(masked)
    axis = torch.tensor(AXIS, dtype=torch.float64)
    for angle in angles:
        g = SO3.from_axis_angle(axis, angle)
        turned = masked.turned(g).mapped(_ball)
        back = turned.turned(SO3.inverse(g)).mapped(_ball)
        found = _ball(out_field, model(turned))
        wanted = _ball(out_field, out_field.act(g, reference))
        baseline = equivariance_error(back.tensors(), masked.tensors())
        rows.append((math.degrees(angle), equivariance_error(found, wanted), baseline))
    return rows


def _ball(field: Field[Tensor] | None, x: Tensor) -> Tensor:
    if isinstance(field, IrrepMaps) and len(set(x.shape[2:])) == 1:
        return x * disc(x.shape[-1], 3).to(x)
    return x

"""Four ways to flatten the sphere, and back.

With ``c, e, n`` the components of a direction towards the image's centre, east and north:

================ ======================== ============================================
gnomonic         ``e/c, n/c``             straight lines are great circles; < half a sphere
stereographic    ``2e/(1+c), 2n/(1+c)``   angles are kept; all but one point
orthographic     ``e, n``                 the view from far away; half a sphere
equirectangular  ``atan2(e, c), asin n``  longitude and latitude; the whole sphere
================ ======================== ============================================

Source: Snyder 1987, Map Projections: A Working Manual.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["PROJECTIONS", "Projection", "projection_of"]


@dataclass(frozen=True)
class Projection:
    """One way to flatten the sphere.

    Attributes:
        flatten: components ``c, e, n`` of unit vectors to the plane ``u, v`` (right, up).
        unflatten: ``u, v`` to ``c, e, n`` (NaN where the plane has no sphere).
        half_width: of an image that spans an angle on both sides of its centre.
        visible: the least ``c`` that is shown.
        widest: the largest `extent` in radians, and whether it may be reached.
    """

    flatten: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
    unflatten: Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
    half_width: Callable[[float], float]
    visible: float
    widest: tuple[float, bool]


def _from_gnomonic(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    c = torch.rsqrt(1 + u * u + v * v)
    return c, u * c, v * c


def _from_stereographic(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    scale = 4 / (4 + u * u + v * v)  # (1 + c) / 2
    return 2 * scale - 1, u * scale, v * scale


def _from_orthographic(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return torch.sqrt(1 - u * u - v * v), u, v


def _from_equirectangular(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    inside = (u.abs() <= math.pi + 1e-9) & (v.abs() <= math.pi / 2 + 1e-9)
    one = torch.where(inside, 1.0, torch.nan)
    return v.cos() * u.cos() * one, v.cos() * u.sin(), v.sin()


PROJECTIONS = {
    "gnomonic": Projection(
        lambda c, e, n: (e / c, n / c), _from_gnomonic, math.tan, 1e-6, (math.pi, False)
    ),
    "stereographic": Projection(
        lambda c, e, n: (2 * e / (1 + c), 2 * n / (1 + c)),
        _from_stereographic,
        lambda angle: 2 * math.tan(angle / 2),
        -1 + 1e-9,
        (2 * math.pi, False),
    ),
    "orthographic": Projection(
        lambda c, e, n: (e, n), _from_orthographic, math.sin, 0.0, (math.pi, True)
    ),
    "equirectangular": Projection(
        lambda c, e, n: (torch.atan2(e, c), torch.asin(n.clamp(-1, 1))),
        _from_equirectangular,
        lambda angle: angle,
        -2.0,
        (2 * math.pi, True),
    ),
}


def projection_of(name: str, extent: float) -> tuple[Projection, float]:
    """The projection, and half the width of its image in the plane."""
    how = PROJECTIONS.get(name)
    if how is None:
        raise ValueError(f"A projection is one of {', '.join(PROJECTIONS)}; got {name!r}.")
    widest, reached = how.widest
    if not 0 < extent < widest + 1e-9 * (1 if reached else -1):
        raise ValueError(
            f"A {name} image spans {'up to' if reached else 'less than'} {widest:.4g} radians; "
            f"got {extent:.4g}. Take a smaller extent, or projection='stereographic'."
        )
    return how, how.half_width(extent / 2)

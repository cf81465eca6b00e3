"""What people hand to `RotateSphere`, as one tensor, and as pictures for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equivlab.data.arrays import native
from equivlab.projection.grids import SphereGrid
from equivlab.sphere import sample_healpix, seen
from equivlab.sphere.healpix.maps import looks_nested
from equivlab.sphere.healpix.rings import nside_of_pixels

__all__ = ["HOLE", "as_grid", "as_signals", "as_texture"]

HOLE = 255  # the level of a pixel without data; 0 to 254 are values
WANTED = (
    "signals (N, C, 2b, 2b) or HEALPix maps (N, C, 12·nside²), or one or a dict of them without N"
)


def as_signals(signals: Any) -> tuple[list[str], Tensor]:
    """Names and one tensor ``(N, C, 2b, 2b)`` or ``(N, C, 12·nside²)`` in float32.

    Raises:
        TypeError: no numbers.
        ValueError: no signals, another shape, different shapes, NEST order where it shows.
    """
    if isinstance(signals, Mapping):
        names = [str(name) for name in signals]
        listed = [_tensor(one) for one in signals.values()]
        shapes = {tuple(one.shape) for one in listed}
        if len(shapes) != 1:
            raise ValueError(f"RotateSphere takes signals of one shape; got {sorted(shapes)}.")
        x = torch.stack(listed)
        if x.dim() == 2 or (x.dim() == 3 and not _is_healpix(x)):
            x = x[:, None]  # without channels
    else:
        x = _tensor(signals)
        while x.dim() < (3 if _is_healpix(x) else 4):
            x = x[None]
        names = [f"signal {n + 1}" for n in range(len(x))]
    if x.numel() == 0 or not _fits(x):
        raise ValueError(
            f"RotateSphere takes {WANTED}; got {tuple(x.shape)}. Make some: "
            "equivlab.data.globe_signals(bandwidth=32)"
        )
    if x.dim() == 3 and looks_nested(x):
        raise ValueError("RotateSphere takes RING order; reorder: equivlab.sphere.nest_to_ring(x)")
    return names, x


def as_texture(signals: Tensor) -> Tensor:
    """The first channels as pictures in β and α, ``(N, rows, columns)`` uint8; `HOLE` for holes."""
    first = signals[:, 0]
    if first.dim() == 2:
        first = as_grid(first, 2 * nside_of_pixels(first.shape[-1]))
    known = seen(first)
    low = torch.where(known, first, torch.inf).amin((1, 2), keepdim=True)
    high = torch.where(known, first, -torch.inf).amax((1, 2), keepdim=True)
    scaled = (254 * (first - low) / (high - low).clamp_min(1e-12)).nan_to_num(0).clamp(0, 254)
    return torch.where(known, scaled.round(), HOLE).to(torch.uint8)


def as_grid(maps: Tensor, bandwidth: int) -> Tensor:
    """HEALPix maps ``(N, P)`` interpolated on the grid ``(N, 2b, 2b)``; NaN in holes."""
    points = SphereGrid(bandwidth, None).points()[:, 0]
    return sample_healpix(maps, points).view(len(maps), 2 * bandwidth, 2 * bandwidth)


def _tensor(one: Any) -> Tensor:
    try:
        return torch.as_tensor(one if isinstance(one, Tensor) else native(np.asarray(one))).float()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"RotateSphere takes {WANTED}; got {type(one).__name__}.") from error


def _is_healpix(x: Tensor) -> bool:
    side = x.shape[-1] if x.dim() else 0
    square = x.dim() >= 2 and x.shape[-2] == side
    return not square and side >= 12 and side % 12 == 0


def _fits(x: Tensor) -> bool:
    if x.dim() == 3:
        nside_of_pixels(x.shape[-1])
        return True
    return x.dim() == 4 and x.shape[-1] == x.shape[-2] and x.shape[-1] % 2 == 0

"""Data on longitude-latitude grids (climate, topography) onto the sphere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from equivlab.projection.grids import bilinear, mean_of_known, sphere_grid

__all__ = ["project_lonlat"]


def project_lonlat(
    values: Tensor | NDArray[Any],
    lon_deg: ArrayLike,
    lat_deg: ArrayLike,
    *,
    bandwidth: int | None = None,
    nside: int | None = None,
) -> Tensor:
    """Values on a longitude-latitude grid, averaged or interpolated onto the sphere.

    Args:
        values: ``(..., latitudes, longitudes)``, a tensor or an array; NaN counts as missing.
        lon_deg: longitudes in degrees, evenly spaced eastwards; all around, or a part. They may
            step from 180 to −180, or from 360 to 0, on the way.
        lat_deg: latitudes in degrees, evenly spaced, in either direction.
        bandwidth: gives samples ``(..., 2b, 2b)``.
        nside: instead of it, gives HEALPix maps ``(..., 12·nside²)``.

    Returns:
        Signals in the dtype of `values`, differentiable; NaN where there are no data.

    Raises:
        ValueError: sizes that do not fit, uneven steps, no or two grids.

    >>> lon, lat = np.arange(0, 360, 4), np.arange(-88, 90, 4)
    >>> project_lonlat(np.ones((45, 90)), lon, lat, nside=8).shape
    torch.Size([768])
    """
    grid = sphere_grid(bandwidth, nside, "project_lonlat")
    lon, lat = _coordinates(lon_deg, "longitudes"), _coordinates(lat_deg, "latitudes")
    lon = np.unwrap(lon, period=360)
    values = _as_tensor(values)
    if not values.is_floating_point() or values.shape[-2:] != (len(lat), len(lon)):
        raise ValueError(
            f"project_lonlat takes real values (..., {len(lat)}, {len(lon)}), latitudes before "
            f"longitudes; got {tuple(values.shape)} of {values.dtype}. Transpose or convert them, "
            "values.mT, values.float(), and give the coordinates in the order lon_deg, lat_deg"
        )
    up, right = _even_step(lat, lat_deg, "latitudes"), _even_step(lon, lon_deg, "longitudes")
    if right <= 0:
        raise ValueError("project_lonlat takes longitudes that grow; flip them: values.flip(-1)")
    images = values.reshape(-1, 1, *values.shape[-2:])
    around = len(lon) * right > 359.9
    if around:  # some grids repeat the first meridian at the end
        images = images[..., : round(360 / right)]
    fine = grid.fineness(math.radians(min(abs(up), right)))
    x, y, z = grid.points(fine).unbind(-1)  # (K, fine²)
    columns = (torch.rad2deg(torch.atan2(y, x)) - lon[0]) % 360 / right
    rows = (torch.rad2deg(torch.atan2(z, torch.hypot(x, y))) - lat[0]) / up
    # The data end half a step after the last coordinate; up to there they go on unchanged.
    outside = (rows < -0.5 - 1e-6) | (rows > len(lat) - 0.5 + 1e-6)
    if not around:
        columns = torch.where(columns > 360 / right - 0.5, columns - 360 / right, columns)
        outside |= columns > len(lon) - 0.5
        columns, rows = columns.clamp(0, len(lon) - 1), rows.clamp(0, len(lat) - 1)
    found = bilinear(images, rows[None], columns[None], wrap=around)
    if bool(outside.any()):
        found = torch.where(outside.to(found.device), torch.nan, found)
    return mean_of_known(found).reshape(*values.shape[:-2], *grid.shape)


def _as_tensor(values: Tensor | NDArray[Any]) -> Tensor:
    if isinstance(values, Tensor):
        return values
    array = np.asarray(values)
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=True))


def _coordinates(degrees: ArrayLike, name: str) -> NDArray[np.float64]:
    found = np.asarray(degrees, np.float64)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise ValueError(
            f"project_lonlat takes {name} as one row of finite numbers; got the shape "
            f"{found.shape}. Of a mesh take one row: numpy.unique(mesh)"
        )
    return found


def _even_step(degrees: NDArray[np.float64], given: ArrayLike, name: str) -> float:
    """The step of evenly spaced coordinates; those `given` in float32 are even to its rounding."""
    steps = np.diff(degrees)
    kind = np.asarray(given).dtype
    rounding = np.finfo(kind).eps * np.abs(np.asarray(given)).max() if kind.kind == "f" else 0.0
    if len(steps) == 0 or not np.allclose(steps, steps.mean(), rtol=1e-3, atol=2 * rounding):
        span = f"from {steps.min():g} to {steps.max():g}" if len(steps) else "missing"
        raise ValueError(
            f"project_lonlat takes evenly spaced {name}; got {len(degrees)}, with steps {span}. "
            "Interpolate onto a regular grid first: numpy.interp"
        )
    return float(steps.mean())

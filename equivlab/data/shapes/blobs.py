"""Shapes as sums of Gaussian blobs: a shape that any rotation turns exactly, on any grid.

A grid of occupied voxels has no exact free rotation: resampling blurs it, and differently for
each angle. A sum of Gaussians, one at each occupied voxel, has one: turn the centres, then
sample. With blobs wider than about 0.7 of the new grid's spacing the samples hold the function
(what lies beyond the grid's frequencies is below ``exp(−π² 0.7² / 2)``, 9 %, of an amplitude that
such shapes hardly have there), so what a network then makes of a turned shape shows the
network's error alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from equivlab.so3 import SO3

__all__ = ["blob_grids"]


def blob_grids(
    voxels: Tensor,
    size: int,
    spacing: float = 3.0,
    sigma: float = 2.0,
    *,
    rotations: Tensor | None = None,
    shifts: Tensor | None = None,
    scales: Tensor | None = None,
) -> Tensor:
    """Blobs at the occupied voxels, scaled, shifted, turned about the middle, and sampled.

    ``out(q) = Σ_p exp(−|q − R(s·p + t)|² / 2σ²) / (√(2π) σ)³`` over the occupied voxels ``p``; each
    holds a mass of 1 voxel, so ``out.sum() · spacing³`` is their number, to rounding, where the
    grid reaches far enough and σ ≥ 0.7 spacings.

    Args:
        voxels: ``(B, D, D, D)``, axes ``z y x``; what is not 0 is occupied.
        size: samples a side of the new grid, about the same middle.
        spacing: of the new grid, in voxels.
        sigma: deviation of the blobs, in voxels.
        rotations: ``R``, ``(B, 3, 3)``; none by default.
        shifts: ``t``, ``(B, 3)`` as ``x y z``, in voxels.
        scales: ``s``, ``(B,)``.

    Returns:
        ``(B, 1, size, size, size)``, float32.

    Raises:
        ValueError: another shape, a grid without occupied voxels, or as many rotations, shifts or
            scales as there are grids are not given.

    >>> one = torch.zeros(1, 3, 3, 3)
    >>> one[0, 1, 1, 1] = 1
    >>> blob_grids(one, 11, spacing=1.0, sigma=1.0).sum()
    tensor(1.0000)
    """
    _check(voxels, size, spacing, sigma, rotations, shifts, scales)
    at = (torch.arange(size, dtype=torch.float32) - (size - 1) / 2) * spacing
    middle = (voxels.shape[-1] - 1) / 2
    out = torch.empty(len(voxels), 1, size, size, size)
    for n, grid in enumerate(voxels):
        places = (grid.nonzero() - middle).flip(1).float()  # (P, 3), x y z
        if not len(places):
            raise ValueError(
                f"blob_grids: grid {n} of {len(voxels)} has no occupied voxel. Leave it out: "
                "voxels[voxels.flatten(1).any(1)]"
            )
        if scales is not None:
            places = places * float(scales[n])
        if shifts is not None:
            places = places + shifts[n].to(places)
        if rotations is not None:
            places = places @ rotations[n].T.to(places)
        away = (at - places[:, :, None]) / sigma
        along = torch.exp(-(away**2) / 2) / (math.sqrt(2 * math.pi) * sigma)  # (P, 3, size)
        x, y, z = along.unbind(1)
        plane = (z[:, :, None] * y[:, None]).flatten(1)  # (P, size²)
        out[n, 0] = (plane.T @ x).view(size, size, size)
    return out


def _check(
    voxels: Tensor,
    size: int,
    spacing: float,
    sigma: float,
    rotations: Tensor | None,
    shifts: Tensor | None,
    scales: Tensor | None,
) -> None:
    if voxels.dim() != 4 or len(set(voxels.shape[1:])) != 1 or voxels.numel() == 0:
        raise ValueError(
            f"blob_grids takes cubic grids (B, D, D, D); got {tuple(voxels.shape)}. Leave the "
            "channel axis out: voxels[:, 0]"
        )
    if size < 1 or not spacing > 0 or not sigma > 0:
        raise ValueError(
            "blob_grids takes a size of 1 or more and a spacing and sigma above 0, in voxels; got "
            f"size={size}, spacing={spacing}, sigma={sigma}."
        )
    count = len(voxels)
    for name, value, shape in (
        ("rotations", rotations, (count, 3, 3)),
        ("shifts", shifts, (count, 3)),
        ("scales", scales, (count,)),
    ):
        if value is not None and tuple(value.shape) != shape:
            raise ValueError(f"blob_grids takes {name} {shape}; got {tuple(value.shape)}.")
    if rotations is not None:
        SO3.check(rotations)

"""Pictures onto the sphere, and the sphere into pictures.

An image is a window onto the sphere, in one of four classical projections
(`equivlab.projection.formulas`). Seen from outside, north up, east is on the right.

>>> import math, torch
>>> from equivlab.so3 import SO3
>>> on_equator = SO3.from_zyz(math.pi / 4, math.pi / 2, 0)  # longitude, colatitude, roll
>>> project_image(torch.ones(1, 1, 28, 28), bandwidth=30, rotation=on_equator).shape
torch.Size([1, 1, 60, 60])
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from numbers import Integral

import torch
from torch import Tensor

from equivlab.projection.formulas import projection_of
from equivlab.projection.grids import (
    SphereGrid,
    bilinear,
    mean_of_known,
    shrink,
    sphere_grid,
)
from equivlab.so3 import SO3
from equivlab.sphere.healpix.maps import sample_healpix, seen
from equivlab.sphere.healpix.rings import nside_of_pixels

__all__ = ["project_image", "view_sphere"]

AT_ONCE = 2**22  # numbers in a list of turned points: 32 MB
POINTS_A_SIDE = 4  # inside a sample, where an image is finer than the grid


def project_image(
    images: Tensor,
    *,
    bandwidth: int | None = None,
    nside: int | None = None,
    projection: str = "gnomonic",
    extent: float = math.pi / 2,
    rotation: Tensor | None = None,
    background: float = 0.0,
) -> Tensor:
    """Put planar images on the sphere, anywhere and in any size, without aliasing.

    Every sample averages the image over its own area where the image has more detail than the
    grid. Not exactly equivariant: the signal is not band-limited, and what lies above the
    bandwidth is lost. The law holds for what `s2_fft` or `healpix_sht` then sees; at bandwidth 30
    to 1 % for smooth pictures over a quarter of a circle, to 6 % for MNIST's sharp digits.

    Args:
        images: ``(B, C, H, W)``. NaN pixels count as missing and make NaN where nothing else is.
        bandwidth: gives samples ``(B, C, 2b, 2b)``.
        nside: instead of it, gives HEALPix maps ``(B, C, 12·nside²)``.
        projection: ``'gnomonic'``, ``'stereographic'``, ``'orthographic'`` or
            ``'equirectangular'``.
        extent: the angle in radians from the left edge to the right, through the centre.
        rotation: where the image goes: ``(3, 3)``, or one for each image ``(B, 3, 3)``. The
            identity puts it on the north pole, ``SO3.from_zyz(longitude, colatitude, roll)``
            anywhere, rolled counter-clockwise.
        background: the value elsewhere.

    Returns:
        Signals in the dtype of `images`, differentiable.

    Raises:
        ValueError: no images, an unknown projection, an impossible extent, no or two grids.

    Source:
        Snyder 1987, Map Projections: A Working Manual; the digits of Cohen et al. 2018.
    """
    _check_images(images, "project_image")
    grid = sphere_grid(bandwidth, nside, "project_image")
    how, half = projection_of(projection, extent)
    H, W = images.shape[-2:]
    half_height = half * H / W
    whole = projection == "equirectangular" and extent > 2 * math.pi - 1e-9 and W == 2 * H
    # Averages over very many pixels are cheaper, and smoother, in two steps.
    blocks = int(grid.spacing * W / extent / POINTS_A_SIDE)
    if blocks > 1:
        images = shrink(images, blocks)
        H, W = images.shape[-2:]
    points = grid.points(grid.fineness(extent / W))  # (K, fine², 3)
    turns = _rotations(rotation, len(images))
    signals = []
    for some, turn in _in_parts(images - background, turns, AT_ONCE // points.numel()):
        c, e, n = _local(points, turn)  # (B or 1, K, fine²)
        u, v = how.flatten(c, e, n)
        columns, rows = (1 + u / half) * W / 2 - 0.5, (1 - v / half_height) * H / 2 - 0.5
        # Behind the horizon the formulas fold over: send those points out of the frame.
        hidden = c <= how.visible
        columns, rows = columns.masked_fill(hidden, -9.0), rows.masked_fill(hidden, -9.0)
        signals.append(mean_of_known(bilinear(some, rows, columns, wrap=whole)))
    return torch.cat(signals).reshape(*images.shape[:2], *grid.shape) + background


def view_sphere(
    x: Tensor,
    size: int | tuple[int, int],
    *,
    projection: str = "orthographic",
    extent: float = math.pi,
    rotation: Tensor | None = None,
    background: float = 0.0,
) -> Tensor:
    """Images of signals on the sphere: the way back from `project_image`.

    Values between the samples are interpolated linearly; where the image is coarser than the
    signal, each pixel averages over its area.

    Args:
        x: samples ``(B, C, 2b, 2b)`` or HEALPix maps ``(B, C, 12·nside²)``.
        size: rows and columns.
        projection: as in `project_image`.
        extent: the angle in radians from the left edge to the right, through the centre.
        rotation: where the image looks, as in `project_image`.
        background: the value outside the sphere and of missing pixels.

    Returns:
        ``(B, C, H, W)``, differentiable.

    Raises:
        ValueError: no signal, an unknown projection or an impossible extent.
    """
    how, half = projection_of(projection, extent)
    grid = _grid_of(x)
    H, W = (size, size) if isinstance(size, int | Integral) else size
    fine = max(1, min(8, math.ceil(extent / W / grid.spacing - 0.01)))
    inside = (torch.arange(fine, dtype=torch.float64) + 0.5) / fine - 0.5
    u = ((torch.arange(W)[:, None] + inside).view(1, W, 1, fine) + 0.5) * (2 / W) - 1
    v = (H - 1 - 2 * (torch.arange(H)[:, None] + inside)).view(H, 1, fine, 1) / W
    u, v = torch.broadcast_tensors(u * half, v * half)
    c, e, n = how.unflatten(u, v)
    there = torch.isfinite(c)
    local = torch.stack([-n, e, c], -1)
    points = torch.where(there[..., None], local, torch.tensor([0.0, 0.0, 1.0], dtype=local.dtype))
    turned = points if rotation is None else points @ SO3.check(rotation).cpu().mT
    values = _values(x, grid, turned.flatten(0, -2)).unflatten(-1, (H, W, fine * fine))
    kept = torch.where(there.flatten(-2).to(x.device), values, torch.nan)
    return torch.nan_to_num(mean_of_known(kept), nan=background)


def _check_images(images: Tensor, taker: str) -> None:
    real = isinstance(images, Tensor) and images.is_floating_point()
    if not real or images.dim() != 4 or images.numel() == 0:
        got = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        kind = f" of {images.dtype}" if isinstance(images, Tensor) else ""
        raise ValueError(
            f"{taker} takes images (B, C, H, W) of real numbers, at least one; got {got}{kind}. "
            "Add the missing axes, image[None, None], and convert: image.float() / 255"
        )


def _rotations(rotation: Tensor | None, count: int) -> Tensor:
    """``(1, 3, 3)`` or ``(count, 3, 3)``."""
    turns = SO3.check(SO3.identity if rotation is None else rotation).cpu().reshape(-1, 3, 3)
    if len(turns) not in (1, count):
        raise ValueError(f"project_image takes one rotation or {count}; got {len(turns)}.")
    return turns


def _in_parts(images: Tensor, turns: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and their rotations, `size` at a time where each has its own."""
    if len(turns) == 1:
        yield images, turns
        return
    yield from zip(images.split(max(1, size)), turns.split(max(1, size)), strict=True)


def _local(points: Tensor, turns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Components of directions towards the image's centre, east and north; (B or 1, K, s)."""
    x, y, z = torch.einsum("ksj,bji->ibks", points, turns)  # R⁻¹ applied to each direction
    return z, y, -x


def _grid_of(x: Tensor) -> SphereGrid:
    """The grid on which a signal stands."""
    if x.dim() == 4 and x.shape[-1] == x.shape[-2] and x.shape[-1] % 2 == 0:
        return SphereGrid(x.shape[-1] // 2, None)
    if x.dim() == 3:
        return SphereGrid(None, nside_of_pixels(x.shape[-1]))
    raise ValueError(
        f"view_sphere takes samples (B, C, 2b, 2b) or HEALPix maps (B, C, 12·nside²); got "
        f"{tuple(x.shape)}. Add the missing axes: x[None]"
    )


def _values(x: Tensor, grid: SphereGrid, points: Tensor) -> Tensor:
    """The signal in directions ``(K, 3)``: ``(B, C, K)``, NaN where it has none."""
    if grid.nside is not None:
        return sample_healpix(x, points)
    px, py, pz = points.unbind(-1)
    rows = torch.atan2(torch.hypot(px, py), pz) / grid.spacing - 0.5
    columns = torch.atan2(py, px) / (2 * grid.spacing)
    return bilinear(torch.where(seen(x), x, torch.nan), rows[None], columns[None], wrap=True)

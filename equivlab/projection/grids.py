"""Where a projection is evaluated: the samples of a grid on the sphere, and points inside them.

A sample that is coarser than what it looks at must average, or fine detail turns into false
coarse detail (aliasing). So every target can be asked for ``fine²`` points inside each sample,
spread evenly over its area.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.sphere.grid import dh_angles
from equivlab.sphere.healpix.rings import check_nside, nest_of_ring, pixel_centres, ring_of_nest

__all__ = ["SphereGrid", "bilinear", "mean_of_known", "shrink", "sphere_grid"]

MOST_FINE = 16  # points a side inside one sample


@dataclass(frozen=True)
class SphereGrid:
    """A Driscoll–Healy grid of some bandwidth, or a HEALPix grid of some nside.

    Attributes:
        bandwidth: ``b`` of a grid ``(2b, 2b)``, or None.
        nside: of a grid ``(12·nside²,)``, or None.
    """

    bandwidth: int | None
    nside: int | None

    @property
    def shape(self) -> tuple[int, ...]:
        """The axes of one signal."""
        if self.nside is not None:
            return (12 * self.nside**2,)
        side = 2 * (self.bandwidth or 0)
        return (side, side)

    @property
    def spacing(self) -> float:
        """The distance of neighbouring samples in radians; between rows, where it varies."""
        if self.nside is not None:
            return math.sqrt(4 * math.pi / (12 * self.nside**2))
        return math.pi / self.shape[0]

    def fineness(self, detail: float) -> int:
        """How many points a side resolve `detail` (radians): 1 where the grid does by itself."""
        wanted = min(MOST_FINE, max(1, math.ceil(self.spacing / detail - 0.01)))
        return wanted if self.nside is None else 1 << (wanted - 1).bit_length()

    def points(self, fine: int = 1) -> Tensor:
        """Unit vectors ``(K, fine², 3)``, float64: `fine²` in each of the ``K`` samples."""
        if self.nside is not None:
            finer = self.nside * fine
            children = pixel_centres(finer)[ring_of_nest(finer)].reshape(-1, fine * fine, 3)
            return torch.from_numpy(children[nest_of_ring(self.nside)])
        beta, alpha = dh_angles(self.bandwidth or 0)
        inside = (torch.arange(fine, dtype=torch.float64) + 0.5) / fine - 0.5
        beta = beta[:, None, None, None] + inside[:, None] * self.spacing  # (2b, 1, fine, 1)
        alpha = alpha[:, None, None] + inside * 2 * self.spacing  # (2b, 1, fine)
        beta, alpha = torch.broadcast_tensors(beta, alpha)
        out = torch.stack([beta.sin() * alpha.cos(), beta.sin() * alpha.sin(), beta.cos()], -1)
        return out.reshape(-1, fine * fine, 3)


def sphere_grid(bandwidth: int | None, nside: int | None, taker: str) -> SphereGrid:
    """The grid that a caller asked for: exactly one of the two.

    Args:
        bandwidth: ``b``, for ``(2b, 2b)`` samples; or None.
        nside: for ``12·nside²`` HEALPix pixels; or None.
        taker: who wants it, for the messages.

    Raises:
        ValueError: none or both, a bandwidth below 1, or an nside that is no power of two.
    """
    if (bandwidth is None) == (nside is None):
        raise ValueError(
            f"{taker} projects onto one grid; got bandwidth={bandwidth} and nside={nside}. "
            "Give bandwidth=b for (2b, 2b) samples, or nside=n for 12·n² HEALPix pixels."
        )
    if nside is not None:
        nside = check_nside(nside)
    elif bandwidth is not None and bandwidth < 1:
        raise ValueError(f"{taker} takes a bandwidth of 1 or more; got {bandwidth}.")
    return SphereGrid(bandwidth, nside)


def bilinear(images: Tensor, rows: Tensor, columns: Tensor, *, wrap: bool) -> Tensor:
    """Values of images between pixels, ``(B, C, ...)``; pixel ``(i, j)`` has its centre there.

    Pixels with NaN or infinity are left out and their weight shared; NaN where none is left.

    Args:
        images: ``(B, C, H, W)``.
        rows: ``(B, ...)`` or ``(1, ...)``, in pixels from the centre of row 0.
        columns: as `rows`.
        wrap: columns continue at the other side, and rows end at the poles. Without it, zeros
            surround the image.
    """
    if wrap:  # one column more at either side; past a pole lies the opposite meridian
        half = images.shape[-1] // 2
        over = [images[..., :1, :].roll(half, -1), images, images[..., -1:, :].roll(half, -1)]
        images = torch.cat(over, -2)
        images = torch.cat([images[..., -1:], images, images[..., :1]], -1)
        columns = columns % (images.shape[-1] - 2) + 1
        rows = rows.clamp(-1, images.shape[-2] - 2) + 1
    missing = ~torch.isfinite(images)
    if bool(missing.any()):
        bad = _grid_sample(missing.to(images.dtype), rows, columns)
        total = _grid_sample(torch.where(missing, 0, images), rows, columns)
        return torch.where(bad < 1 - 1e-6, total / (1 - bad).clamp_min(1e-6), torch.nan)
    return _grid_sample(images, rows, columns)


def _grid_sample(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """`torch.nn.functional.grid_sample` at pixel positions, a few samples at a time."""
    H, W = images.shape[-2:]
    place = torch.stack([(2 * columns + 1) / W - 1, (2 * rows + 1) / H - 1], -1)
    place = place.flatten(1, -2)[:, None].to(images)  # (B or 1, 1, K, 2)
    at_once = max(1, 2**22 // (place.shape[2] * images.shape[1]))
    parts = []
    for begin in range(0, len(images), at_once):
        some = images[begin : begin + at_once]
        there = place if len(place) == 1 else place[begin : begin + at_once]
        there = there.expand(len(some), -1, -1, -1)
        parts.append(F.grid_sample(some, there, align_corners=False)[:, :, 0])
    out: Tensor = torch.cat(parts).unflatten(-1, rows.shape[1:])
    return out


def mean_of_known(values: Tensor) -> Tensor:
    """The mean over the last axis without NaN; NaN where all are."""
    if bool(torch.isnan(values).any()):
        return torch.nanmean(values, -1)
    return values.mean(-1)


def shrink(images: Tensor, factor: int) -> Tensor:
    """Means over blocks of about `factor` by `factor` pixels without NaN, ``(B, C, H', W')``."""
    height, width = images.shape[-2:]
    size = max(1, round(height / factor)), max(1, round(width / factor))
    known = torch.isfinite(images)
    share = F.adaptive_avg_pool2d(known.to(images.dtype), size)
    total = F.adaptive_avg_pool2d(torch.where(known, images, 0), size)
    return torch.where(share > 0, total / share.clamp_min(1e-12), torch.nan)

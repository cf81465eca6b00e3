"""HEALPix maps as pixels: the two orders, resolution, holes, and values between the centres."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from equivlab.sphere.healpix.rings import (
    Floats,
    Ints,
    Rings,
    check_nside,
    nest_of_ring,
    nside_of_pixels,
    ring_of_nest,
    rings,
)
from equivlab.tables import remembered

__all__ = [
    "UNSEEN",
    "looks_nested",
    "nest_to_ring",
    "ring_to_nest",
    "sample_healpix",
    "seen",
    "ud_grade",
]

UNSEEN = -1.6375e30
"""The value that HEALPix software writes into pixels without data."""

LARGEST_VALUE = 1e30  # |UNSEEN| is 1.6e30: what is not below this is no value
SQUARABLE = 1e15  # the squares of smaller numbers, and their sum, fit into float32
ROUGHER = 0.5  # of the roughness in one order, below which the map must be in the other


def seen(maps: Tensor) -> Tensor:
    """Which pixels hold data: False for UNSEEN, NaN and infinity; a mask as `maps`.

    >>> seen(torch.tensor([1.0, UNSEEN, float("nan")]))
    tensor([ True, False, False])
    """
    return maps.abs() < LARGEST_VALUE  # a comparison with NaN is False


def nest_to_ring(maps: Tensor) -> Tensor:
    """Maps ``(..., 12·nside²)`` in NEST order to RING order.

    >>> int(nest_to_ring(torch.arange(12.0 * 4))[0])  # the first pixel of the first ring
    3
    """
    return maps[..., _as_index(nest_of_ring(nside_of_pixels(maps.shape[-1])), maps)]


def ring_to_nest(maps: Tensor) -> Tensor:
    """Maps ``(..., 12·nside²)`` in RING order to NEST order."""
    return maps[..., _as_index(ring_of_nest(nside_of_pixels(maps.shape[-1])), maps)]


def ud_grade(maps: Tensor, nside: int, *, nest: bool = False) -> Tensor:
    """Bring maps to another resolution: the mean of the seen children, or copies of the parent.

    A mean over pixels is no low-pass: degrees above ``2·nside`` fold back. Where that matters
    go through the spectrum, ``healpix_isht(healpix_sht(maps, lmax), nside)``.

    Args:
        maps: ``(..., 12·nside_in²)``; UNSEEN and NaN pixels count as holes.
        nside: the new resolution.
        nest: whether the maps are, and the result shall be, in NEST order.

    Returns:
        ``(..., 12·nside²)``; UNSEEN where no child was seen.
    """
    before = nside_of_pixels(maps.shape[-1])
    nside = check_nside(nside)
    x = maps if nest else ring_to_nest(maps)
    if nside < before:
        children = x.unflatten(-1, (12 * nside**2, (before // nside) ** 2))
        known = seen(children)
        count = known.sum(-1)
        total = torch.where(known, children, 0).sum(-1)
        x = torch.where(count > 0, total / count.clamp_min(1), UNSEEN)
    elif nside > before:
        x = x.repeat_interleave((nside // before) ** 2, -1)
    return x if nest else nest_to_ring(x)


def looks_nested(maps: Tensor) -> bool:
    """Whether maps that should be in RING order must be in NEST order.

    A smooth map is rough in the wrong order. Differences between neighbours near the equator
    are compared in both; noise is equally rough in both and cannot be told, nor can maps
    below nside 4. Looks at the first map only.
    """
    nside = nside_of_pixels(maps.shape[-1])
    if nside < 4:
        return False
    one = maps.detach().reshape(-1, maps.shape[-1])[0].cpu()
    first = (one.float() if one.itemsize < 4 else one).numpy()  # NumPy has no bfloat16
    ends = first.take(_belt_pairs(nside))  # (end, RING or NEST order, pair)
    if not np.abs(ends).max() < SQUARABLE:  # leave the pairs with holes out
        known = (np.abs(ends) < LARGEST_VALUE).all(0)
        ends = np.where(known, ends, 0).astype(np.float64)
    ring, nest = ends[1] - ends[0]
    return bool(nest @ nest < ROUGHER * (ring @ ring))


@remembered(maxsize=16)
def _belt_pairs(nside: int) -> Ints:
    """Neighbours to the east and two rings to the south, on some whole rings about the equator.

    ``(2, 2, pairs)``: either end, the pixel if the map is in RING or in NEST order, pair.
    """
    count = min(2 * nside + 1, 3 + 32 // nside)
    begin = int(rings(nside).first[2 * nside - 1 - count // 2])
    belt = np.arange(begin, begin + count * 4 * nside).reshape(count, 4 * nside)
    here = np.concatenate([belt[:, :-1].ravel(), belt[:-2].ravel()])
    there = np.concatenate([belt[:, 1:].ravel(), belt[2:].ravel()])
    pairs = np.stack([here, there])
    return np.stack([pairs, nest_of_ring(nside)[pairs]], 1)


def sample_healpix(maps: Tensor, points: Tensor) -> Tensor:
    """Values between the centres, linear along the two nearest rings and between them.

    The four neighbours and weights are those of `healpy.get_interp_val`; constants come out
    exactly. A neighbour without data is left out, and its weight shared among the others.

    Args:
        maps: ``(..., 12·nside²)``, RING.
        points: directions ``(K, 3)``, of any length but 0.

    Returns:
        ``(..., K)``, differentiable in `maps`; NaN where all four neighbours are missing.
    """
    nside = nside_of_pixels(maps.shape[-1])
    index, weight = _neighbours(nside, points.detach().cpu().double().numpy())
    near = maps[..., _as_index(index, maps)]  # (..., K, 4)
    known = seen(near)
    share = torch.from_numpy(weight).to(maps) * known
    total = share.sum(-1)
    value = (torch.where(known, near, 0) * share).sum(-1) / total
    return torch.where(total > 0, value, torch.nan)


def _neighbours(nside: int, points: Floats) -> tuple[Ints, Floats]:
    """The four pixels around each direction, and their weights, ``(K, 4)``."""
    of = rings(nside)
    theta = np.arctan2(np.hypot(points[:, 0], points[:, 1]), points[:, 2])
    phi = np.arctan2(points[:, 1], points[:, 0]) % (2 * np.pi)
    angles = np.concatenate([[0.0], of.theta, [np.pi]])  # the poles close the grid
    south = np.searchsorted(of.theta, theta)  # the ring below each point
    down = (theta - angles[south]) / (angles[south + 1] - angles[south])
    last = len(of.z) - 1
    index, weight = np.empty((len(theta), 4), np.int64), np.empty((len(theta), 4))
    for pair, (ring, share) in enumerate(((south - 1, 1 - down), (south, down))):
        ring = np.clip(ring, 0, last)
        left, rest = _along_ring(of, ring, phi)
        for step, part in ((0, 1 - rest), (1, rest)):
            index[:, 2 * pair + step] = of.first[ring] + (left + step) % of.count[ring]
            weight[:, 2 * pair + step] = share * part
    # Between a pole and the ring of four around it: the pole stands for the mean of the four.
    cap = (south == 0) | (south > last)
    ring = np.where(south[cap] == 0, 0, last)
    left, rest = _along_ring(of, ring, phi[cap])
    outwards = np.where(south[cap] == 0, down[cap], 1 - down[cap])[:, None]
    index[cap] = of.first[ring][:, None] + (left[:, None] + np.arange(4)) % 4
    on_ring = np.stack([1 - rest, rest, 0 * rest, 0 * rest], 1)
    weight[cap] = (1 - outwards) / 4 + outwards * on_ring
    return index, weight


def _along_ring(of: Rings, ring: Ints, phi: Floats) -> tuple[Ints, Floats]:
    """The pixel to the west of each longitude, and how far the point is on the way east."""
    turn = (phi - of.phi0[ring]) * of.count[ring] / (2 * np.pi)
    left = np.floor(turn)
    return left.astype(np.int64), turn - left


def _as_index(index: Ints, like: Tensor) -> Tensor:
    return torch.from_numpy(index).to(like.device)

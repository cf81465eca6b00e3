"""Where HEALPix pixels are: rings, centres, the two orders, and the weights of a quadrature.

HEALPix (Górski et al. 2005) cuts the sphere into ``12·nside²`` pixels of equal area, whose
centres lie on ``4·nside − 1`` rings of constant latitude: that makes a fast transform possible.
RING order counts along the rings from north to south; NEST order counts within the twelve
base faces, so that the four children of a pixel follow each other. This package computes in
RING order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from equivlab.tables import remembered

__all__ = [
    "Rings",
    "check_nside",
    "every_second_bit",
    "nest_of_ring",
    "nside_of_pixels",
    "pixel_centres",
    "ring_of_nest",
    "ring_weights",
    "rings",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# The degree up to which the official weights integrate exactly; 3.5·nside for what is not here.
EXACT_DEGREE = {2: 2, 4: 8, 8: 24, 16: 48, 32: 100, 64: 226, 128: 454, 256: 768, 512: 1700}
# Row and column in which each base face begins (Górski et al. 2005, section 5.1).
FACE_ROW = np.array([2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4])
FACE_COLUMN = np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7])


@dataclass(frozen=True, eq=False)
class Rings:
    """The ``4·nside − 1`` rings of a HEALPix grid, north to south.

    Attributes:
        nside: the resolution.
        z: cosine of the colatitude, ``(R,)``.
        count: pixels on the ring.
        first: index (RING) of its first pixel.
        phi0: longitude of that pixel in radians.
    """

    nside: int
    z: Floats
    count: Ints
    first: Ints
    phi0: Floats

    @property
    def pixels(self) -> int:
        """``12·nside²``."""
        return 12 * self.nside**2

    @property
    def theta(self) -> Floats:
        """Colatitude in radians, accurate near the poles too."""
        return np.arctan2(self.sin_theta, self.z)

    @property
    def sin_theta(self) -> Floats:
        """Sine of the colatitude; ``1 − z`` loses digits near the poles, hence by the index."""
        i = np.arange(1, 4 * self.nside)
        from_pole = np.minimum(i, 4 * self.nside - i)
        small = from_pole**2 / (3 * self.nside**2)  # 1 − |z| on the polar caps
        on_cap = np.sqrt(small * (2 - small))
        return np.where(from_pole < self.nside, on_cap, np.sqrt((1 - self.z) * (1 + self.z)))


def check_nside(nside: int) -> int:
    """Return `nside` as an `int` if it is 1, 2, 4, 8, ..., else raise `ValueError`."""
    whole = isinstance(nside, Integral) and not isinstance(nside, bool)
    if not whole or nside < 1 or nside & (nside - 1):
        raise ValueError(
            f"nside is a power of two: 1, 2, 4, ..., 8192; got {nside!r}. Bring a map to the next "
            "one with ud_grade(map, nside)"
        )
    return int(nside)


def nside_of_pixels(pixels: int) -> int:
    """The resolution of a map of so many pixels, ``√(pixels / 12)``.

    Raises:
        ValueError: there is none, or it is no power of two.
    """
    nside = math.isqrt(pixels // 12)
    if pixels < 12 or 12 * nside * nside != pixels:
        near = 1 << max(0, round(math.log2(max(1.0, math.sqrt(pixels / 12)))))
        raise ValueError(
            f"A HEALPix map has 12·nside² pixels; got {pixels}. nside {near} has {12 * near**2}. "
            "An equiangular map goes by project_lonlat(values, lon_deg, lat_deg, nside=...)"
        )
    return check_nside(nside)


@remembered(maxsize=32)
def rings(nside: int) -> Rings:
    """The rings of resolution `nside`."""
    check_nside(nside)
    i = np.arange(1, 4 * nside)
    from_pole = np.minimum(i, 4 * nside - i)
    on_cap = from_pole < nside
    count = np.where(on_cap, 4 * from_pole, 4 * nside)
    cap = np.where(i < nside, 1.0, -1.0) * (1 - from_pole**2 / (3 * nside**2))
    z = np.where(on_cap, cap, 4 / 3 - 2 * i / (3 * nside))
    half_step = np.where(on_cap, True, (i - nside) % 2 == 0)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    return Rings(nside, z, count, first, np.where(half_step, np.pi / count, 0.0))


@remembered(maxsize=8)
def pixel_centres(nside: int) -> Floats:
    """Unit vectors ``(12·nside², 3)`` to the centres of the pixels, RING order."""
    of = rings(nside)
    ring = np.repeat(np.arange(len(of.z)), of.count)
    place = np.arange(of.pixels) - of.first[ring]
    phi = of.phi0[ring] + 2 * np.pi * place / of.count[ring]
    s = of.sin_theta[ring]
    return np.stack([s * np.cos(phi), s * np.sin(phi), of.z[ring]], 1)


@remembered(maxsize=16)
def ring_weights(nside: int) -> Floats:
    """Factors on the pixel area, one for each ring ``(R,)``, that integrate better than ones.

    Of all weights that are the same on a ring and its mirror image and that integrate every
    zonal harmonic up to a degree exactly, those nearest to uniform: ``Σ (count·(w − 1))²`` is
    least. For nside 2 to 512 they equal the files that come with healpy (``use_weights=True``)
    to 2e-12, without a file.
    For nside 1 there is nothing to gain: ones.
    """
    if check_nside(nside) == 1:
        return np.ones(3)
    of, half = rings(nside), 2 * nside
    pairs = of.count[:half] * np.where(np.arange(half) == half - 1, 1.0, 2.0)
    degree = EXACT_DEGREE.get(nside, 7 * nside // 2)
    even = legendre.legvander(of.z[:half], degree)[:, ::2]  # odd degrees cancel by symmetry
    wanted = np.eye(even.shape[1])[0] - pairs @ even / of.pixels
    # In the unknowns count·(w − 1) / pixels the least-norm solution is what is asked for.
    change = np.linalg.lstsq(even.T, wanted, rcond=None)[0] * of.pixels / pairs
    north = 1 + change
    return np.concatenate([north, north[:-1][::-1]])


@remembered(maxsize=8)
def nest_of_ring(nside: int) -> Ints:
    """For each RING pixel its NEST index, ``(12·nside²,)``."""
    ring_index = ring_of_nest(nside)
    back = np.empty_like(ring_index)
    back[ring_index] = np.arange(len(ring_index))
    return back


@remembered(maxsize=8)
def ring_of_nest(nside: int) -> Ints:
    """For each NEST pixel its RING index, ``(12·nside²,)``."""
    of = rings(nside)
    face, within = np.divmod(np.arange(of.pixels), nside * nside)
    x, y = every_second_bit(within), every_second_bit(within >> 1)
    ring = FACE_ROW[face] * nside - x - y - 1  # 1 is the northernmost
    length = of.count[ring - 1] // 4
    shifted = np.where(length < nside, 0, (ring - nside) & 1)
    place = (FACE_COLUMN[face] * length + x - y + 1 + shifted) // 2 - 1
    index: Ints = of.first[ring - 1] + place % of.count[ring - 1]
    return index


def every_second_bit(number: Ints) -> Ints:
    """Bits 0, 2, 4, ... of each number, closed up."""
    out = np.zeros_like(number)
    for bit in range(24):
        out |= ((number >> (2 * bit)) & 1) << bit
    return out

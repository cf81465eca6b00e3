"""Legendre functions on the rings of a HEALPix grid, to double precision."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from equivlab.sphere.healpix.rings import Floats

__all__ = ["legendre_on_rings", "legendre_rows"]


def legendre_rows(lmax: int, z: Floats, sin_theta: Floats) -> Iterator[Floats]:
    """``Λ_lm(θ)`` for one ``l`` after the other, float64 ``(l + 1, R)``.

    Real orthonormal harmonics at ``φ = 0``, ``m = 0…l``, by the recursion in ``l``, stable
    upwards. `equivlab.sphere.wigner` has the same functions from angles; these come from ``z``,
    which HEALPix knows exactly.
    """
    diagonal = np.full(len(z), math.sqrt(1 / (4 * math.pi)))  # without the √2 of m > 0
    before, row = np.zeros((0, len(z))), diagonal[None]
    yield row
    for ell in range(1, lmax + 1):
        n = np.arange(ell)[:, None]
        up = np.sqrt((4 * ell * ell - 1) / (ell * ell - n * n))
        square = (ell - 1) ** 2
        down = np.sqrt(np.maximum(square - n * n, 0) / max(4 * square - 1, 1))
        grown = z * row
        grown[:-1] -= down[:-1] * before  # the last order has none before
        diagonal = diagonal * sin_theta * math.sqrt((2 * ell + 1) / (2 * ell))
        before, row = row, np.concatenate([up * grown, math.sqrt(2) * diagonal[None]])
        yield row


def legendre_on_rings(lmax: int, z: Floats, sin_theta: Floats) -> Floats:
    """All of `legendre_rows`, ``(M, L, R)``; zero for ``l < m``."""
    out = np.zeros((lmax + 1, lmax + 1, len(z)))
    for ell, row in enumerate(legendre_rows(lmax, z, sin_theta)):
        out[: ell + 1, ell] = row
    return out

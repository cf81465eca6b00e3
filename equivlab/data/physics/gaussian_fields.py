"""Gaussian random fields by their spectral index: power ``P(k) ∝ k⁻ⁿ`` with n = 0, 1, 2, 3.

Such fields are the first guess for the density of the early universe, clouds, and surfaces; their
power spectrum is all there is to know about them (Peebles, The Large-Scale Structure of the
Universe, 1980). The field has the deviation 1 in the mean over the ensemble, and no mean.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from equivlab.data.physics.spectral import random_field, wavenumbers

__all__ = ["draw_gaussian_fields"]

Array = NDArray[np.float64]
INDICES = (0.0, 1.0, 2.0, 3.0)


@cache
def _amplitude(index: float, size: int) -> Array:
    k = wavenumbers(size)
    amplitude = np.where(k > 0, np.maximum(k, k[0, 1]) ** (-index / 2), 0.0)
    twice = np.full(k.shape[1], 2.0)  # a real transform keeps half of the plane
    twice[[0, -1]] = 1
    inside = amplitude**2 * (k <= np.pi) * twice
    return np.asarray(amplitude / np.sqrt(inside.sum() / (k.shape[0] ** 2)))


def draw_gaussian_fields(label: int, rng: np.random.Generator, size: int) -> Array:
    """A field ``(size, size)`` of deviation 1."""
    return random_field(rng, _amplitude(INDICES[label], size), size)

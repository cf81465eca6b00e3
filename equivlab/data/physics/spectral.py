"""Isotropic Gaussian random fields on the plane, from the power spectrum alone."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

__all__ = ["random_field", "wavenumbers"]

Array = NDArray[np.float64]
PERIODS = 2  # the torus is so much larger than the image, which then has no seams that match


@cache
def wavenumbers(size: int) -> Array:
    """``|k|`` in radians a pixel of a real transform on the torus around an image."""
    side = PERIODS * size
    rows, columns = np.fft.fftfreq(side), np.fft.rfftfreq(side)
    k: Array = 2 * np.pi * np.hypot(rows[:, None], columns)
    k.flags.writeable = False
    return k


def random_field(rng: np.random.Generator, amplitude: Array, size: int) -> Array:
    """A Gaussian field ``(size, size)`` whose power at ``k`` is ``amplitude²``.

    White noise of one a pixel is filtered, so ``amplitude = 1`` gives it back. What lies in the
    corners of the square of wavenumbers, ``|k| > π``, is left out: only a disc is round.

    Args:
        rng: of the noise.
        amplitude: at each of `wavenumbers`.
        size: rows and columns.
    """
    side = PERIODS * size
    noise = fft.rfft2(rng.standard_normal((side, side)))
    inside = wavenumbers(size) <= np.pi
    field = fft.irfft2(noise * amplitude * inside, (side, side))
    return np.asarray(field[:size, :size])

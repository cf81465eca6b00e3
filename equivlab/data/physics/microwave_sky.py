"""Patches of the cosmic microwave background by the geometry of space; temperature in μK.

The sky is Gaussian, with power ``D_ℓ = ℓ(ℓ+1)C_ℓ/2π``: a plateau at low ℓ, then the acoustic peaks,
then damping. Peaks and troughs stand where Planck saw them (Planck 2018 results I, A&A 641, A1,
2020, the table of peaks), and a monotone curve through them stands for the rest. In an ``open``
universe with little matter light bends apart, and the same sound horizon is seen at a smaller
angle: all acoustic ℓ are 1.8 times as large (Ω = 0.3; Kamionkowski, Spergel & Sugiyama, ApJ 426,
1994, ``ℓ ∝ Ω^(−1/2)``). With ``no_peaks``, as from defects, there is one broad hump (Albrecht et
al., PRL 76, 1996). The sky is flat within a patch: ``ℓ`` is the wavenumber. A pixel is 6′ of a beam
of 10′ (FWHM) with 5 μK of noise, whatever the number of pixels.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from equivlab.data.physics.spectral import random_field, wavenumbers

__all__ = ["draw_microwave_sky", "power"]

Array = NDArray[np.float64]
PIXEL = math.radians(6 / 60)
BEAM = math.radians(10 / 60) / math.sqrt(8 * math.log(2))  # deviation
NOISE = 5.0
# ℓ and D_ℓ in μK²: the plateau, then peaks and troughs in turn, then the damping tail.
MULTIPOLES = (2, 10, 30, 100, 220.6, 416.3, 538.1, 675.5, 809.8, 1001, 1148, 1290, 1447, 1624, 2500)
POWERS = (1000, 900, 1050, 2600, 5733, 1713, 2586, 1799, 2518, 1049, 1227, 747, 799, 399, 90)
OPEN = 1.8


def power(label: int, multipole: Array) -> Array:
    """``D_ℓ`` in μK² of a class at these ℓ; zero for ℓ below 2."""
    at = np.maximum(multipole, 2.0)
    if label == 2:
        return np.where(multipole < 2, 0.0, 1000 + 2500 * np.exp(-((np.log(at / 500) / 0.8) ** 2)))
    stretch = OPEN if label == 1 else 1.0
    curve = PchipInterpolator(np.log(MULTIPOLES), np.log(POWERS))
    found = np.exp(curve(np.log(np.minimum(np.maximum(at / stretch, 2.0), MULTIPOLES[-1]))))
    return np.where(multipole < 2, 0.0, found)


@cache
def _amplitude(label: int, size: int) -> Array:
    multipole = wavenumbers(size) / PIXEL
    safe = np.maximum(multipole, 2.0)
    spectrum = power(label, multipole) * 2 * np.pi / (safe * (safe + 1))  # C_ℓ, μK² sr
    beam = np.exp(-(safe**2) * BEAM**2 / 2)
    return np.asarray(np.sqrt(spectrum) * beam / PIXEL)


def draw_microwave_sky(label: int, rng: np.random.Generator, size: int) -> Array:
    """Temperature in μK above the mean, ``(size, size)``."""
    sky = random_field(rng, _amplitude(label, size), size)
    return sky + rng.normal(0, NOISE, sky.shape)

"""Diffraction by the lattice of a crystal seen along an axis: photons on a detector.

A crystal scatters where the momentum transfer ``q`` is a vector of its reciprocal lattice. The
peaks have the width of a finite grain, and fall off as ``exp(−B q²/8π²)``, by Debye and Waller, for
atoms that shake (Warren, X-Ray Diffraction, 1969). The grain lies at any angle. Lattices are
square, hexagonal, rectangular (sides 1.25 to 1.7 : 1), a quasicrystal with ten directions
(Shechtman et al., PRL 53, 1984; peaks at sums of five vectors, strong where the same sum of the
doubled angles is short), or a powder of square grains, all angles at once. The detector reaches q =
6 Å⁻¹; lattice constants are 3 to 4.5 Å; 1 photon a pixel is background; the beam stop hides q < 0.5
Å⁻¹.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from equivlab.data.physics.grids import pixel_grid, uniform_angle

__all__ = ["draw_diffraction", "reciprocal_lattice"]

Array = NDArray[np.float64]
REACH = 6.0  # Å⁻¹ from the middle to the edge
STOP = 0.5
KINDS = ("square", "hexagonal", "rectangular", "quasicrystal", "powder")


def draw_diffraction(label: int, rng: np.random.Generator, size: int) -> Array:
    """Photons in the pixels, ``(size, size)``."""
    kind, constant = KINDS[label], rng.uniform(3, 4.5)
    width = math.hypot(rng.uniform(0.1, 0.2), REACH / size)  # Å⁻¹; a pixel blurs too
    shaking = rng.uniform(0.5, 1.5)  # Å²
    ratio = rng.uniform(1.25, 1.7) if kind == "rectangular" else 1.0
    peaks, strength = reciprocal_lattice(kind, constant, ratio)
    strength = strength * np.exp(-shaking * (peaks**2).sum(1) / (8 * math.pi**2))
    x, y = (REACH * at for at in pixel_grid(size))
    brightest = 10 ** rng.uniform(1.8, 2.6)
    if kind == "powder":
        shape = _rings(np.hypot(x, y), np.hypot(*peaks.T), strength, width)
    else:
        shape = _spots(x[0], _turned(peaks, uniform_angle(rng)), strength, width)
    mean = brightest * shape + 1
    mean[x * x + y * y < STOP**2] = 0
    return rng.poisson(mean).astype(np.float64)


def reciprocal_lattice(kind: str, constant: float, ratio: float = 1.0) -> tuple[Array, Array]:
    """Peaks ``(N, 2)`` in Å⁻¹ without the beam, and their strength, 1 in a crystal.

    Args:
        kind: one of `KINDS`.
        constant: the shorter side of the cell, Å.
        ratio: of the sides of a rectangle.
    """
    step = 2 * math.pi / constant
    if kind == "quasicrystal":
        whole, strength = _quasicrystal()
        return whole * step, strength
    if kind == "hexagonal":
        basis = step * np.array([[2 / math.sqrt(3), 0.0], [1 / math.sqrt(3), 1.0]])
    else:
        basis = step * np.array([[1.0, 0.0], [0.0, 1 / ratio]])
    many = np.array([n for n in product(range(-12, 13), repeat=2) if any(n)])
    peaks = many @ basis
    peaks = peaks[np.hypot(*peaks.T) < 1.5 * REACH]
    return peaks, np.ones(len(peaks))


@cache
def _quasicrystal() -> tuple[Array, Array]:
    """Sums of five vectors of a star, and how strong a decagonal crystal scatters there."""
    angles = 2 * math.pi * np.arange(5) / 5
    many = np.array([n for n in product(range(-2, 3), repeat=5) if any(n)])
    star, doubled = (np.stack([np.cos(k * angles), np.sin(k * angles)], 1) for k in (1, 2))
    peaks, across = many @ star, many @ doubled
    strength = np.exp(-2.0 * (across**2).sum(1))
    places, first = np.unique(np.round(peaks, 9), axis=0, return_index=True)
    keep = (strength[first] > 0.01) & (np.hypot(*places.T) > 1e-6)
    return places[keep], strength[first][keep]


def _turned(peaks: Array, angle: float) -> Array:
    c, s = math.cos(angle), math.sin(angle)
    moved: Array = peaks @ np.array([[c, s], [-s, c]])
    return moved


def _spots(at: Array, peaks: Array, strength: Array, width: float) -> Array:
    """A Gaussian at each peak: a product of one along x and one along y."""
    columns = np.exp(-((at - peaks[:, :1]) ** 2) / (2 * width**2))  # (N, W)
    rows = np.exp(-((at - peaks[:, 1:]) ** 2) / (2 * width**2))
    return np.asarray((rows * strength[:, None]).T @ columns)


def _rings(q: Array, radii: Array, strength: Array, width: float) -> Array:
    """Each peak spread over its circle."""
    radii, place = np.unique(np.round(radii, 9), return_inverse=True)
    total = np.bincount(place, strength)
    image = np.zeros(q.shape)
    for radius, light in zip(radii, total, strict=True):
        spread = light * width / (math.sqrt(2 * math.pi) * radius)  # of a spot over 2πr
        image += spread * np.exp(-((q - radius) ** 2) / (2 * width**2))
    return image

"""Air showers in the camera of a Cherenkov telescope, by the particle that began them.

A gamma ray makes a slim shower, whose light is an ellipse that points to the source; a proton makes
a wider, uneven one of several pieces, as mesons carry energy aside; a muon near the telescope makes
a ring of the radius of the Cherenkov angle (Hillas, 19th ICRC, 1985; Völk & Bernlöhr, Exp. Astron.
25, 2009). The camera sees 5° across; its pixels count photoelectrons, those of the night sky among
them (2 in a pixel of 5°/64). Gamma rays come with 300 to 3000 photoelectrons; widths (deviations)
are 0.07° to 0.11° for gammas and 0.12° to 0.3° for protons. The muon's angle follows from its
speed, ``cos θ = 1/(nβ)`` with n = 1.00029 at the ground: 1.38° at most, less near the threshold.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from equivlab.data.physics.grids import deposit, uniform_angle

__all__ = ["cherenkov_angle_deg", "draw_air_showers"]

Array = NDArray[np.float64]
HALF_DEG = 2.5  # of the field of view
NIGHT = 2.0 * 64**2  # photoelectrons in the camera
INDEX = 1.00029
MUON_MASS = 0.10566  # GeV
Places = tuple[Array, Array]


def draw_air_showers(label: int, rng: np.random.Generator, size: int) -> Array:
    """Photoelectrons in the pixels, ``(size, size)``."""
    x, y = (_gamma, _proton, _muon)[label](rng)
    light = deposit(x / HALF_DEG, y / HALF_DEG, np.ones(len(x)), size)
    return np.floor(light + rng.random(light.shape)) + rng.poisson(NIGHT / size**2, light.shape)


def cherenkov_angle_deg(energy: float) -> float:
    """The angle of a muon's light at the ground for its energy in GeV (above 4.4), in degrees."""
    beta = math.sqrt(1 - (MUON_MASS / energy) ** 2)
    return math.degrees(math.acos(1 / (INDEX * beta)))


def _ellipse(
    rng: np.random.Generator, photons: int, at: tuple[float, float], shape: tuple[float, float],
    angle: float,
) -> Places:  # fmt: skip
    """Photons around a place, with deviations along and across an axis."""
    along, across = rng.normal(0, shape[0], photons), rng.normal(0, shape[1], photons)
    c, s = math.cos(angle), math.sin(angle)
    return at[0] + c * along - s * across, at[1] + s * along + c * across


def _aimed(rng: np.random.Generator) -> tuple[tuple[float, float], float]:
    """A shower's middle, off a source at the center by 0.3° to 1.3°, and its direction."""
    angle, off = uniform_angle(rng), rng.uniform(0.3, 1.3)
    return (off * math.cos(angle), off * math.sin(angle)), angle


def _gamma(rng: np.random.Generator) -> Places:
    at, angle = _aimed(rng)
    photons = int(10 ** rng.uniform(2.5, 3.5))
    return _ellipse(rng, photons, at, (rng.uniform(0.2, 0.4), rng.uniform(0.07, 0.11)), angle)


def _proton(rng: np.random.Generator) -> Places:
    at, _ = _aimed(rng)
    axis = uniform_angle(rng)  # it points nowhere
    photons, pieces = 10 ** rng.uniform(2.5, 3.5), rng.integers(2, 6)
    x, y = zip(
        *(
            _ellipse(
                rng, int(photons * share) + 1, (at[0] + dx, at[1] + dy),
                (rng.uniform(0.15, 0.4), rng.uniform(0.12, 0.3)), axis + rng.normal(0, 0.6),
            )
            for share, dx, dy in zip(
                rng.dirichlet(np.ones(pieces)), *rng.normal(0, 0.3, (2, pieces)), strict=True
            )
        ),
        strict=True,
    )  # fmt: skip
    return np.concatenate(x), np.concatenate(y)


def _muon(rng: np.random.Generator) -> Places:
    """A ring, or the part of it that falls onto the mirror, around the muon's own direction."""
    radius = cherenkov_angle_deg(10 ** rng.uniform(0.9, 2))
    at, _ = _aimed(rng)
    photons = int(rng.uniform(300, 800))
    start, arc = uniform_angle(rng), rng.uniform(math.pi, 2 * math.pi)
    angle = start + arc * rng.random(photons)
    r = rng.normal(radius, 0.05, photons)
    return at[0] + r * np.cos(angle), at[1] + r * np.sin(angle)

"""Tracks of charged particles in a magnetic field, by their momentum or by their charge.

Across a field ``B`` a particle of charge ``q = ±1`` and momentum ``p`` runs on a circle of radius
``r [m] = p [GeV/c] / (0.2998 |q| B [T])`` (Particle Data Group, section "Particle detectors"). The
chamber is 1 m wide in 1 T, the field points to the viewer, so positive particles turn clockwise as
displayed. One to three tracks leave a vertex near the middle; they leave ``DROPS`` drops a meter,
by Poisson's law, 3 mm off the path. Momenta are 0.10 to 0.15, 0.2 to 0.35 and 0.6 to 2 GeV/c.

``tracks`` has the momentum as its class and both charges. ``charges`` has the charge as its class
and momenta of 0.1 to 0.35 GeV/c, and is odd under mirrors: a mirrored electron looks like a
positron.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from equivlab.data.physics.grids import deposit, uniform_angle

__all__ = ["curvature_radius", "draw_charges", "draw_tracks", "path"]

Array = NDArray[np.float64]
Particle = tuple[float, float]
HALF_METERS = 0.5  # of the chamber
FIELD = 1.0  # tesla
MOMENTA = ((0.10, 0.15), (0.2, 0.35), (0.6, 2.0))  # GeV/c
DROPS = 800
BLUR = 0.003  # meters
STRAY = 40  # drops of no track


def curvature_radius(momentum: float, field: float = FIELD) -> float:
    """The radius in meters for a momentum in GeV/c and a field in tesla.

    >>> round(curvature_radius(0.3), 3)
    1.001
    """
    return momentum / (0.299792458 * field)


def draw_tracks(label: int, rng: np.random.Generator, size: int) -> Array:
    """Drops in the pixels, ``(size, size)``; the class is the momentum."""
    return _event(rng, size, lambda: (rng.uniform(*MOMENTA[label]), float(rng.choice((-1, 1)))))


def draw_charges(label: int, rng: np.random.Generator, size: int) -> Array:
    """Drops in the pixels, ``(size, size)``; the class is the charge."""
    return _event(rng, size, lambda: (rng.uniform(0.1, 0.35), 2.0 * label - 1))


def path(s: Array, momentum: float, charge: float, angle: float) -> tuple[Array, Array]:
    """Places after the lengths `s` in meters of a particle that leaves at `angle`; y downwards."""
    radius = curvature_radius(momentum) * charge
    # Clockwise as displayed is from x to y where y points downwards.
    return (
        radius * (np.sin(angle + s / radius) - math.sin(angle)),
        radius * (math.cos(angle) - np.cos(angle + s / radius)),
    )


def _event(rng: np.random.Generator, size: int, particle: Callable[[], Particle]) -> Array:
    """One to three tracks of particles, each with its momentum and charge, and stray drops."""
    vertex = rng.normal(0, 0.06, 2)
    xs, ys = [rng.uniform(-0.5, 0.5, STRAY)], [rng.uniform(-0.5, 0.5, STRAY)]
    for _ in range(rng.integers(1, 4)):
        momentum, charge = particle()
        length = min(2 * HALF_METERS, 1.5 * math.pi * curvature_radius(momentum))
        s = rng.uniform(0, length, rng.poisson(DROPS * length))
        x, y = path(s, momentum, charge, uniform_angle(rng))
        xs.append(vertex[0] + x + rng.normal(0, BLUR, len(x)))
        ys.append(vertex[1] + y + rng.normal(0, BLUR, len(y)))
    x, y = np.concatenate(xs), np.concatenate(ys)
    return deposit(x / HALF_METERS, y / HALF_METERS, np.ones(len(x)), size)

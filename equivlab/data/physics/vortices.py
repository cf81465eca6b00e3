"""Vortices of both signs by their temperature: bound dipoles, a gas, or clusters.

A vortex in a thin film, of circulation ``±κ``, turns the fluid around itself; its core is Lamb and
Oseen's, ``v(r) = κ/(2πr) · (1 − exp(−r²/c²))``. In a cold film the two signs are bound in pairs
(Kosterlitz & Thouless, J. Phys. C 6, 1973), a hot one is a gas, and where there is more energy than
at infinite temperature like signs gather in clusters (Onsager, Nuovo Cimento 6, 1949). Seen is the
speed, in units of ``κ/c`` with the core ``c`` 1/20 of half the image. Vortices also lie around the
image, within 1.5 times its half, so that its edge is no edge of theirs. Speed is the same in a
mirror.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from equivlab.data.physics.grids import pixel_grid, uniform_angle

__all__ = ["draw_vortices", "velocity"]

Array = NDArray[np.float64]
CORE = 1 / 20
REACH = 1.5
PAIRS = (10, 18)


def draw_vortices(label: int, rng: np.random.Generator, size: int) -> Array:
    """The speed of the fluid in units of κ/core, ``(size, size)``."""
    pairs = int(rng.integers(*PAIRS))
    signs = np.repeat([1.0, -1.0], pairs)
    x, y = pixel_grid(size)
    vx, vy = velocity(x, y, _places(label, pairs, rng), signs)
    return np.hypot(vx, vy) * CORE


def velocity(x: Array, y: Array, places: Array, signs: Array) -> tuple[Array, Array]:
    """Velocity at ``x, y`` for ``κ = 1`` of vortices at ``(N, 2)`` places; y points downwards.

    A positive vortex turns from x to y.
    """
    vx, vy = np.zeros(x.shape), np.zeros(x.shape)
    for (at_x, at_y), sign in zip(places, signs, strict=True):
        dx, dy = x - at_x, y - at_y
        square = dx * dx + dy * dy + 1e-12
        rate = sign * -np.expm1(square * (-1 / CORE**2)) / (2 * math.pi * square)
        vx -= rate * dy
        vy += rate * dx
    return vx, vy


def _places(label: int, pairs: int, rng: np.random.Generator) -> Array:
    """Where they are ``(2·pairs, 2)``: the positive ones, then the negative ones."""
    if label == 0:  # both of a pair near each other
        middles = _in_disc(rng, pairs, REACH)
        angle, half = rng.uniform(0, 2 * math.pi, pairs), rng.uniform(1.2, 2.0, pairs) * CORE
        arm = half[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
        return np.concatenate([middles + arm, middles - arm])
    if label == 1:
        return _in_disc(rng, 2 * pairs, REACH)
    middle = _in_disc(rng, 1, 0.3)
    axis, apart = uniform_angle(rng), rng.uniform(0.45, 0.65)
    arm = apart * np.array([math.cos(axis), math.sin(axis)])
    return np.concatenate(
        [middle + arm + _in_disc(rng, pairs, 0.4), middle - arm + _in_disc(rng, pairs, 0.4)]
    )


def _in_disc(rng: np.random.Generator, count: int, radius: float) -> Array:
    """Places ``(count, 2)``, uniform in a disc."""
    r = radius * np.sqrt(rng.random(count))
    angle = rng.uniform(0, 2 * math.pi, count)
    return np.stack([r * np.cos(angle), r * np.sin(angle)], 1)

"""Galaxies by their morphology: elliptical, spiral, barred, merging.

Brightness follows Sérsic's law (see `equivlab.data.lenses.physics`): index 4 for ellipticals (de
Vaucouleurs, 1948), index 1 for discs (Freeman, ApJ 160, 1970). The arms of a disc are logarithmic
spirals ``r = r₀ exp(±(φ − φ₀) tan p)`` with a pitch angle ``p`` of 10° to 30° (Kennicutt, AJ 86,
1981), wound either way with equal probability; a disc is seen at an inclination with ``cos i``
uniform, as random directions have it (no flatter than 0.35). Two discs with tidal tails make a
merger (Toomre & Toomre, ApJ 178, 1972). Lengths are in units of half the image, which is blurred by
a Gaussian of deviation 0.025; the sky's noise is 1/40 of the brightness at the half-light radius.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from equivlab.data.lenses.physics import SersicShape, sersic_brightness
from equivlab.data.physics.grids import pixel_grid, turned, uniform_angle

__all__ = ["draw_galaxies", "spiral_disc"]

Array = NDArray[np.float64]
NOISE = 1 / 40
SEEING = 0.025
HAND = (-1.0, 1.0)


def draw_galaxies(label: int, rng: np.random.Generator, size: int) -> Array:
    """Surface brightness, 1 at the half-light radius of a smooth galaxy."""
    x, y = pixel_grid(size)
    x, y = x - rng.normal(0, 0.05), y - rng.normal(0, 0.05)
    flatness = 1.0 if label == 0 else rng.uniform(0.35, 1)
    along, across = turned(x, y, uniform_angle(rng))
    across = across / flatness  # a disc seen from the side is foreshortened
    kinds = (_elliptical, _spiral, _barred, _merger)
    light = kinds[label](along, across, rng)
    seen = gaussian_filter(light, SEEING * size / 2, mode="nearest")
    return np.asarray(seen + rng.normal(0, NOISE, seen.shape))


def spiral_disc(
    x: Array, y: Array, radius: float, pitch: float, contrast: float, *, hand: float, inner: float
) -> Array:
    """A disc seen from above whose brightness has two arms.

    Args:
        x: places.
        y: places.
        radius: half-light radius.
        pitch: angle between the arms and circles, radians.
        contrast: of the arms, 0 to 1.
        hand: 1 or −1, which way they wind.
        inner: where they begin, at angle 0.
    """
    r = np.hypot(x, y)
    phase = np.arctan2(y, x) - hand * np.log(np.maximum(r, 1e-3) / inner) / math.tan(pitch)
    disc = sersic_brightness(x, y, SersicShape(radius, 1.0, 0.0, 0.0))
    arms = np.exp(3 * (np.cos(2 * phase) - 1))  # narrower than a cosine, 1 on the ridge
    mean = 0.2430  # of that over a turn: exp(−3) I₀(3)
    begins = 1 / (1 + np.exp(-(r - inner) / (0.15 * inner)))
    return np.asarray(disc * (1 + contrast * begins * (arms - mean) / mean))


def _bulge(x: Array, y: Array, radius: float, light: float) -> Array:
    return light * sersic_brightness(x, y, SersicShape(radius, 2.0, 0.0, 0.0))


def _elliptical(x: Array, y: Array, rng: np.random.Generator) -> Array:
    ellipticity = rng.uniform(0, 0.3)
    shape = SersicShape(rng.uniform(0.15, 0.3), rng.uniform(3, 5), ellipticity, 0.0)
    return sersic_brightness(x, y, shape)


def _spiral(x: Array, y: Array, rng: np.random.Generator) -> Array:
    x, y = turned(x, y, uniform_angle(rng))
    pitch, hand = math.radians(rng.uniform(10, 30)), rng.choice(HAND)
    contrast = rng.uniform(0.5, 0.9)
    disc = spiral_disc(x, y, rng.uniform(0.3, 0.45), pitch, contrast, hand=hand, inner=0.12)
    return disc + _bulge(x, y, 0.06, rng.uniform(2, 5))


def _barred(x: Array, y: Array, rng: np.random.Generator) -> Array:
    x, y = turned(x, y, uniform_angle(rng))
    pitch, hand = math.radians(rng.uniform(10, 30)), rng.choice(HAND)
    half, contrast = rng.uniform(0.22, 0.35), rng.uniform(0.5, 0.9)
    disc = spiral_disc(x, y, rng.uniform(0.35, 0.5), pitch, contrast, hand=hand, inner=half)
    bar = np.exp(-((np.abs(x) / half) ** 4) - (y / 0.07) ** 2)  # the arms start at its ends
    return disc + rng.uniform(2, 4) * bar + _bulge(x, y, 0.06, rng.uniform(1, 3))


def _merger(x: Array, y: Array, rng: np.random.Generator) -> Array:
    apart, hand = rng.uniform(0.15, 0.3), rng.choice(HAND)
    light = np.zeros(x.shape)
    for side in (-1, 1):
        e1, e2 = rng.uniform(-0.3, 0.3, 2)
        shape = SersicShape(rng.uniform(0.12, 0.22), rng.uniform(1, 3), e1, e2)
        light += rng.uniform(0.6, 2) * sersic_brightness(x, y, shape, (side * apart, 0.0))
        # A tail: an arc that leaves its galaxy and fades.
        bend, reach = rng.uniform(0.35, 0.6), rng.uniform(1, 2.2)
        dx, dy = (x - side * apart) * side, (y + side * hand * bend) * side * hand
        angle = np.arctan2(dx, dy) % (2 * math.pi)  # 0 at the galaxy
        off = np.hypot(dx, dy) - bend
        width = 0.03 + 0.03 * angle
        light += np.exp(-((off / width) ** 2) - angle / reach) * rng.uniform(0.5, 1)
    return light

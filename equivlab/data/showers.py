"""A simulated camera of hexagonal pixels that sees air showers: gamma rays against hadrons.

Telescopes for gamma rays of very high energy photograph, for some nanoseconds, the Cherenkov light
of the shower that a particle makes in the air. A gamma ray makes one smooth, narrow ellipse; a
proton or a nucleus makes several showers beside each other, wider and in pieces, and now and then a
muon, which is seen as an arc (Hillas, *Cerenkov light images of EAS produced by primary gamma rays
and by nuclei*, 19th International Cosmic Ray Conference, La Jolla 1985, volume 3, page 445; de
Naurois & Mazin, *Ground-based detectors in very-high-energy gamma-ray astronomy*, Comptes Rendus
Physique 16, 2015). The cameras have hexagonal pixels, so nothing has to be resampled.

The numbers are those of a telescope like H.E.S.S. (Aharonian et al., *Observations of the Crab
nebula with HESS*, Astronomy & Astrophysics 457, 2006): pixels of 0.16°, 1.6 photoelectrons of night
sky in each. The drawings are made up: no cascade is followed. Directions and places are
isotropic, so nothing tells a turned or mirrored image from another.

>>> images, labels = shower_images(range(4), seed=0)
>>> images.shape, labels.tolist()
(torch.Size([4, 1, 31, 31]), [0, 1, 0, 1])
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["SHOWERS", "ShowerCamera", "shower_images"]

Array = NDArray[np.float64]

SHOWERS = ("gamma", "hadron")
"""The classes, in the order of their labels."""

SIZES = (80.0, 2000.0)  # photoelectrons of a shower, as many in each decade of their logarithm
LENGTH, WIDTH = 0.22, 0.09  # deviations of a gamma's ellipse, degrees
STEEPNESS = 6.0  # of the gamma distribution along the axis: a head and a longer tail
ARCS = 0.3  # how many hadrons show a muon


@dataclass(frozen=True)
class ShowerCamera:
    """A camera of hexagonal pixels.

    Attributes:
        radius: pixels from the middle to a corner; there are ``3R(R + 1) + 1``.
        pixel_deg: from a pixel to its neighbour, in degrees.
        night_sky: photoelectrons of the night sky in each pixel, on average.
        spread: deviation of the charge of one photoelectron.
        electronics: deviation of the amplifier's noise, in photoelectrons.
    """

    radius: int = 15
    pixel_deg: float = 0.16
    night_sky: float = 1.6
    spread: float = 0.4
    electronics: float = 0.2

    def count(self, x: Array, y: Array) -> Array:
        """How many of the points, degrees to the right and upwards, fall into each pixel."""
        n = 2 * self.radius + 1
        r = -y / self.pixel_deg * 2 / math.sqrt(3)
        q = x / self.pixel_deg - r / 2
        cube = np.stack([q, r, -q - r])
        near = np.rint(cube)
        off = np.abs(near - cube)
        worst = off == off.max(0)  # the three add up to zero: mend the one that is furthest off
        near = np.where(worst & (worst.cumsum(0) == 1), near - near.sum(0), near)
        seen = np.abs(near).max(0) <= self.radius
        column, row = (near[:2, seen] + self.radius).astype(np.int64)
        return np.bincount(row * n + column, minlength=n * n).reshape(n, n).astype(np.float64)

    def expose(self, light: Array, rng: np.random.Generator) -> Array:
        """The charge in each pixel, in photoelectrons, the mean of the night sky taken off."""
        axis = np.arange(-self.radius, self.radius + 1)
        inside = np.abs(axis[:, None] + axis) <= self.radius
        caught = light + rng.poisson(self.night_sky, light.shape)
        noise = rng.standard_normal((2, *light.shape))
        charge = caught + self.spread * np.sqrt(caught) * noise[0] + self.electronics * noise[1]
        found: Array = np.where(inside, charge - self.night_sky, 0.0)
        return found


def shower_images(
    numbers: Sequence[int],
    seed: int = 0,
    camera: ShowerCamera | None = None,
    *,
    noise: bool = True,
) -> tuple[Tensor, Tensor]:
    """Make the images with these numbers.

    Args:
        numbers: which images of the endless set of this seed; number ``n`` has class ``n % 2``,
            whoever makes it and in whatever company.
        seed: of everything random here.
        camera: that sees them; by default 721 pixels of 0.16°.
        noise: add the night sky and the noise of the electronics; False gives the photoelectrons
            of the shower alone.

    Returns:
        Images ``(B, 1, 2R + 1, 2R + 1)`` in photoelectrons, float32, as `equivlab.fields.HexMaps`
        has them, and labels ``(B,)`` into `SHOWERS`.

    Raises:
        ValueError: a camera without pixels.
    """
    camera = camera or ShowerCamera()
    if camera.radius < 1 or not camera.pixel_deg > 0 or camera.night_sky < 0:
        raise ValueError(
            "shower_images takes a camera with a radius of 1 or more, pixels larger than 0° and a "
            f"night sky of 0 or more; got {camera}. Take ShowerCamera()"
        )
    side = 2 * camera.radius + 1
    images = np.zeros((len(numbers), 1, side, side), np.float32)
    labels = np.array([n % len(SHOWERS) for n in numbers], np.int64)
    for image, label, number in zip(images, labels, numbers, strict=True):
        rng = np.random.default_rng([seed, int(number)])
        light = camera.count(*_photons(int(label), camera, rng))
        image[0] = camera.expose(light, rng) if noise else light
    return torch.from_numpy(images), torch.from_numpy(labels)


def _photons(label: int, camera: ShowerCamera, rng: np.random.Generator) -> tuple[Array, Array]:
    """Where the photons of a shower arrive, degrees to the right and upwards."""
    size = math.exp(rng.uniform(*np.log(SIZES)))
    reach = 0.6 * camera.radius * camera.pixel_deg
    away, around, axis = reach * math.sqrt(rng.random()), *rng.uniform(0, 2 * math.pi, 2)
    along, across = _gamma(size, rng) if label == 0 else _hadron(size, rng)
    x, y = _turned(along, across, axis)
    return x + away * math.cos(around), y + away * math.sin(around)


def _gamma(size: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """One ellipse, along and across its axis; brighter showers are a little larger."""
    grown = (size / 300) ** 0.08
    length, width = np.array([LENGTH, WIDTH]) * grown * np.exp(0.15 * rng.standard_normal(2))
    return _ellipse(rng.poisson(size), length, width, rng)


def _hadron(size: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Several showers of unequal brightness beside each other, and perhaps a muon's arc."""
    parts = 1 + rng.poisson(2.5)
    shares = rng.dirichlet(np.full(parts, 0.8))
    pieces = []
    for share in shares:
        length, width = np.array([0.8 * LENGTH, 1.1 * WIDTH]) * np.exp(
            0.25 * rng.standard_normal(2)
        )
        piece = _ellipse(rng.poisson(share * size), length, width, rng)
        along, across = _turned(*piece, 0.3 * rng.standard_normal())
        place = np.array([1.0 * LENGTH, 1.2 * WIDTH]) * rng.standard_normal(2) * (parts > 1)
        pieces.append((along + place[0], across + place[1]))
    if rng.random() < ARCS:
        pieces.append(_arc(rng))
    return np.concatenate([p[0] for p in pieces]), np.concatenate([p[1] for p in pieces])


def _ellipse(
    count: int, length: float, width: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    along = (rng.gamma(STEEPNESS, size=count) - STEEPNESS) / math.sqrt(STEEPNESS)
    return length * along, width * rng.standard_normal(count)


def _arc(rng: np.random.Generator) -> tuple[Array, Array]:
    """A piece of a ring of 0.8° to 1.2°, the angle of Cherenkov light in air."""
    radius, start, turn = rng.uniform(0.8, 1.2), rng.uniform(0, 2 * math.pi), rng.uniform(0.3, 1.5)
    count = rng.poisson(60 * turn)
    at = start + turn * rng.random(count)
    away = radius + 0.04 * rng.standard_normal(count)
    along, across = 1.5 * LENGTH * rng.standard_normal(2)
    return (
        away * np.cos(at) - radius * math.cos(start) + along,
        away * np.sin(at) - radius * math.sin(start) + across,
    )


def _turned(along: Array, across: Array, angle: float) -> tuple[Array, Array]:
    c, s = math.cos(angle), math.sin(angle)
    return c * along - s * across, s * along + c * across

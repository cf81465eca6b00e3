"""What the simulators share: places of pixels, random directions, drops of light on pixels."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["deposit", "pixel_grid", "turned", "uniform_angle"]

Array = NDArray[np.float64]


@cache
def pixel_grid(size: int) -> tuple[Array, Array]:
    """Places ``x, y`` of pixel centers, from −1 to 1 between the image's edges; ``y`` downwards.

    Read-only: all images share them.
    """
    at = (np.arange(size) + 0.5) / size * 2 - 1
    y, x = np.meshgrid(at, at, indexing="ij")
    x.flags.writeable = y.flags.writeable = False
    return x, y


def uniform_angle(rng: np.random.Generator) -> float:
    """A direction, uniform in [0, 2π)."""
    return float(rng.uniform(0, 2 * math.pi))


def turned(x: Array, y: Array, angle: float) -> tuple[Array, Array]:
    """Coordinates along and across an axis at `angle` to x."""
    c, s = math.cos(angle), math.sin(angle)
    return c * x + s * y, c * y - s * x


def deposit(x: Array, y: Array, weight: Array, size: int) -> Array:
    """Drops at places −1 to 1 shared bilinearly by the four pixels around; those outside are lost.

    Args:
        x: ``(N,)``.
        y: ``(N,)``, downwards.
        weight: ``(N,)``.
        size: rows and columns of the result.
    """
    column, row = ((at + 1) / 2 * size - 0.5 for at in (x, y))
    j, i = np.floor(column).astype(np.intp), np.floor(row).astype(np.intp)
    image = np.zeros((size + 2) ** 2)  # with a margin for what is half outside
    for di in (0, 1):
        for dj in (0, 1):
            share = weight * np.abs(1 - di - (row - i)) * np.abs(1 - dj - (column - j))
            inside = (i + di >= -1) & (i + di <= size) & (j + dj >= -1) & (j + dj <= size)
            place = ((i + di + 1) * (size + 2) + j + dj + 1)[inside]
            image += np.bincount(place, share[inside], len(image))
    return image.reshape(size + 2, size + 2)[1:-1, 1:-1]

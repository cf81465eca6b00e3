"""Gray and Scott's reaction by its regime: spots, stripes, or holes.

``U + 2V → 3V`` and ``V → P``, with U fed in at the rate F and V drained at F + k:

    ∂u/∂t = D_u ∇²u − u v² + F (1 − u),    ∂v/∂t = D_v ∇²v + u v² − (F + k) v

The rates decide what grows (Pearson, Science 261, 1993). Grown for 1800 units of time, with D_u =
0.16, D_v = 0.08 pixels² in a unit of time, explicit Euler with steps of 2 on a torus. The Laplacian
takes all eight neighbors (1/5 of the sides, 1/20 of the corners, times 10/3), whose error is round
to fourth order, so patterns do not follow the axes of the grid. The image is the concentration of
V.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_reaction_diffusion", "grown", "laplacian"]

Floats = NDArray[np.float32]
RATES = ((0.030, 0.062), (0.037, 0.060), (0.039, 0.058))  # F and k
STEP = 2.0
DIFFUSION = STEP * np.array([0.16, 0.08], np.float32)[:, None, None]
STEPS = 900
SEEDS = 1 / 250  # squares of V in a pixel at the start
HALF = 3  # of such a square
LEAST_SIDE = 32  # on a smaller torus what grows may die
LEAST = np.float32(1e-20)  # of V: smaller numbers are slow to compute with


def draw_reaction_diffusion(label: int, rng: np.random.Generator, size: int) -> Floats:
    """The concentration of V, ``(size, size)``."""
    return grown(*RATES[label], rng, max(size, LEAST_SIDE))[:size, :size]


def grown(
    feed: float, kill: float, rng: np.random.Generator, size: int, steps: int = STEPS
) -> Floats:
    """V after so many steps from squares of V at random places."""
    seeds = np.zeros((size, size), bool)
    for i, j in rng.integers(0, size, (max(1, round(SEEDS * size * size)), 2)):
        rows, columns = (np.arange(at - HALF, at + HALF + 1) % size for at in (i, j))
        seeds[np.ix_(rows, columns)] = True
    padded = np.empty((2, size + 2, size + 2), np.float32)  # u and v, with a rim for the torus
    field = padded[:, 1:-1, 1:-1]
    field[0], field[1] = np.where(seeds, 0.5, 1), np.where(seeds, 0.25, 0)
    u, v = field
    inflow, outflow = np.float32(STEP * feed), np.float32(STEP * (feed + kill))
    for _ in range(steps):
        change = laplacian(padded)
        change *= DIFFUSION
        eaten = np.float32(STEP) * v * v * u
        change[0] += inflow * (1 - u) - eaten
        change[1] += eaten - outflow * v
        field += change
        np.maximum(v, LEAST, out=v)
    grown_v: Floats = v.copy()
    return grown_v


def laplacian(padded: Floats) -> Floats:
    """``∇²`` on the torus, in pixels⁻²; fills the rim ``(..., H + 2, W + 2)`` of its argument."""
    padded[..., 0, :], padded[..., -1, :] = padded[..., -2, :], padded[..., 1, :]
    padded[..., 0], padded[..., -1] = padded[..., -2], padded[..., 1]
    # (1 4 1) along rows, then along columns: corners 1, sides 4, and 16 − 36 in the middle.
    rows = padded[..., 1:-1] * np.float32(4)
    rows += padded[..., :-2]
    rows += padded[..., 2:]
    found = rows[..., 1:-1, :] * np.float32(4)
    found += rows[..., :-2, :]
    found += rows[..., 2:, :]
    found -= np.float32(36) * padded[..., 1:-1, 1:-1]
    found *= np.float32(1 / 6)
    return found

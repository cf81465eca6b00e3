"""The Ising model by its phase: spins ±1 on a square lattice, ordered, critical or disordered.

Energy ``−Σ s_i s_j`` over neighbors on a torus, temperature in units of the coupling. Below ``T_c =
2/ln(1 + √2) = 2.269`` (Onsager, Phys. Rev. 65, 1944) the spins align, above they do not, and at it
there are clusters of every size. Temperatures are 0.80 to 0.93, 1, and 1.1 to 1.5 of T_c. The spins
come from Swendsen & Wang's moves (PRL 58, 1987), which turn whole clusters and so have no critical
slowing down. A lattice has the symmetries of its pixels: quarter turns and mirrors exactly; on
larger scales correlations at T_c are round.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

__all__ = ["CRITICAL", "draw_ising", "spins_at"]

CRITICAL = 2 / math.log(1 + math.sqrt(2))
RATIOS = ((0.80, 0.93), (1.0, 1.0), (1.1, 1.5))  # of the temperature to the critical one
MOVES = 16


def draw_ising(label: int, rng: np.random.Generator, size: int) -> NDArray[np.int8]:
    """Spins ``(size, size)``."""
    return spins_at(CRITICAL * rng.uniform(*RATIOS[label]), rng, size)


def spins_at(
    temperature: float, rng: np.random.Generator, size: int, moves: int = MOVES
) -> NDArray[np.int8]:
    """Spins in equilibrium at a temperature, from all alike below T_c and from any above."""
    count = size * size
    spins = np.ones((size, size), np.int8) if temperature < CRITICAL else _signs(rng, count)
    spins = spins.reshape(size, size)
    here = np.arange(count, dtype=np.int32).reshape(size, size)
    ahead = np.stack([np.roll(here, -1, 0), np.roll(here, -1, 1)], -1)  # (size, size, 2)
    bond = 1 - math.exp(-2 / temperature)  # of neighbors that are alike
    starts = np.zeros(count + 1, np.int32)
    for _ in range(moves):
        tied = rng.random((size, size, 2), np.float32) < bond
        tied[..., 0] &= spins == np.roll(spins, -1, 0)
        tied[..., 1] &= spins == np.roll(spins, -1, 1)
        np.cumsum(tied.sum(-1), out=starts[1:])
        ties = ahead[tied]
        graph = sparse.csr_matrix((np.ones(len(ties)), ties, starts), (count, count))
        clusters, cluster = csgraph.connected_components(graph, directed=False)
        spins = _signs(rng, clusters)[cluster].reshape(size, size)
    return spins


def _signs(rng: np.random.Generator, count: int) -> NDArray[np.int8]:
    return (2 * rng.integers(0, 2, count, np.int8) - 1).astype(np.int8)

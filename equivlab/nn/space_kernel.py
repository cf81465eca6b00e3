"""Kernels that turn with the features: radial profiles × spherical harmonics × Clebsch–Gordan.

A kernel from degree ``i`` to degree ``o`` commutes with rotations if and only if
``K(g·p) = D_o(g) K(p) D_i(g)ᵀ`` at every point ``p``. All solutions are combinations of

    ``K(p) = φ_r(|p|) · Σ_m C[·, ·, m] Y_fm(p / |p|)``,    ``|o − i| ≤ f ≤ o + i``

(Weiler, Geiger, Welling, Boomsma & Cohen, NeurIPS 2018, equations 9 to 11). They are numbers
that depend on nothing learned: computed once for each pair of irreps, in double precision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from equivlab.fields.irreps import harmonics

__all__ = ["KernelShape", "Pair", "basis_terms", "evaluate_basis", "grid_basis"]

Pair = tuple[int, int, int, int]  # degree and parity of the input, degree and parity of the output


@dataclass(frozen=True)
class KernelShape:
    """What all kernels of a layer share.

    Attributes:
        size: side ``k`` of the cube of taps.
        width: deviation of the Gaussian shells ``φ_r(d) = exp(−(d − r)² / 2·width²)``, in voxels.
        degree: the highest degree ``f`` of harmonics used, or None for all that fit.
    """

    size: int
    width: float = 0.6
    degree: int | None = None

    @property
    def radii(self) -> tuple[float, ...]:
        """The radii of the shells: 0, 1, … for odd sizes, ½, 1½, … for even ones."""
        reach = (self.size - 1) / 2
        return tuple(reach % 1 + step for step in range(math.floor(reach) + 1))

    def points(self) -> Tensor:
        """Where the taps stand, ``(k, k, k, 3)``: axes ``D H W``, columns ``x y z``."""
        at = torch.arange(self.size, dtype=torch.float64) - (self.size - 1) / 2
        z, y, x = torch.meshgrid(at, at, at, indexing="ij")
        return torch.stack([x, y, z], -1)


def basis_terms(pair: Pair, shape: KernelShape) -> list[tuple[int, float]]:
    """The degree and the radius of every kernel for one pair of irreps.

    Parity selects the degrees, ``(−1)^f = parity_in · parity_out``, so layers commute with the
    inversion of space too. A shell of radius ``r`` has room for ``f ≤ 2r``: finer harmonics
    would alias on the grid, as would any but ``f = 0`` in the centre.
    """
    l_in, p_in, l_out, p_out = pair
    top = l_in + l_out if shape.degree is None else min(l_in + l_out, shape.degree)
    degrees = [f for f in range(abs(l_in - l_out), top + 1) if (-1) ** f == p_in * p_out]
    return [(f, r) for f in degrees for r in shape.radii if f <= 2 * r]


def evaluate_basis(pair: Pair, shape: KernelShape, points: Tensor) -> Tensor:
    """Every kernel for one pair of irreps, at any points ``(..., 3)`` in voxels.

    Returns:
        ``(T, 2·l_out + 1, 2·l_in + 1, ...)``, float64, not normalised.
    """
    from e3nn import o3

    l_in, _, l_out, _ = pair
    distance = torch.linalg.vector_norm(points, dim=-1)
    kernels = [points.new_empty(0, 2 * l_out + 1, 2 * l_in + 1, *points.shape[:-1])]
    for degree, radius in basis_terms(pair, shape):
        shell = torch.exp(-((distance - radius) ** 2) / (2 * shape.width**2))
        coupling = o3.wigner_3j(l_out, l_in, degree, dtype=torch.float64)
        angular = torch.einsum("oim,...m->oi...", coupling, harmonics(degree, points))
        kernels.append((shell * angular)[None])
    return torch.cat(kernels)


@lru_cache(maxsize=256)
def grid_basis(pair: Pair, shape: KernelShape) -> Tensor:
    """Every kernel for one pair of irreps on the taps, ``(T, o, i, k, k, k)``, float64.

    Scaled so that a kernel with weight 1 takes white noise of variance 1 to variance 1.
    """
    basis = evaluate_basis(pair, shape, shape.points())
    power = basis.square().sum((1, 2, 3, 4, 5), keepdim=True) / basis.shape[1]
    return basis / power.sqrt()

"""Kernels that turn with the features: radial profiles × spherical harmonics × Clebsch–Gordan.

A kernel from degree ``i`` to degree ``o`` commutes with rotations if and only if
``K(g·p) = D_o(g) K(p) D_i(g)ᵀ`` at every point ``p``. All solutions are combinations of

    ``K(p) = φ_r(|p|) · Σ_m C[·, ·, m] Y_fm(p / |p|)``,    ``|o − i| ≤ f ≤ o + i``

(Weiler, Geiger, Welling, Boomsma & Cohen, NeurIPS 2018, equations 9 to 11). They are numbers
that depend on nothing learned: computed once for each pair of irreps, in double precision.

**Profiles.** ``'shells'``, Gaussian bumps at radii 0, 1, 2, … voxels, can tell one voxel from the
next, and so can sharpen what the grid does not resolve. ``'gaussian'``, the radial functions of
the harmonic oscillator ``rᶠ L(r²/width²) exp(−r²/(2·width²))``, with ``L`` the Laguerre polynomials
of index ``f + ½``, are smooth everywhere and low-pass whatever the weights: with a width of about a
voxel, features stay resolved from layer to layer, and free rotations cost far less
(`benchmarks/shapes.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from equivlab.fields.irreps import harmonics
from equivlab.tables import remembered

__all__ = ["PROFILES", "KernelShape", "Pair", "basis_terms", "evaluate_basis", "grid_basis"]

Profile = Literal["shells", "gaussian"]
PROFILES: dict[Profile, float] = {"shells": 0.6, "gaussian": 1.0}  # and the usual width of each
GAUSSIAN_ORDER = 3  # f + 2n at most: all that Gaussian derivatives of this order span

Pair = tuple[int, int, int, int]  # degree and parity of the input, degree and parity of the output


@dataclass(frozen=True)
class KernelShape:
    """What all kernels of a layer share.

    Attributes:
        size: side ``k`` of the cube of taps.
        width: deviation of the Gaussian shells ``φ_r(d) = exp(−(d − r)² / 2·width²)``, or of the
            Gaussian, in voxels.
        lmax: the highest degree ``f`` of harmonics used, or None for all that fit.
        profile: ``'shells'`` or ``'gaussian'``; see the module's page.
    """

    size: int
    width: float = 0.6
    lmax: int | None = None
    profile: Profile = "shells"

    @property
    def radii(self) -> tuple[float, ...]:
        """The radii of the shells: 0, 1, … for odd sizes, ½, 1½, … for even ones."""
        reach = (self.size - 1) / 2
        return tuple(reach % 1 + step for step in range(math.floor(reach) + 1))

    def offsets(self) -> Tensor:
        """Where the taps stand along an axis, from the middle, ``(k,)``."""
        return torch.arange(self.size, dtype=torch.float64) - (self.size - 1) / 2

    def points(self) -> Tensor:
        """Where the taps stand, ``(k, k, k, 3)``: axes ``D H W``, columns ``x y z``."""
        at = self.offsets()
        z, y, x = torch.meshgrid(at, at, at, indexing="ij")
        return torch.stack([x, y, z], -1)


def basis_terms(pair: Pair, shape: KernelShape) -> list[tuple[int, float]]:
    """The degree of every kernel for one pair of irreps, with its radius or number of nodes.

    Parity selects the degrees, ``(−1)^f = parity_in · parity_out``, so layers commute with the
    inversion of space too. A shell of radius ``r`` has room for ``f ≤ 2r``: finer harmonics
    would alias on the grid, as would any but ``f = 0`` in the centre. The smooth profiles go
    up to ``f + 2n ≤ 3``, with ``n`` zeros along the radius.
    """
    l_in, p_in, l_out, p_out = pair
    top = l_in + l_out if shape.lmax is None else min(l_in + l_out, shape.lmax)
    degrees = [f for f in range(abs(l_in - l_out), top + 1) if (-1) ** f == p_in * p_out]
    if shape.profile == "gaussian":
        return [(f, n) for f in degrees for n in range((GAUSSIAN_ORDER - f) // 2 + 1)]
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
    for degree, number in basis_terms(pair, shape):
        radial = _profile(shape, degree, number, distance)
        coupling = o3.wigner_3j(l_out, l_in, degree, dtype=torch.float64)
        angular = torch.einsum("oim,...m->oi...", coupling, harmonics(degree, points))
        kernels.append((radial * angular)[None])
    return torch.cat(kernels)


def _profile(shape: KernelShape, degree: int, number: float, distance: Tensor) -> Tensor:
    """``φ(distance)``: the shell of radius `number`, or the smooth function with as many zeros."""
    if shape.profile == "shells":
        return torch.exp(-((distance - number) ** 2) / (2 * shape.width**2))
    t = (distance / shape.width) ** 2
    laguerre = torch.ones_like(t) if number == 0 else degree + 1.5 - t  # L_n^{f+½}
    return (distance / shape.width) ** degree * laguerre * torch.exp(-t / 2)


@remembered(maxsize=256)
def grid_basis(pair: Pair, shape: KernelShape) -> Tensor:
    """Every kernel for one pair of irreps on the taps, ``(T, o, i, k, k, k)``, float64.

    Scaled so that a kernel with weight 1 takes white noise of variance 1 to variance 1.
    """
    basis = evaluate_basis(pair, shape, shape.points())
    power = basis.square().sum((1, 2, 3, 4, 5), keepdim=True) / basis.shape[1]
    return basis / power.sqrt()

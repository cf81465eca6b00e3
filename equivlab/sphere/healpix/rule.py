"""The quadrature rule of a HEALPix analysis: areas, corrections, and how long each step is.

With ``S`` from coefficients to pixels and the pixel areas ``W``, an analysis looks for the
``c`` of ``S c = f`` by steps ``c ← c + ω D⁻¹ Sᵀ W (f − S c)`` from ``c = 0``. healpy takes
``D = 1`` and ``ω = 1``. Here

- ``D`` is the diagonal of ``M = Sᵀ W S``, the squared norm of each harmonic on the pixels,
  which is 1 only nearly;
- the ``ω`` are those for which white coefficients come back best after so many steps. What is
  left of ``c`` is a polynomial ``Π(1 − ω_i N)`` in ``N = D^-½ M D^-½``; the least one, for a
  given vector, is what the minimal-residual method finds, and ``1/ω_i`` are its harmonic Ritz
  values (Paige, Parlett & van der Vorst 1995). One fixed white vector stands for all of them.

Beyond ``lmax = 5/2 nside`` some vectors look nearly like nothing on the pixels. Steps that are best
for white coefficients are long there, to find these, and spoil a smooth map, which shorter ones
give back better. So there all steps are 1 but one, half as long beyond 1 as is best (that too is
1 without ring weights). Then neither white nor smooth maps are worse off than with healpy.

Either way the analysis stays linear in the map, with the same steps for all maps, and costs as
many transforms. Three corrections leave a ninth (nside 4) to a quarter (nside 128) of the error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from equivlab.sphere.healpix.legendre import legendre_rows
from equivlab.sphere.healpix.rings import Floats, ring_weights, rings
from equivlab.sphere.linear import LinearMap
from equivlab.tables import remembered

__all__ = ["Rule", "healpy_rule", "squared_norms", "step_lengths", "tuned_rule"]

NUMBERS = 20_000  # in the white vector: enough for the steps to come out the same for any other
SEED = 0


@dataclass(frozen=True)
class Rule:
    """How an analysis weighs the pixels and corrects itself; equal if the first five are.

    Attributes:
        nside: resolution of the maps.
        lmax: highest degree.
        iterations: corrections after the first step.
        weighted: whether the areas carry healpy's ring weights.
        tuned: whether the steps are tuned; else they are healpy's.
        areas: the weight of a pixel on each ring, ``(R,)``.
        steps: ``ω_i / D_lm``, ``(iterations + 1, L²)``; None where all are 1.
    """

    nside: int
    lmax: int
    iterations: int
    weighted: bool
    tuned: bool
    areas: Floats = field(compare=False)
    steps: Floats | None = field(compare=False)


def healpy_rule(nside: int, lmax: int, iterations: int, weighted: bool) -> Rule:
    """The rule of `healpy.map2alm`: ``c ← c + Sᵀ W (f − S c)``."""
    return Rule(nside, lmax, iterations, weighted, False, _areas(nside, weighted), None)


def tuned_rule(
    nside: int, lmax: int, iterations: int, weighted: bool, synthesis: LinearMap, adjoint: LinearMap
) -> Rule:
    """The rule with the best steps.

    Args:
        nside: resolution of the maps.
        lmax: highest degree.
        iterations: corrections after the first step.
        weighted: whether to use healpy's ring weights.
        synthesis: ``S``, of ``(N, L²)`` in float64 on the CPU.
        adjoint: ``Sᵀ``.
    """
    areas = _areas(nside, weighted)
    norms = squared_norms(nside, lmax, areas)
    by_pixel = torch.from_numpy(np.repeat(areas, rings(nside).count))
    root = torch.from_numpy(norms**-0.5)

    def normal(v: Tensor) -> Tensor:  # N = D^-½ Sᵀ W S D^-½
        return adjoint(synthesis(v * root) * by_pixel) * root

    vectors = math.ceil(NUMBERS / len(norms))
    generator = torch.Generator().manual_seed(SEED)
    white = torch.randn(vectors, len(norms), generator=generator, dtype=torch.float64)
    if 2 * lmax <= 5 * nside:
        lengths = step_lengths(normal, white, iterations + 1)
    else:
        lengths = np.ones(iterations + 1)
        if weighted:
            for _ in range(iterations):  # what the steps of length 1 leave
                white = white - normal(white)
            lengths[0] = (1 + float(step_lengths(normal, white, 1)[0])) / 2
    return Rule(nside, lmax, iterations, weighted, True, areas, lengths[:, None] / norms)


def step_lengths(operator: LinearMap, start: Tensor, count: int) -> Floats:
    """The `count` steps ``ω`` for which ``|Π(1 − ω_i·operator) start|`` is least.

    Args:
        operator: symmetric and positive.
        start: a vector of any shape; several vectors in one are treated alike.
        count: number of steps.

    Returns:
        ``(count,)``, the longest first, so that later steps damp the rounding of long ones.
    """
    # Lanczos: operator·V = V·T, with a last row below the square T for what leaves the space.
    band = np.zeros((count + 1, count))
    before, size = torch.zeros_like(start), 0.0
    v = start / start.norm()
    made = 0
    while made < count:
        w = operator(v) - size * before
        band[made, made] = float((w * v).sum())
        w = w - band[made, made] * v
        size = float(w.norm())
        band[made + 1, made] = size
        if made + 1 < count:
            band[made, made + 1] = size
        made += 1
        if size < 1e-12:  # the space is complete: these steps already leave nothing
            break
        before, v = v, w / size
    square, tall = band[:made, :made], band[: made + 1, :made]
    ritz = np.linalg.eigvals(np.linalg.solve(square, tall.T @ tall)).real
    return np.concatenate([np.sort(1 / ritz)[::-1], np.ones(count - made)])


def squared_norms(nside: int, lmax: int, areas: Floats) -> Floats:
    """``Σ_p w_p Y_lm(p)²`` of every harmonic, ``(L²,)``: 1 if the quadrature were exact."""
    of, half = rings(nside), 2 * nside
    total = areas * of.count
    total = np.append(total[: half - 1] + total[half:][::-1], total[half - 1])  # north + south
    count, phi0 = of.count[:half], of.phi0[:half]
    m = np.arange(lmax + 1)[:, None]
    # cos² and sin² of mφ have the mean ½, unless a ring has so few pixels that 2m is 0 to it.
    lopsided = np.where(2 * m % count == 0, np.cos(2 * m * phi0), 0.0)
    cosine, sine = total * (1 + lopsided) / 2, total * (1 - lopsided) / 2  # (M, R)
    cosine[0] = total
    out = np.empty((lmax + 1) ** 2)
    for ell, row in enumerate(legendre_rows(lmax, of.z[:half], of.sin_theta[:half])):
        middle, square = ell * ell + ell, row * row  # (l + 1, R)
        out[middle : middle + ell + 1] = (square * cosine[: ell + 1]).sum(1)
        out[middle - ell : middle] = (square[1:] * sine[1 : ell + 1]).sum(1)[::-1]
    return out


@remembered(maxsize=16)
def _areas(nside: int, weighted: bool) -> Floats:
    """The weight of a pixel on each ring in the quadrature, ``(R,)``."""
    area = 4 * math.pi / (12 * nside**2)
    return area * (ring_weights(nside) if weighted else np.ones(4 * nside - 1))

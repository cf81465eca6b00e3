"""Spherical harmonics of HEALPix maps: a transform that can be trained through.

``c = healpix_sht(f)`` gives real coefficients, flat ``(..., L²)`` with ``c[l² + l + m]`` and
``m = −l…l``, of the orthonormal real harmonics used everywhere in this package (e3nn's order,
z-polar, no Condon–Shortley sign); ``healpix_isht`` goes back. HEALPix pixels have equal area,
so their sum is a good quadrature, but not an exact one: see `healpix_sht`.

Two routes do the same sums: ducc0 on a CPU, PyTorch anywhere.

>>> import torch
>>> f = healpix_isht(torch.tensor([[[0.0, 0.0, 1.0, 0.0]]]), nside=8)  # Y_10 = √(3/4π) cos θ
>>> [abs(round(float(c), 4)) for c in healpix_sht(f, lmax=1).flatten()]
[0.0, 0.0, 1.0, 0.0]
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from equivlab.sphere.healpix.ducc import ducc_available, ducc_transform
from equivlab.sphere.healpix.maps import LARGEST_VALUE, looks_nested, seen
from equivlab.sphere.healpix.rings import check_nside, nside_of_pixels
from equivlab.sphere.healpix.rule import Rule, healpy_rule, tuned_rule
from equivlab.sphere.healpix.torch_transform import torch_transform
from equivlab.sphere.linear import LinearMap, linear, transform_family
from equivlab.sphere.rotation import rotate_coefficients
from equivlab.tables import legible, remembered

__all__ = ["healpix_isht", "healpix_sht", "rotate_healpix"]

ROUTES = ("auto", "ducc", "torch")
LARGEST_TUNED = 128  # nside; above, healpy's steps leave less than 5e-8, and tuning takes seconds


class Transform(Protocol):
    """Linear maps between coefficients ``(N, L²)`` and pixels ``(N, P)``, and their transposes."""

    def synthesis(self, coefficients: Tensor) -> Tensor:
        """``S c``."""

    def adjoint(self, maps: Tensor) -> Tensor:
        """``Sᵀ f``."""

    def analysis(self, maps: Tensor, rule: Rule) -> Tensor:
        """``A f``."""

    def analysis_transpose(self, coefficients: Tensor, rule: Rule) -> Tensor:
        """``Aᵀ c``."""


def healpix_sht(
    maps: Tensor,
    lmax: int | None = None,
    *,
    iterations: int = 3,
    ring_weights: bool = True,
    tuned: bool = True,
    route: str = "auto",
) -> Tensor:
    """The spherical-harmonic coefficients of HEALPix maps.

    ``A f = Σ_p w_p f_p Y_lm(p)`` with pixel areas ``w``, then `iterations` times a correction
    ``c ← c + ω D⁻¹ A(f − S c)``, where ``S`` is `healpix_isht`. With ``tuned=False`` there is
    no ``ω D⁻¹``, and all is as in `healpy.map2alm` (``iter=iterations``,
    ``use_weights=ring_weights``). Tuned steps cost the same and come closer; see
    `equivlab.sphere.healpix.rule`. The law: ``healpix_sht(S D(g) c) = D(g) healpix_sht(S c)``
    for band-limited maps, as good as the quadrature.

    Why ``lmax ≤ 2·nside``: the iteration converges only where the quadrature is nearly
    orthogonal. What is left of random coefficients up to ``2·nside``, relative, after three
    corrections at nside 4, 8, 16, 32, 64: 3e-6, 6e-7, 2e-7, 6e-8, 2e-8 (float64); with healpy's
    steps 2e-5, 4e-6, 8e-7, 3e-7, 9e-8, and ten times that without ring weights. At
    ``3·nside − 1``, healpy's default, the polar rings cannot tell all orders apart, the
    iteration stalls, and from nside 16 to 64 an error of 6 to 11 % stays (8 to 13 % with healpy's
    steps). At no `lmax` is it worse than healpy with its defaults, for white maps or smooth ones.
    Content of a map above `lmax` folds back a little in any case.

    Args:
        maps: ``(..., 12·nside²)``, RING order. UNSEEN, NaN and infinite pixels count as 0 and
            get no gradient. Half precision is computed, and returned, in float32.
        lmax: highest degree ``L − 1``; by default ``2·nside``.
        iterations: corrections; 3 as healpy. Nine reach 3e-15 in float64, four 2e-7 in float32.
        ring_weights: use healpy's ring weights (its ``use_weights=True``, which is not its
            default): one for each ring, those nearest to 1 that integrate zonal harmonics
            exactly.
        tuned: take the best steps instead of healpy's (up to nside 128; beyond, always healpy's).
        route: ``'ducc'`` (CPU), ``'torch'``, or ``'auto'``: ducc0 on the CPU if it is there.

    Returns:
        ``(..., L²)``, differentiable (also twice). With healpy's steps equal to healpy's to 3e-7
        in float32 and 3e-14 in float64.

    Raises:
        TypeError: no floating-point tensor.
        ValueError: no HEALPix size, `lmax` above ``3·nside − 1``, or an impossible route.

    Warns:
        UserWarning: the maps are smooth in NEST order and rough in RING order (CPU only).

    Source:
        Górski et al. 2005, ApJ 622, 759; Reinecke & Seljebotn 2013 for the ring transform.
    """
    x = _real(maps, "healpix_sht")
    nside = nside_of_pixels(x.shape[-1])
    lmax = 2 * nside if lmax is None else _check_lmax(lmax, nside)
    if legible(x) and looks_nested(x):
        warnings.warn(
            "These maps are smooth in NEST order and rough in RING order. healpix_sht takes "
            "RING: nest_to_ring(maps)",
            stacklevel=2,
        )
    _check_route(x, route)
    sizes = (nside, lmax, ROUTES.index(route), iterations, ring_weights, tuned)
    flat = x.reshape(-1, x.shape[-1])  # (N, P)
    if _has_holes(flat):
        flat = torch.where(seen(flat), flat, 0)
    c = linear(flat, "healpix_sht", sizes)
    return c.view(*maps.shape[:-1], (lmax + 1) ** 2)


def healpix_isht(coefficients: Tensor, nside: int, *, route: str = "auto") -> Tensor:
    """The HEALPix maps of spherical-harmonic coefficients, exact; as `healpy.alm2map`.

    Args:
        coefficients: ``(..., L²)``, real, as in `equivlab.sphere.s2`.
        nside: resolution of the maps, a power of two. Degrees above ``3·nside − 1`` cannot be
            told apart from lower ones afterwards, and are refused.
        route: as in `healpix_sht`.

    Returns:
        ``(..., 12·nside²)`` in RING order, differentiable (also twice).

    Raises:
        TypeError: no floating-point tensor.
        ValueError: the last axis is no square, too many degrees, or no power of two.
    """
    x = _real(coefficients, "healpix_isht")
    lmax = math.isqrt(x.shape[-1]) - 1
    if lmax < 0 or (lmax + 1) ** 2 != x.shape[-1]:
        raise ValueError(
            f"healpix_isht takes coefficients (..., L²); got {tuple(x.shape)}, and "
            f"{x.shape[-1]} is no square. Pad the missing orders with zeros."
        )
    nside = check_nside(nside)
    _check_lmax(lmax, nside)
    _check_route(x, route)
    flat = linear(x.reshape(-1, x.shape[-1]), "healpix_isht", (nside, lmax, ROUTES.index(route)))
    return flat.view(*coefficients.shape[:-1], -1)


def rotate_healpix(
    maps: Tensor, rotations: Tensor, lmax: int | None = None, *, iterations: int | None = None
) -> Tensor:
    """Turn HEALPix maps, ``f(R⁻¹x)``, through their harmonics.

    For maps without content above `lmax` exact up to the quadrature: from nside 4 on 1e-12 in
    float64 and 1e-6 in float32. What lies above `lmax` is lost.

    Args:
        maps: ``(..., 12·nside²)``, RING; holes count as 0.
        rotations: ``(3, 3)``, or ``(N, 3, 3)``: one for each entry of the first axis, as in
            `equivlab.sphere.rotate_s2`.
        lmax: highest degree that is kept, by default ``2·nside``.
        iterations: as in `healpix_sht`; by default 9 in float64 and 4 in float32.

    Returns:
        As `maps`, or ``(N, ...)``.
    """
    if iterations is None:
        iterations = 9 if maps.dtype == torch.float64 else 4
    c = healpix_sht(maps, lmax, iterations=iterations)
    return healpix_isht(rotate_coefficients(c, rotations), nside_of_pixels(maps.shape[-1]))


def _real(x: Tensor, taker: str) -> Tensor:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(
            f"{taker} takes a tensor of real numbers; got {kind}. Convert it: x.float()"
        )
    if x.dim() == 0 or x.numel() == 0:
        raise ValueError(f"{taker} takes at least one map; got the shape {tuple(x.shape)}.")
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _check_lmax(lmax: int, nside: int) -> int:
    if not 0 <= lmax < 3 * nside:
        raise ValueError(
            f"nside {nside} carries the degrees 0 to {3 * nside - 1}, up to {2 * nside} "
            f"accurately; got lmax {lmax}. Take lmax={2 * nside}, or a finer map: "
            f"ud_grade(map, {1 << max(0, math.ceil(math.log2(max(1, lmax) / 2)))})"
        )
    return lmax


def _check_route(x: Tensor, route: str) -> None:
    if route not in ROUTES:
        raise ValueError(f"A route is one of {', '.join(map(repr, ROUTES))}; got {route!r}.")
    if route == "ducc" and (x.device.type != "cpu" or not ducc_available()):
        raise ValueError(
            f"The route 'ducc' needs ducc0 (pip install \"equivlab[sphere]\") and a tensor on the "
            f"CPU; got one on {x.device}. Take route='torch'"
        )


def _transform(
    nside: int, lmax: int, route: str, dtype: torch.dtype, device: torch.device
) -> Transform:
    """The transform for tensors of that kind."""
    if route != "torch" and device.type == "cpu" and ducc_available():
        return ducc_transform(nside, lmax)
    return torch_transform(nside, lmax, dtype, device)


def _shape(sizes: Sequence[int], shape: Sequence[int], transposed: bool) -> tuple[int, int]:
    nside, lmax = sizes[:2]
    return shape[0], 12 * nside**2 if transposed else (lmax + 1) ** 2


@transform_family("healpix_sht", _shape, opaque=True)
def _analysis(
    sizes: Sequence[int], dtype: torch.dtype, device: torch.device
) -> tuple[LinearMap, LinearMap]:
    nside, lmax, route, iterations, weighted, tuned = sizes
    transform = _transform(nside, lmax, ROUTES[route], dtype, device)
    rule = _rule(nside, lmax, iterations, bool(weighted), bool(tuned) and nside <= LARGEST_TUNED)
    return (
        lambda maps: transform.analysis(maps, rule),
        lambda coefficients: transform.analysis_transpose(coefficients, rule),
    )


@transform_family(
    "healpix_isht", lambda sizes, shape, transposed: _shape(sizes, shape, not transposed), True
)
def _synthesis(
    sizes: Sequence[int], dtype: torch.dtype, device: torch.device
) -> tuple[LinearMap, LinearMap]:
    nside, lmax, route = sizes
    transform = _transform(nside, lmax, ROUTES[route], dtype, device)
    return transform.synthesis, transform.adjoint


@remembered(maxsize=32)
def _rule(nside: int, lmax: int, iterations: int, weighted: bool, tuned: bool) -> Rule:
    """The quadrature rule with these settings, kept."""
    if not tuned:
        return healpy_rule(nside, lmax, iterations, weighted)
    exact = _transform(nside, lmax, "auto", torch.float64, torch.device("cpu"))
    return tuned_rule(nside, lmax, iterations, weighted, exact.synthesis, exact.adjoint)


def _has_holes(maps: Tensor) -> bool:
    """Whether some pixel may have no data; always, where one cannot look (a GPU would wait)."""
    if not legible(maps):
        return True
    every = maps.detach().reshape(-1)
    return not float(torch.dot(every, every)) < LARGEST_VALUE  # NaN or huge if one is

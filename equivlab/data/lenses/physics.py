"""The physics of the lens images in closed forms: distances, deflections, surface brightness.

Angles are in arc seconds, masses in solar masses. A lens moves the ray seen at ``θ`` to
``β = θ − α(θ)`` in the source plane; every function here gives ``α`` as a pair ``(α_x, α_y)``.
Ellipticities are ``(e1, e2) = (1 − q)/(1 + q) · (cos 2φ, sin 2φ)`` with axis ratio ``q`` and
position angle ``φ``, as in lenstronomy (Birrer & Amara, 2018), which the tests use as oracle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Cosmology",
    "SersicShape",
    "einstein_radius",
    "point_mass_deflection",
    "sersic_brightness",
    "shear_deflection",
    "sie_deflection",
    "stamp_brightness",
]

Array = NDArray[np.float64]
Distances = Literal["published", "angular"]

ARCSECONDS = 180 * 3600 / math.pi  # in one radian
LIGHT_KM_S = 299_792.458
# 4 G M☉ / c² in Mpc: twice the Schwarzschild radius of the Sun, 2 × 2.9532501 km (IAU 2015).
FOUR_GM_SUN_MPC = 2 * 2.953250077e3 / 3.0856775814913673e22
SERSIC_FLOOR = 1e-4  # arc seconds; lenstronomy's smoothing of the cusp
SIE_ROUND = 0.99999999  # lenstronomy's largest axis ratio: the formulas divide by 1 − q²
CACHED_NUMBERS = 60_000  # so many fit in the processor's cache
POINT_FLOOR = 1e-25  # arc seconds; a ray through a point mass


@cache
def _gauss() -> tuple[Array, Array]:
    """Nodes and weights of the Gauss-Legendre quadrature on [−1, 1]; slow to find."""
    return np.polynomial.legendre.leggauss(64)


@dataclass(frozen=True)
class Cosmology:
    """A flat ΛCDM universe without radiation; DeepLenseSim's numbers by default.

    Ordinary matter (Ωb 0.05 there) is part of ``Om0`` and changes no distance.

    Args:
        H0: Hubble's constant in km/s/Mpc.
        Om0: matter density today, in units of the critical one.
    """

    H0: float = 70.0
    Om0: float = 0.3

    def comoving_distance(self, z: float) -> float:
        """Line-of-sight comoving distance to redshift `z` in Mpc (Hogg 1999, equation 15)."""
        nodes, weights = _gauss()
        at = z * (nodes + 1) / 2
        rate = np.sqrt(self.Om0 * (1 + at) ** 3 + 1 - self.Om0)  # H(z)/H0
        return float(LIGHT_KM_S / self.H0 * z / 2 * (weights / rate).sum())


def einstein_radius(
    mass: float | Array,
    z_lens: float = 0.5,
    z_source: float = 1.0,
    distances: Distances = "published",
    cosmology: Cosmology | None = None,
) -> Any:
    """The Einstein radius of a mass in arc seconds: ``sqrt(4GM/c² · D_ls/(D_l D_s))``.

    Args:
        mass: solar masses, a number or an array.
        z_lens: redshift of the lens.
        z_source: redshift of the source, larger.
        distances: ``'angular'`` takes angular-diameter distances, which is the physics (1.665″
            for 10¹² solar masses at redshifts 0.5 and 1). ``'published'`` takes luminosity
            distances and ``D_ls = D_s − D_l`` as the code of DeepLenseSim does (1.281″), so
            that images compare with the published ones.
        cosmology: H0 70, Ωm 0.3 by default.

    Raises:
        ValueError: the source is not behind the lens, or another word for `distances`.

    >>> round(einstein_radius(1e12), 3), round(einstein_radius(1e12, distances="angular"), 3)
    (1.281, 1.665)
    """
    if not 0 < z_lens < z_source:
        raise ValueError(
            f"einstein_radius wants 0 < z_lens < z_source; got z_lens={z_lens} and "
            f"z_source={z_source}. Put the source behind the lens."
        )
    if distances not in ("published", "angular"):
        raise ValueError(
            f"einstein_radius: distances is 'published' or 'angular'; got {distances!r}."
        )
    universe = cosmology or Cosmology()
    lens, source = universe.comoving_distance(z_lens), universe.comoving_distance(z_source)
    if distances == "angular":
        ratio = (source - lens) * (1 + z_lens) / (lens * source)  # a factor 1 + z_s cancels
    else:
        lens, source = (1 + z_lens) * lens, (1 + z_source) * source
        ratio = (source - lens) / (lens * source)
    radius = ARCSECONDS * np.sqrt(FOUR_GM_SUN_MPC * np.asarray(mass) * ratio)
    return radius if radius.ndim else float(radius)


def sie_deflection(x: Array, y: Array, theta_e: float, e1: float, e2: float) -> tuple[Array, Array]:
    """A singular isothermal ellipsoid at the origin (Keeton & Kochanek, ApJ 495, 1998).

    ``κ = θ_E / (2 sqrt(q x² + y²/q))`` along the axes of the ellipse; inside the ellipse where
    ``κ = 1/2`` the mean convergence is 1, so its area is ``π θ_E²`` (lenstronomy's convention,
    the product average of the axes).
    """
    q = min((1 - math.hypot(e1, e2)) / (1 + math.hypot(e1, e2)), SIE_ROUND)
    phi = math.atan2(e2, e1) / 2
    c, s = math.cos(phi), math.sin(phi)
    u, v = c * x + s * y, c * y - s * x  # along the major and the minor axis
    bend = math.sqrt(1 - q * q)
    psi = np.sqrt(q * q * u * u + v * v)
    scale = theta_e * math.sqrt(q) / bend
    with np.errstate(invalid="ignore", divide="ignore"):
        a_u = scale * np.arctan(bend * u / psi)
        a_v = scale * np.arctanh(bend * v / psi)
    centre = psi == 0
    if centre.any():  # no direction is special at the centre
        a_u[centre] = a_v[centre] = 0
    return c * a_u - s * a_v, s * a_u + c * a_v


def shear_deflection(x: Array, y: Array, gamma1: float, gamma2: float) -> tuple[Array, Array]:
    """External shear: ``α = (γ1 x + γ2 y, γ2 x − γ1 y)``."""
    return gamma1 * x + gamma2 * y, gamma2 * x - gamma1 * y


def point_mass_deflection(
    x: Array, y: Array, squared_radii: Array, places: Array
) -> tuple[Array, Array]:
    """Many point masses: ``α = Σ_k θ_k² (θ − p_k) / |θ − p_k|²``.

    Args:
        x: positions, any shape; on a grid a row ``(1, W)`` is fastest,
        y: with a column ``(H, 1)``.
        squared_radii: Einstein radii squared ``θ_k²``, ``(K,)``; proportional to the masses.
        places: positions ``p_k``, ``(K, 2)``.
    """
    shape = np.broadcast_shapes(x.shape, y.shape)
    axes = (slice(None), *(None for _ in shape))
    total_x, total_y = np.zeros(shape), np.zeros(shape)
    block = max(1, CACHED_NUMBERS // math.prod(shape))
    for start in range(0, len(squared_radii), block):
        these = slice(start, start + block)
        dx, dy = x - places[these, 0][axes], y - places[these, 1][axes]  # (k, 1, W), (k, H, 1)
        pull = dx * dx + dy * dy  # (k, H, W)
        np.maximum(pull, POINT_FLOOR**2, out=pull)
        np.divide(squared_radii[these][axes], pull, out=pull)
        total_x += np.einsum("k...,k...->...", pull, dx)
        total_y += np.einsum("k...,k...->...", pull, dy)
    return total_x, total_y


@dataclass(frozen=True)
class SersicShape:
    """The shape of an elliptical Sérsic profile (Sérsic 1963; Graham & Driver 2005).

    Args:
        radius: half-light radius in arc seconds, product average of the axes.
        index: Sérsic index ``n``: 1 an exponential disc, 4 de Vaucouleurs.
        e1: ellipticity along the axes.
        e2: ellipticity along the diagonals.
    """

    radius: float
    index: float
    e1: float = 0.0
    e2: float = 0.0

    @property
    def steepness(self) -> float:
        """``b_n`` in lenstronomy's approximation, ``1.9992 n − 0.3271``."""
        return 1.9992 * self.index - 0.3271

    @property
    def flux(self) -> float:
        """All the light of a profile with brightness 1 at the half-light radius."""
        n, b = self.index, self.steepness
        light = 2 * math.pi * n * self.radius**2 * math.exp(b)
        return float(light * b ** (-2 * n) * math.gamma(2 * n))


def sersic_brightness(
    x: Array, y: Array, shape: SersicShape, centre: tuple[float, float] = (0.0, 0.0)
) -> Array:
    """Surface brightness ``exp(−b_n ((R/R_e)^(1/n) − 1))``, which is 1 at the half-light radius."""
    dx, dy = x - centre[0], y - centre[1]
    norm = math.sqrt(1 - shape.e1**2 - shape.e2**2)
    along = ((1 - shape.e1) * dx - shape.e2 * dy) / norm
    across = ((1 + shape.e1) * dy - shape.e2 * dx) / norm
    r = np.maximum(np.sqrt(along * along + across * across), SERSIC_FLOOR) / shape.radius
    power = r if shape.index == 1 else r ** (1 / shape.index)
    return np.asarray(np.exp(-shape.steepness * (power - 1)))


def stamp_brightness(
    x: Array, y: Array, stamp: Array, scale: float, angle: float, centre: tuple[float, float]
) -> Array:
    """Surface brightness of a picture, bilinear between its pixels and zero outside.

    Args:
        x: positions, any shape.
        y: the same.
        stamp: brightness ``(S, S)``; row and column grow with y and x.
        scale: arc seconds in one pixel of the stamp.
        angle: radians by which the picture is turned counter-clockwise.
        centre: where its centre comes to lie.
    """
    c, s = math.cos(angle), math.sin(angle)
    dx, dy = (x - centre[0]) / scale, (y - centre[1]) / scale
    padded = np.pad(stamp, 1)  # light falls to zero within one pixel
    column = c * dx + s * dy + (padded.shape[1] - 1) / 2
    row = c * dy - s * dx + (padded.shape[0] - 1) / 2
    column = np.clip(column, 0, padded.shape[1] - 1.000001)
    row = np.clip(row, 0, padded.shape[0] - 1.000001)
    i, j = row.astype(np.intp), column.astype(np.intp)
    v, u = row - i, column - j
    top = padded[i, j] * (1 - u) + padded[i, j + 1] * u
    bottom = padded[i + 1, j] * (1 - u) + padded[i + 1, j + 1] * u
    return np.asarray(top * (1 - v) + bottom * v)

"""The Fourier transform on the sphere: real spherical harmonics, real signals.

A spectrum is one tensor ``(..., L²)``: ``f_lm`` stands at ``l² + l + m``, degree after degree,
which is e3nn's order (`e3nn.o3.Irreps.spherical_harmonics`) and is shared by HEALPix maps. The
harmonics are orthonormal: ``f = Σ f_lm Y_lm`` and ``Σ f_lm² = ∫ f² dΩ``. Degree ``l`` is the
slice `degree_slice(l)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equivlab.sphere.grid import bandwidth_of, dh_angles, quadrature_weights
from equivlab.sphere.linear import LinearMap, linear, transform_family
from equivlab.sphere.wigner import angular_waves, legendre, orders
from equivlab.tables import remembered

__all__ = ["degree_slice", "degrees_of", "s2_fft", "s2_ifft"]


def s2_fft(x: Tensor, *, lmax: int | None = None) -> Tensor:
    """Spherical-harmonic coefficients of samples on the Driscoll–Healy grid.

    ``f_lm = ∫ f(β, α) Y_lm(β, α) sin β dβ dα``, exact for ``f`` of bandwidth ``b``: then
    ``s2_ifft(s2_fft(x)) == x``. Differentiable; the adjoint is explicit.

    Args:
        x: ``(..., 2b, 2b)`` in ``β α``; half precision is computed in float32.
        lmax: the highest degree wanted, ``L − 1``; by default ``b − 1``, all that there are.

    Returns:
        ``(..., L²)``.

    Raises:
        TypeError: no floating-point tensor.
        ValueError: axes that are no Driscoll–Healy grid, or `lmax` not in 0…b − 1.

    >>> s2_fft(torch.randn(5, 3, 12, 12), lmax=3).shape
    torch.Size([5, 3, 16])
    """
    bandwidth = bandwidth_of(x, 2, "s2_fft")
    degrees = check_lmax(lmax, bandwidth, "s2_fft") + 1
    x = at_least_single(x)
    return linear(x, "s2", (bandwidth, degrees, True))


def s2_ifft(coefficients: Tensor, bandwidth: int | None = None) -> Tensor:
    """Samples on the Driscoll–Healy grid of ``f = Σ f_lm Y_lm``; the inverse of `s2_fft`.

    Args:
        coefficients: ``(..., L²)``.
        bandwidth: ``b ≥ L`` of the grid; ``L`` by default.

    Returns:
        ``(..., 2b, 2b)`` in ``β α``.

    Raises:
        TypeError: no floating-point tensor.
        ValueError: a last axis that is no square number, or ``b < L``.
    """
    degrees = degrees_of(coefficients, "s2_ifft")
    bandwidth = check_bandwidth(bandwidth, degrees, "s2_ifft")
    f = at_least_single(coefficients)
    return linear(f, "s2", (bandwidth, degrees, False), transposed=True)


def degree_slice(degree: int) -> slice:
    """Where a degree stands on the last axis of a spectrum on the sphere."""
    return slice(degree**2, (degree + 1) ** 2)


def degrees_of(coefficients: Tensor, taker: str) -> int:
    """The number ``L`` of degrees of a spectrum ``(..., L²)``, or an error that says what is."""
    if not isinstance(coefficients, Tensor) or not coefficients.is_floating_point():
        what = coefficients.dtype if isinstance(coefficients, Tensor) else type(coefficients)
        raise TypeError(f"{taker} takes real coefficients (..., L²) as a tensor; got {what}.")
    size = coefficients.shape[-1] if coefficients.dim() else 0
    degrees = math.isqrt(size)
    if degrees == 0 or degrees**2 != size:
        raise ValueError(
            f"{taker} takes coefficients (..., L²), all orders of the degrees 0…L−1; got "
            f"{tuple(coefficients.shape)}, and {size} is no square number. Make them with "
            "s2_fft(x) or healpix_sht(x)"
        )
    return degrees


def check_lmax(lmax: int | None, bandwidth: int, taker: str) -> int:
    """`lmax`, by default the highest degree of the bandwidth; `ValueError` outside."""
    if lmax is None:
        return bandwidth - 1
    if not 0 <= lmax < bandwidth:
        raise ValueError(
            f"{taker}: samples of bandwidth {bandwidth} determine degrees 0 to {bandwidth - 1}; "
            f"got lmax={lmax}. Ask for fewer, or sample on a finer grid."
        )
    return lmax


def check_bandwidth(bandwidth: int | None, degrees: int, taker: str) -> int:
    """`bandwidth`, by default `degrees`; `ValueError` where the grid is too coarse."""
    if bandwidth is None:
        return degrees
    if bandwidth < degrees:
        raise ValueError(
            f"{taker}: a spectrum of {degrees} degrees needs bandwidth {degrees} or more; got "
            f"bandwidth={bandwidth}. Drop degrees first, or use bandwidth={degrees}."
        )
    return bandwidth


def at_least_single(x: Tensor) -> Tensor:
    """`x`, half precision widened: the transforms lose too much in 8 or 11 bits."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def no_autocast(x: Tensor) -> Any:
    """Autocast off: it would turn the products inside a transform to half precision."""
    return nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False)


@dataclass(frozen=True, eq=False)
class Tables:
    """The two factors of a transform: waves in α, and for each order a matrix from β to l."""

    waves: Tensor  # (2L − 1, 2b)
    polar: Tensor  # (2L − 1, 2b, L)
    place: Tensor  # (L²,): where (m, l) stands in the padded (2L − 1)·L

    def project(self, x: Tensor) -> Tensor:
        """Samples ``(..., β, α)`` to coefficients ``(..., L²)``."""
        n = x.shape[-1]
        K, _, L = self.polar.shape
        rings = torch.mm(self.waves, x.reshape(-1, n).t())  # (m, ...·β)
        padded = torch.bmm(rings.view(K, -1, n), self.polar)  # (m, ..., l)
        flat = padded.transpose(0, 1).reshape(-1, K * L)
        return flat.index_select(1, self.place).view(*x.shape[:-2], -1)

    def expand(self, f: Tensor) -> Tensor:
        """The transpose, coefficients to samples."""
        K, n, L = self.polar.shape
        flat = f.reshape(-1, f.shape[-1])
        padded = f.new_zeros(len(flat), K * L).index_copy_(1, self.place, flat)
        rings = torch.bmm(padded.view(-1, K, L).transpose(0, 1), self.polar.mT)  # (m, ..., β)
        return torch.mm(rings.view(K, -1).t(), self.waves).view(*f.shape[:-1], n, n)


@remembered()
def tables(
    bandwidth: int, degrees: int, weighted: bool, dtype: torch.dtype, device: torch.device
) -> Tables:
    """The tables of one size, made in float64 and cast; `weighted` by the quadrature or not."""
    beta, alpha = dh_angles(bandwidth)
    m = orders(degrees)
    polar = legendre(degrees, beta).mT[m.abs()]  # (m, β, l)
    if weighted:
        cell = quadrature_weights(bandwidth) * (2 * math.pi / bandwidth)  # 4π/2b
        polar = polar * cell[:, None]
    place = torch.cat([(orders(k + 1) + degrees - 1) * degrees + k for k in range(degrees)])
    waves = angular_waves(degrees, alpha)
    return Tables(waves.to(device, dtype), polar.contiguous().to(device, dtype), place.to(device))


def _shape(sizes: Sequence[int], shape: Sequence[int], transposed: bool) -> list[int]:
    bandwidth, degrees, _ = sizes
    return [*shape[:-1], *[2 * bandwidth] * 2] if transposed else [*shape[:-2], degrees**2]


@transform_family("s2", _shape)
def _maps(
    sizes: Sequence[int], dtype: torch.dtype, device: torch.device
) -> tuple[LinearMap, LinearMap]:
    bandwidth, degrees, weighted = sizes
    found = tables(bandwidth, degrees, bool(weighted), dtype, device)
    return found.project, found.expand

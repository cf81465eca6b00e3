"""Spin-weighted signals: signals on SO(3) with few orders in γ, kept as maps on the sphere.

A signal on SO(3) whose orders in γ end at ``N`` is ``2N + 1`` maps on the sphere::

    f(β, α, γ) = Σ_n f_n(β, α) ρ_n(γ),    n = −N…N,    ρ_n(γ) = cos nγ (n ≥ 0), sin |n|γ (n < 0)

So its samples are ``(..., 2N+1, 2b, 2b)`` instead of ``(..., 2b, 2b, 2b)``. The maps ``n`` and
``−n`` are real and imaginary part of a function of spin weight ``n``: ``N = 0`` is a signal on
the sphere, ``N = 1`` adds tangent vectors. A rotation mixes points, never ``n`` with another
``|n|``. (Boyle, *How should spin-weighted spherical functions be defined?*, J. Math. Phys. 2016;
Esteves, Makadia & Daniilidis, *Spin-weighted spherical CNNs*, NeurIPS 2020.)

A spectrum is one tensor ``(..., 2N+1, L²)``: ``F^l_mn`` of `equivlab.sphere.so3_transform`
stands in row ``n + N`` at ``l² + l + m``, and is zero for ``l < |n|``. In memory both stand with
``n`` first, which is the order that the products want.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equivlab.sphere.grid import bandwidth_of, dh_angles, quadrature_weights
from equivlab.sphere.linear import LinearMap, linear, transform_family
from equivlab.sphere.rotation import rotate_coefficients
from equivlab.sphere.s2 import (
    at_least_single,
    check_bandwidth,
    check_lmax,
    degrees_of,
)
from equivlab.sphere.wigner import angular_waves, orders, real_tables
from equivlab.tables import remembered

__all__ = [
    "constant_term",
    "expand",
    "gamma_waves",
    "project",
    "rotate_spin",
    "spin_fft",
    "spin_ifft",
]


def spin_fft(x: Tensor, *, lmax: int | None = None) -> Tensor:
    """The spectrum of a signal of few orders: ``F^l_mn = ∫ f(R) D^l_mn(R) dR``.

    The numbers of `so3_fft` of the same signal, without the columns that are zero. Exact for
    ``f`` of bandwidth ``b``. Differentiable, twice; the adjoint is explicit.

    Args:
        x: ``(..., 2N+1, 2b, 2b)`` in ``n β α``; half precision is computed in float32.
        lmax: the highest degree wanted, ``L − 1``; by default ``b − 1``, all that there are.

    Returns:
        ``(..., 2N+1, L²)``.

    Raises:
        TypeError: no floating-point tensor.
        ValueError: no such axes, an even number of maps, or `lmax` not in 0…b − 1.

    >>> spin_fft(torch.randn(4, 3, 12, 12), lmax=3).shape
    torch.Size([4, 3, 16])
    """
    bandwidth = bandwidth_of(x, 2, "spin_fft")
    degrees = check_lmax(lmax, bandwidth, "spin_fft") + 1
    _check_maps(x, 3, "spin_fft")
    x = at_least_single(x)
    lead, maps, n = x.shape[:-3], x.shape[-3], 2 * bandwidth
    F = project(x.reshape(1, -1, maps, n, n), degrees)[:, :, 0]  # (m, n, ..., l)
    flat = F.permute(1, 2, 0, 3).flatten(2)
    return flat.index_select(2, _place(degrees, x.device)).movedim(0, 1).reshape(*lead, maps, -1)


def spin_ifft(spectrum: Tensor, bandwidth: int | None = None) -> Tensor:
    """Samples of a signal of few orders from its spectrum; the inverse of `spin_fft`.

    Args:
        spectrum: ``(..., 2N+1, L²)``; numbers at ``l < |n|`` mean nothing.
        bandwidth: ``b ≥ L`` of the grid; ``L`` by default.

    Returns:
        ``(..., 2N+1, 2b, 2b)`` in ``n β α``.

    Raises:
        TypeError: no floating-point tensor.
        ValueError: another last axis, an even number of maps, or ``b < L``.
    """
    degrees = degrees_of(spectrum, "spin_ifft")
    bandwidth = check_bandwidth(bandwidth, degrees, "spin_ifft")
    _check_maps(spectrum, 2, "spin_ifft")
    F = at_least_single(spectrum)
    lead, maps, n = F.shape[:-2], F.shape[-2], 2 * bandwidth
    flat = F.reshape(-1, maps, F.shape[-1]).movedim(1, 0)
    padded = F.new_zeros(*flat.shape[:2], (2 * degrees - 1) * degrees)
    padded = padded.index_copy(2, _place(degrees, F.device), flat)
    padded = padded.unflatten(2, (-1, degrees)).permute(2, 0, 1, 3)[:, :, None]
    return expand(padded, bandwidth).reshape(*lead, maps, n, n)


def rotate_spin(x: Tensor, rotations: Tensor) -> Tensor:
    """Rotate signals of few orders: ``(R·f)(Q) = f(R⁻¹Q)``, exact for bandwidth ``b``.

    Args:
        x: samples ``(..., 2N+1, 2b, 2b)`` in ``n β α``.
        rotations: as `rotate_s2`.

    Returns:
        As `x`, or ``(N, ...)``.

    Raises:
        ValueError: no grid, no rotations, or another number of them.
    """
    bandwidth = bandwidth_of(x, 2, "rotate_spin")
    return spin_ifft(rotate_coefficients(spin_fft(x), rotations), bandwidth)


def project(x: Tensor, degrees: int) -> Tensor:
    """What `spin_fft` computes, padded to a box: ``(B, C, 2N+1, 2b, 2b)`` to ``(m, n, B, C, l)``.

    Zero where ``l < |m|`` or ``l < |n|``. Signals on the sphere, ``(B, C, 2b, 2b)``, have order 0.
    """
    x = x[:, :, None] if x.dim() == 4 else x
    B, C, maps, side, _ = x.shape
    flat = x.permute(2, 0, 1, 3, 4).reshape(maps, B * C, side, side)
    F = linear(flat, "spin", (side // 2, degrees, maps // 2, True))
    return F.view(*F.shape[:2], B, C, degrees)


def expand(spectrum: Tensor, bandwidth: int) -> Tensor:
    """What `spin_ifft` computes: the box ``(m, n, B, C, l)`` to what `project` takes."""
    _, maps, B, C, degrees = spectrum.shape
    flat = spectrum.reshape(-1, maps, B * C, degrees)
    x = linear(flat, "spin", (bandwidth, degrees, maps // 2, False), transposed=True)
    x = x.view(maps, B, C, *x.shape[2:])
    return x[0] if maps == 1 else x.permute(1, 2, 0, 3, 4)


def constant_term(spectrum: Tensor) -> Tensor:
    """The view ``(B, C)`` of the one number in the box ``(m, n, B, C, l)`` that is a mean."""
    return spectrum[spectrum.shape[0] // 2, spectrum.shape[1] // 2, ..., 0]


def gamma_waves(top: int, angles: int) -> Tensor:
    """``ρ_n(γ_k)`` at ``γ_k = 2πk/angles``, ``n = −top…top``: ``(2·top + 1, angles)``, float64."""
    steps = torch.arange(angles, dtype=torch.float64)
    return angular_waves(top + 1, steps * (2 * math.pi / angles))


def _check_maps(x: Tensor, axes: int, taker: str) -> None:
    if x.dim() < axes or x.shape[-axes] % 2 == 0:
        rest = "2b, 2b" if axes == 3 else "L²"
        raise ValueError(
            f"{taker} takes (..., 2N+1, {rest}): one map for each order n = −N…N, an odd number of "
            f"them; got {tuple(x.shape)}. A signal on the sphere has one: x[..., None, "
            f"{', '.join(':' * (axes - 1))}]"
        )


@remembered(maxsize=64)
def _place(degrees: int, device: torch.device) -> Tensor:
    """Where ``l² + l + m`` stands in the padded ``(m, l)``."""
    rows = [(orders(k + 1) + degrees - 1) * degrees + k for k in range(degrees)]
    return torch.cat(rows).to(device)


@dataclass(frozen=True, eq=False)
class _Tables:
    """Waves in α, and for each pair of orders a matrix from β to l."""

    waves: Tensor  # (2L − 1, 2b)
    polar: Tensor  # (m·n, 2L, 2b)

    def project(self, x: Tensor) -> Tensor:
        """Samples ``(n, Z, β, α)`` to ``(m, n, Z, l)``."""
        maps, Z, side, _ = x.shape
        rings = torch.mm(self.waves, x.reshape(-1, side).t())  # (m, n·Z·β)
        both = torch.bmm(rings.view(-1, Z, side), self.polar.mT)
        here, there = both.view(-1, maps, Z, both.shape[-1]).chunk(2, -1)
        return here + there.flip(0, 1)

    def expand(self, spectrum: Tensor) -> Tensor:
        """The transpose, ``(m, n, Z, l)`` to samples ``(n, Z, β, α)``."""
        M, maps, Z, L = spectrum.shape
        side = self.waves.shape[1]
        both = torch.cat([spectrum, spectrum.flip(0, 1)], -1).view(-1, Z, 2 * L)
        rings = torch.bmm(both, self.polar).view(M, -1)  # (m, n·Z·β)
        return torch.mm(rings.t(), self.waves).view(maps, Z, side, side)


@remembered()
def _tables(
    bandwidth: int,
    degrees: int,
    top: int,
    weighted: bool,
    dtype: torch.dtype,
    device: torch.device,
) -> _Tables:
    """For orders up to `top`, in float64 and cast: `weighted` to project, else to expand."""
    beta, alpha = dh_angles(bandwidth)
    size = max(degrees, top + 1)
    m = slice(size - degrees, size + degrees - 1)
    same, other = (table[m, :, :degrees] for table in real_tables(size, beta, top))
    # F_mn takes T_mn y_mn + U_mn y_−m,−n, and gives both back: see `so3_routes.GemmRoute`.
    polar = torch.cat([same, other.flip(0, 1)], 2)  # (m, n, 2L, β)
    if weighted:
        polar *= quadrature_weights(bandwidth) / (2 * bandwidth)
        polar[:, orders(top + 1) != 0] /= 2  # the mean of cos² and sin²
    else:
        polar *= (2 * torch.arange(degrees, dtype=torch.float64) + 1).repeat(2)[:, None]
    waves = angular_waves(degrees, alpha)
    return _Tables(waves.to(device, dtype), polar.flatten(0, 1).to(device, dtype))


def _shape(sizes: Sequence[int], shape: Sequence[int], transposed: bool) -> list[int]:
    bandwidth, degrees, top, _ = sizes
    if transposed:
        return [2 * top + 1, shape[2], 2 * bandwidth, 2 * bandwidth]
    return [2 * degrees - 1, 2 * top + 1, shape[1], degrees]


@transform_family("spin", _shape)
def _maps(
    sizes: Sequence[int], dtype: torch.dtype, device: torch.device
) -> tuple[LinearMap, LinearMap]:
    bandwidth, degrees, top, weighted = sizes
    found = _tables(bandwidth, degrees, top, bool(weighted), dtype, device)
    return found.project, found.expand

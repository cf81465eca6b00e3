"""Wigner functions: the matrices by which rotations act on degree ``l``, in float64.

Everything rests on one table: ``d^l_mn(β)`` for ``0 ≤ n ≤ m ≤ l``, by the three-term recursion
in ``l`` from the closed form at ``l = m``, which is stable. Every other pair of orders follows
from the symmetries ``d_nm = (−1)^(m−n) d_mn``, ``d_(−n,−m) = d_mn`` and
``d^l_(m,−n)(β) = (−1)^(l+m) d^l_mn(π − β)`` (Varshalovich et al. 1988, section 4.4).

The real basis is e3nn's: ``m = −l…l``, ``sin(|m|α)`` for ``m < 0`` and ``cos(mα)`` for
``m ≥ 0``, no Condon–Shortley sign, in our z-polar frame. `e3nn.o3.Irreps.D_from_matrix` of
``equivlab.so3.e3nn_matrix(R)`` gives the same matrices.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from equivlab.so3 import SO3

__all__ = [
    "angular_waves",
    "legendre",
    "orders",
    "small_d_tables",
    "wigner_D",
    "wigner_d",
]


def orders(degrees: int) -> Tensor:
    """The orders ``m = −(L−1)…L−1`` of all degrees below ``L``, ``(2L − 1,)``."""
    return torch.arange(1 - degrees, degrees)


def small_d_tables(degrees: int, beta: Tensor) -> list[Tensor]:
    """The fundamental domain: ``tables[m][n, l − m, j] = d^l_mn(β_j)``, ``0 ≤ n ≤ m ≤ l < L``.

    Args:
        degrees: the number ``L`` of degrees ``l = 0…L−1``.
        beta: colatitudes in radians, float64 ``(J,)``.

    Returns:
        ``L`` tensors ``(m + 1, L − m, J)``, float64: in all ``L³J/6`` numbers.
    """
    return [_small_d(m, torch.arange(m + 1), degrees, beta) for m in range(degrees)]


def legendre(degrees: int, beta: Tensor) -> Tensor:
    """The β part of the orthonormal real spherical harmonics, ``(L, L, J)`` in ``m l j``.

    ``Y_l,±m(β, α) = legendre[m, l] · (cos mα, or sin mα for −m)``; zero for ``l < m``.
    """
    out = torch.zeros(degrees, degrees, len(beta), dtype=torch.float64)
    zero = torch.zeros(1, dtype=torch.long)
    for m in range(degrees):
        out[m, m:] = _small_d(m, zero, degrees, beta)[0] * (math.sqrt(2) if m else 1) * (-1) ** m
    scale = torch.sqrt((2 * torch.arange(degrees, dtype=torch.float64) + 1) / (4 * math.pi))
    return out * scale[:, None]


def _small_d(m: int, n: Tensor, degrees: int, beta: Tensor) -> Tensor:
    """``d^l_mn(β_j)`` for one ``m`` and several ``0 ≤ n ≤ m``: ``(len(n), L − m, J)``."""
    n = n.double()[:, None]
    cos, sin, z = torch.cos(beta / 2), torch.sin(beta / 2), torch.cos(beta)
    out = torch.empty(len(n), degrees - m, len(beta), dtype=torch.float64)
    # l = m: (−1)^(m−n) sqrt(binomial(2m, m − n)) cos^(m+n) sin^(m−n), through logarithms.
    size = math.lgamma(2 * m + 1) - torch.lgamma(m + n + 1) - torch.lgamma(m - n + 1)
    size = torch.exp(size / 2 + torch.xlogy(m + n, cos) + torch.xlogy(m - n, sin))
    out[:, 0] = size * (1 - 2 * ((m - n) % 2))
    for degree in range(m + 1, degrees):
        below = degree - 1
        scale = torch.sqrt((degree**2 - m**2) * (degree**2 - n**2))
        shift = m * n / (degree * below) if below else torch.zeros_like(n)
        value = degree * (2 * degree - 1) / scale * (z - shift) * out[:, below - m]
        if below > m:
            back = torch.sqrt((below**2 - m**2) * (below**2 - n**2))
            value -= degree * back / (below * scale) * out[:, below - 1 - m]
        out[:, degree - m] = value
    return out


def wigner_d(degree: int, beta: float | Tensor) -> Tensor:
    """Wigner's small d of one degree in the usual complex basis, ``(..., 2l+1, 2l+1)``.

    ``d_mn(β) = ⟨l m| exp(−iβJ_y) |l n⟩`` with rows ``m`` and columns ``n`` from ``−l`` to ``l``,
    float64.

    >>> round(float(wigner_d(1, 0.5)[2, 1]), 6)  # d¹_10 = −sin β / √2
    -0.339005
    """
    angles = torch.as_tensor(beta, dtype=torch.float64)
    flat = angles.reshape(-1)
    L, J = degree + 1, len(flat)
    tables = small_d_tables(L, torch.cat([flat, math.pi - flat]))
    out = flat.new_zeros(J, 2 * degree + 1, 2 * degree + 1)
    for m, table in enumerate(tables):
        for n in range(m + 1):
            same, other = table[n, -1].split(J)
            sign = (-1) ** (m - n)
            other = other * (-1) ** (degree + m)
            for row, column, value in (
                (m, n, same), (-n, -m, same), (n, m, sign * same), (-m, -n, sign * same),
                (m, -n, other), (n, -m, other), (-m, n, sign * other), (-n, m, sign * other),
            ):  # fmt: skip
                out[:, degree + row, degree + column] = value
    return out.view(*angles.shape, 2 * degree + 1, 2 * degree + 1)


def real_tables(degrees: int, beta: Tensor, top: int | None = None) -> tuple[Tensor, Tensor]:
    """``T, U`` with ``D^l_ab = T_ab ρ_a(α) ρ_b(γ) + U_ab ρ_−a(α) ρ_−b(γ)`` in the real basis.

    ``ρ_m`` are the `angular_waves`. Both ``(2L−1, 2N+1, L, J)`` in ``a b l j``, zero where
    ``l < max(|a|, |b|)``; ``|b| ≤ N = top``, by default all below ``L``.
    """
    J = len(beta)
    top = degrees - 1 if top is None else top
    same = torch.zeros(degrees, top + 1, degrees, J, dtype=torch.float64)  # d_mn up to sign
    other = torch.zeros_like(same)  # d_m,−n up to sign
    signs = (1 - 2 * (torch.arange(degrees) % 2)).double()  # (−1)^l
    for m, table in enumerate(small_d_tables(degrees, torch.cat([beta, math.pi - beta]))):
        near, far = table.split(J, -1)
        sign = (signs[m] * signs[: m + 1])[:, None, None]
        far = far * signs[m:, None]
        if m <= top:
            same[: m + 1, m, m:] = near
            other[: m + 1, m, m:] = sign * far
        n = slice(min(m, top) + 1)
        same[m, n, m:] = (sign * near)[n]
        other[m, n, m:] = far[n]
    for table in (same, other):  # a constant wave has norm 1, a cosine √½
        table[0] *= math.sqrt(0.5)
        table[:, 0] *= math.sqrt(0.5)
    a, b = orders(degrees), orders(top + 1)
    positive_a, positive_b = ((m >= 0).double() * 2 - 1 for m in (a, b))
    both = (same + other)[a.abs()][:, b.abs()] * positive_b[:, None, None]
    rest = (same - other)[a.abs()][:, b.abs()] * -positive_a[:, None, None, None]
    return both, rest


def angular_waves(degrees: int, angle: Tensor) -> Tensor:
    """``ρ_m(t)``, ``cos mt`` for ``m ≥ 0``, ``sin |m|t`` for ``m < 0``: ``(2L − 1, *t.shape)``."""
    m = orders(degrees).view(-1, *[1] * angle.dim())
    turns = m.abs() * angle.double()
    return torch.where(m < 0, torch.sin(turns), torch.cos(turns))


def wigner_D(rotations: Tensor, degrees: int) -> list[Tensor]:
    """The real irreducible representations of rotations, ``D(R)D(Q) = D(RQ)``, orthogonal.

    Spherical-harmonic coefficients turn by them: of ``f(R⁻¹x)`` they are ``D^l(R) f_l``.

    Args:
        rotations: matrices ``(..., 3, 3)``, see `equivlab.so3.SO3`.
        degrees: the number ``L`` of degrees.

    Returns:
        ``L`` tensors ``(..., 2l+1, 2l+1)``, float64, on the device of `rotations`.

    Raises:
        ValueError: not rotation matrices.

    >>> [tuple(D.shape) for D in wigner_D(SO3.identity, 3)]
    [(1, 1), (3, 3), (5, 5)]
    """
    lead = SO3.check(rotations).shape[:-2]
    alpha, beta, gamma = SO3.to_zyz(rotations.reshape(-1, 3, 3).cpu())
    if len(beta) > 1 and degrees**3 * len(beta) > 2**20:  # keep the tables small
        halves = rotations.reshape(-1, 3, 3).tensor_split(2)
        parts = [wigner_D(half, degrees) for half in halves]
        return [
            torch.cat(pair).view(*lead, *pair[0].shape[-2:]) for pair in zip(*parts, strict=True)
        ]
    same, other = real_tables(degrees, beta)  # (a, b, l, N)
    waves, turns = angular_waves(degrees, alpha), angular_waves(degrees, gamma)  # (a, N)
    same *= (waves[:, None] * turns[None])[:, :, None]
    same += other.mul_((waves.flip(0)[:, None] * turns.flip(0)[None])[:, :, None])
    out = []
    for degree in range(degrees):
        cut = slice(degrees - 1 - degree, degrees + degree)
        block = same[cut, cut, degree].permute(2, 0, 1).contiguous()
        out.append(block.view(*lead, *block.shape[1:]).to(rotations.device))
    return out

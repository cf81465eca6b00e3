"""The Driscoll–Healy grid, its quadrature, and the kernel grids of a spherical convolution.

A signal of bandwidth ``b`` on the sphere is sampled at ``2b`` colatitudes
``β_j = π(2j + 1)/4b`` and ``2b`` longitudes ``α_k = 2πk/2b``; one on SO(3) at ``2b`` angles
``γ_k`` as well. With the weights of `quadrature_weights` the mean of
every polynomial of degree below ``2b`` is exact (Driscoll & Healy 1994; Kostelec & Rockmore
2008, SOFT).

>>> beta, alpha = dh_angles(2)
>>> [round(float(t), 4) for t in beta]
[0.3927, 1.1781, 1.9635, 2.7489]
>>> round(float(quadrature_weights(2).sum()), 12)
1.0
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from equivlab.tables import in_no_mode, remembered

__all__ = [
    "bandwidth_of",
    "dh_angles",
    "quadrature_weights",
    "s2_equatorial_grid",
    "s2_near_identity_grid",
    "so3_equatorial_grid",
    "so3_near_identity_grid",
    "spin_kernel_grid",
]


def dh_angles(bandwidth: int) -> tuple[Tensor, Tensor]:
    """Colatitudes β ``(2b,)`` and longitudes α ``(2b,)`` in radians, float64."""
    steps = torch.arange(2 * bandwidth, dtype=torch.float64)
    return (steps + 0.5) * (math.pi / (2 * bandwidth)), steps * (math.pi / bandwidth)


def quadrature_weights(bandwidth: int) -> Tensor:
    """Weights ``(2b,)`` of the colatitudes, float64, with sum 1: ``Σ w_j f(β_j)`` is the mean.

    ``w_j = (1/b) sin β_j Σ_{k<b} sin((2k + 1) β_j) / (2k + 1)``.
    """
    beta = dh_angles(bandwidth)[0]
    odd = 2 * torch.arange(bandwidth, dtype=torch.float64) + 1
    return beta.sin() * (torch.sin(beta[:, None] * odd) / odd).sum(1) / bandwidth


@remembered(maxsize=64)
def sample_weights(bandwidth: int, angles: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Weights ``(2b,)`` of the colatitudes where each has so many samples: the sum is the mean.

    `angles` is ``2b`` on the sphere, ``(2b)²`` on SO(3): ``Σ_jkn w_j f(β_j, α_k, γ_n)``. Kept in
    memory: a GPU would wait for a new copy at each call.
    """
    return (quadrature_weights(bandwidth) / angles).to(device, dtype)


def bandwidth_of(x: Tensor, axes: int, taker: str) -> int:
    """The bandwidth ``b`` of samples ``(..., 2b, 2b)`` (2 axes) or ``(..., 2b, 2b, 2b)`` (3).

    Raises:
        TypeError: `x` is no tensor of floating-point numbers.
        ValueError: the last axes differ, or are odd or empty.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(
            f"{taker} takes a tensor of real numbers; got {kind}. Convert it: x.float()"
        )
    shape = tuple(x.shape)
    n = shape[-1] if shape else 0
    if len(shape) < axes or any(side != n for side in shape[-axes:]) or n % 2 or n == 0:
        wanted = ", ".join(["2b"] * axes)
        name = "β, α" if axes == 2 else "β, α, γ"
        raise ValueError(
            f"{taker} takes samples (..., {wanted}) on the Driscoll–Healy grid ({name}) with one "
            f"even size on each of the last {axes} axes; got {shape}. Resample to dh_angles(b), or "
            "project an image: equivlab.sphere.project_image"
        )
    if x.numel() == 0:
        raise ValueError(f"{taker} takes at least one signal; got {shape}. Skip empty batches.")
    return n // 2


@in_no_mode
def s2_near_identity_grid(
    max_beta: float = math.pi / 8, n_alpha: int = 8, n_beta: int = 3
) -> Tensor:
    """Rings around the north pole, where the kernel of an `S2Conv` may differ from zero.

    Args:
        max_beta: colatitude of the widest ring, radians.
        n_alpha: points on each ring.
        n_beta: rings, at ``max_beta·(1…n_beta)/n_beta``.

    Returns:
        ``(n_beta·n_alpha, 2)``: pairs β, α, float64, ring after ring.
    """
    return _product(_rings(max_beta, n_beta), _around(n_alpha))


@in_no_mode
def s2_equatorial_grid(max_beta: float = 0.0, n_alpha: int = 32, n_beta: int = 1) -> Tensor:
    """Rings about the equator, within `max_beta` of it; pairs β, α as `s2_near_identity_grid`."""
    return _product(_belt(max_beta, n_beta), _around(n_alpha))


@in_no_mode
def so3_near_identity_grid(
    max_beta: float = math.pi / 8,
    max_gamma: float = 2 * math.pi,
    n_alpha: int = 8,
    n_beta: int = 3,
    n_gamma: int | None = None,
) -> Tensor:
    """Rotations about the identity, where the kernel of an `SO3Conv` may differ from zero.

    Each is a tilt by β towards α, then a turn: ``γ = γ′ − α`` with γ′ in ``±max_gamma``.

    Args:
        max_beta: largest tilt, radians.
        max_gamma: largest turn γ′, radians.
        n_alpha: directions of the tilt.
        n_beta: tilts, ``max_beta·(1…n_beta)/n_beta``.
        n_gamma: turns, both ends included; by default `n_alpha`.

    Returns:
        ``(n_beta·n_alpha·n_gamma, 3)``: β, α, γ, float64, β slowest.
    """
    turns = _between(-max_gamma, max_gamma, n_gamma or n_alpha)
    grid = _product(_rings(max_beta, n_beta), _around(n_alpha), turns)
    grid[:, 2] -= grid[:, 1]
    return grid


@in_no_mode
def so3_equatorial_grid(
    max_beta: float = 0.0,
    max_gamma: float = math.pi / 8,
    n_alpha: int = 32,
    n_beta: int = 1,
    n_gamma: int = 2,
) -> Tensor:
    """Rotations that take the pole to the equator; β, α, γ as `so3_near_identity_grid`."""
    turns = _between(-max_gamma, max_gamma, n_gamma)
    return _product(_belt(max_beta, n_beta), _around(n_alpha), turns)


@in_no_mode
def spin_kernel_grid(
    orders_in: int, orders_out: int, max_beta: float = math.pi / 6, n_beta: int = 2
) -> Tensor:
    """Rotations about the identity that a `SpinConv` can tell apart, the identity's turns included.

    A kernel that sees orders up to ``N`` in γ cannot tell more than ``2N + 1`` angles apart.

    Args:
        orders_in: the highest order of what the kernel looks at.
        orders_out: the highest order of what it makes.
        max_beta: largest tilt, radians.
        n_beta: tilts, ``max_beta·(1…n_beta)/n_beta``, beside 0.

    Returns:
        ``(P, 3)``: β, α, γ, float64, β slowest; ``P = 2 min(N, N') + 1`` turns by α alone, then
        ``n_beta (2N' + 1)(2N + 1)`` with a tilt.
    """
    alpha, gamma = _around(2 * orders_out + 1), _around(2 * orders_in + 1)
    centre = torch.zeros(2 * min(orders_in, orders_out) + 1, 3, dtype=torch.float64)
    centre[:, 1] = _around(len(centre))
    return torch.cat([centre, _product(_rings(max_beta, n_beta), alpha, gamma)])


def _rings(max_beta: float, count: int) -> Tensor:
    return torch.arange(1, count + 1, dtype=torch.float64) * (max_beta / count)


def _belt(max_beta: float, count: int) -> Tensor:
    return _between(math.pi / 2 - max_beta, math.pi / 2 + max_beta, count)


def _around(count: int) -> Tensor:
    return torch.arange(count, dtype=torch.float64) * (2 * math.pi / count)


def _between(low: float, high: float, count: int) -> Tensor:
    return torch.linspace(low, high, count, dtype=torch.float64)


def _product(*axes: Tensor) -> Tensor:
    return torch.cartesian_prod(*axes).reshape(-1, len(axes))

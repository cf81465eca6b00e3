"""Random spectra of few orders in γ, and such signals on SO(3)."""

from __future__ import annotations

import torch
from torch import Tensor

from equivlab.sphere.wigner import angular_waves


def random_spectrum(lead: tuple[int, ...], degrees: int, top: int) -> Tensor:
    """Zero where ``l < |n|``, float64."""
    generator = torch.Generator().manual_seed(degrees + top)
    maps, square = 2 * top + 1, degrees**2
    F = torch.randn(*lead, maps, square, generator=generator, dtype=torch.float64)
    degree = torch.arange(square).sqrt().floor()
    return F * (degree >= torch.arange(-top, top + 1).abs()[:, None])


def on_so3(x: Tensor) -> Tensor:
    """Samples ``(..., 2N+1, 2b, 2b)`` at the 2b angles γ of the SOFT grid."""
    side = x.shape[-1]
    gamma = torch.arange(side, dtype=torch.float64) * (2 * torch.pi / side)
    waves = angular_waves(x.shape[-3] // 2 + 1, gamma).to(x)
    return torch.einsum("...nba,nc->...bac", x, waves)

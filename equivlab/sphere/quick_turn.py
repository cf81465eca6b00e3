"""Many rotations of one spectrum, one after another, fast: for a hand on a globe.

`equivlab.sphere.rotate_coefficients` makes the Wigner matrices of each new rotation, which for
thirty degrees takes tens of milliseconds. Here only turns about the poles are made anew:
``Ry(β) = X⁻¹ Rz(β) X`` with ``X`` the quarter turn about the x-axis, whose matrices are kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from equivlab.so3 import SO3
from equivlab.sphere.wigner import wigner_D

__all__ = ["QuickTurn"]


class QuickTurn:
    """Rotations of spectra of so many degrees, as `rotate_coefficients` and `rotate_blocks`.

    Args:
        degrees: ``L``.
    """

    def __init__(self, degrees: int) -> None:
        self.sizes = [2 * degree + 1 for degree in range(degrees)]
        quarter = SO3.from_axis_angle(torch.tensor([1.0, 0.0, 0.0]), math.pi / 2)
        self.quarter = wigner_D(quarter, degrees)

    def __call__(self, coefficients: Tensor, rotation: Tensor) -> Tensor:
        """Of coefficients ``(..., L²)`` of ``f(x)`` on the sphere those of ``f(R⁻¹x)``."""
        columns = coefficients[..., None].split(self.sizes, -2)
        return torch.cat(self.blocks(columns, rotation), -2)[..., 0]

    def blocks(self, blocks: Sequence[Tensor], rotation: Tensor) -> list[Tensor]:
        """``D^l(R) F^l`` of blocks ``(..., 2l+1, k)``: signals on SO(3), as `rotate_blocks`."""
        angles = [float(angle) for angle in SO3.to_zyz(rotation)]
        orders = torch.arange(len(self.sizes), dtype=torch.float64)[:, None]
        alpha, beta, gamma = (
            (torch.cos(orders * angle), torch.sin(orders * angle)) for angle in angles
        )
        turned = []
        for F, D in zip(blocks, self.quarter, strict=True):
            X = D.to(F)
            F = X @ _about_pole(F, *gamma)
            F = X.mT @ _about_pole(F, *beta)  # X is orthogonal: its transpose turns back
            turned.append(_about_pole(F, *alpha))
        return turned


def _about_pole(F: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """``Rz``: the two waves of each order mix; rows ``m = −l…l``."""
    degree = F.shape[-2] // 2
    c, s = cos[: degree + 1].to(F), sin[: degree + 1].to(F)
    c, s = torch.cat([c[1:].flip(0), c]), torch.cat([-s[1:].flip(0), s])
    return F * c - F.flip(-2) * s

"""Many rotations of one spectrum, one after another, fast: for a hand on a globe.

`equivlab.sphere.rotate_coefficients` makes the Wigner matrices of each new rotation, which for
thirty degrees takes tens of milliseconds. Here only turns about the poles are made anew:
``Ry(β) = X⁻¹ Rz(β) X`` with ``X`` the quarter turn about the x-axis, whose matrices are kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.so3 import SO3
from equivlab.sphere.wigner import wigner_D

__all__ = ["QuickTurn"]


class QuickTurn:
    """Rotations of spectra of so many degrees, as `rotate_coefficients` and `rotate_blocks`.

    All degrees go together, as ``(degree, order m, columns)`` with zeros where ``|m|`` is above the
    degree: a turn about a pole is then two products for the whole spectrum.

    Args:
        degrees: ``L``.
    """

    def __init__(self, degrees: int) -> None:
        self.degrees, self.side = degrees, 2 * degrees - 1
        #: Of each degree, how many rows of zeros stand before its own and after them.
        self.spare = [degrees - 1 - degree for degree in range(degrees)]
        rows = torch.arange(degrees * self.side).view(degrees, self.side)
        own = zip(rows, self.spare, strict=True)
        self.places = torch.cat([row[n : self.side - n] for row, n in own])
        quarter = SO3.from_axis_angle(torch.tensor([1.0, 0.0, 0.0]), math.pi / 2)
        matrices = wigner_D(quarter, degrees)
        pads = ((n, n, n, n) for n in self.spare)
        self.quarter = torch.stack([F.pad(D, n) for D, n in zip(matrices, pads, strict=True)])

    def __call__(self, coefficients: Tensor, rotation: Tensor) -> Tensor:
        """Of coefficients ``(..., L²)`` of ``f(x)`` on the sphere those of ``f(R⁻¹x)``."""
        columns = coefficients.reshape(-1, coefficients.shape[-1]).T
        rows = columns.new_zeros(self.degrees * self.side, columns.shape[1])
        rows[self.places] = columns
        turned = self._turned(rows.view(self.degrees, self.side, -1), rotation)
        return turned.flatten(0, 1)[self.places].T.reshape(coefficients.shape)

    def blocks(self, blocks: Sequence[Tensor], rotation: Tensor) -> list[Tensor]:
        """``D^l(R) F^l`` of blocks ``(..., 2l+1, k)``: signals on SO(3), as `rotate_blocks`."""
        columns = [block.movedim(-2, 0).flatten(1) for block in blocks]
        most = max(each.shape[1] for each in columns)
        rows = columns[0].new_zeros(self.degrees, self.side, most)
        for row, start, each in zip(rows, self.spare, columns, strict=True):
            row[start : start + len(each), : each.shape[1]] = each
        turned = self._turned(rows, rotation)
        return [
            row[start : start + len(each), : each.shape[1]]
            .reshape(block.shape[-2], *block.shape[:-2], block.shape[-1])
            .movedim(0, -2)
            for row, start, each, block in zip(turned, self.spare, columns, blocks, strict=True)
        ]

    def _turned(self, rows: Tensor, rotation: Tensor) -> Tensor:
        """``D(R)`` of all degrees, of ``(L, 2L−1, columns)``."""
        X = self.quarter.to(rows)
        orders = torch.arange(-self.degrees + 1, self.degrees, dtype=torch.float64)[:, None]
        alpha, beta, gamma = (
            (torch.cos(orders * angle).to(rows), torch.sin(orders * angle).to(rows))
            for angle in map(float, SO3.to_zyz(rotation))
        )
        rows = X @ _about_pole(rows, *gamma)
        rows = X.mT @ _about_pole(rows, *beta)  # X is orthogonal: its transpose turns back
        return _about_pole(rows, *alpha)


def _about_pole(rows: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """``Rz``: the two waves of each order mix; rows ``m = −L+1…L−1``."""
    return rows * cos - rows.flip(-2) * sin

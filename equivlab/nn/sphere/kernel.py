"""Kernels on the sphere and on SO(3): sums of points, and their spectra.

A kernel is ``ψ = Σ_p w_p δ(p)``, at fixed places near the identity or around the equator. So its
spectrum is one matrix product: the weights times basis functions at the points, the rows here.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch._subclasses import FakeTensor

from equivlab.so3 import SO3
from equivlab.sphere.wigner import wigner_D

__all__ = ["check_grid", "s2_basis", "so3_basis", "spin_basis"]


def check_grid(grid: Tensor, angles: int, layer: str) -> Tensor:
    """The places of a kernel's points, ``(P, angles)`` in float64 on the CPU.

    Raises:
        ValueError: another shape, a β outside 0…π, NaN, or no numbers (on meta, fake).
    """
    names = "β, α" if angles == 2 else "β, α, γ"
    maker = "s2_near_identity_grid()" if angles == 2 else "so3_near_identity_grid()"
    if isinstance(grid, Tensor) and (grid.is_meta or isinstance(grid, FakeTensor)):
        what = "on the meta device" if grid.is_meta else "a fake tensor"
        raise ValueError(
            f"{layer}: kernel_grid is {what} and has no numbers. Make it with those of "
            f"equivlab.sphere, which have them in every mode: {maker}"
        )
    grid = torch.as_tensor(grid, dtype=torch.float64, device="cpu")
    if grid.dim() != 2 or grid.shape[1] != angles or not len(grid):
        raise ValueError(
            f"{layer}: kernel_grid is (P, {angles}), the angles {names} of each point in radians; "
            f"got {tuple(grid.shape)}. Make one: equivlab.sphere.{maker}"
        )
    if not bool(torch.isfinite(grid).all()) or not bool(
        ((grid[:, 0] >= 0) & (grid[:, 0] <= math.pi)).all()
    ):
        raise ValueError(f"{layer}: kernel_grid has a β outside 0…π, or no number.")
    return grid


def s2_basis(grid: Tensor, degrees: int) -> Tensor:
    """Harmonics at points ``(P, 2)`` on the sphere, degree after degree: ``(P, L²)``.

    The paper's code measures the sphere as 1, our coefficients as 4π: so they are over
    ``√(4π(2l+1))``.
    """
    beta, alpha = grid.unbind(1)
    D = wigner_D(SO3.from_zyz(alpha, beta, 0.0), degrees)
    columns = [d[..., d.shape[-1] // 2] / math.sqrt(4 * math.pi * d.shape[-1]) for d in D]
    return torch.cat(columns, -1)


def so3_basis(grid: Tensor, degrees: int) -> Tensor:
    """Wigner's D at points ``(P, 3)`` on SO(3), each degree transposed: ``(P, Σ (2l+1)²)``."""
    beta, alpha, gamma = grid.unbind(1)
    D = wigner_D(SO3.from_zyz(alpha, beta, gamma), degrees)
    return torch.cat([d.mT.flatten(1) for d in D], -1)


def spin_basis(grid: Tensor, degrees: int, orders_in: int, orders_out: int) -> Tensor:
    """The same for few orders: ``(P, L·(2N+1)·(2N'+1))``, zero where there is no such order."""
    N, N_out = orders_in, orders_out
    beta, alpha, gamma = grid.unbind(1)
    basis = torch.zeros(len(grid), degrees, 2 * N + 1, 2 * N_out + 1, dtype=torch.float64)
    for degree, D in enumerate(wigner_D(SO3.from_zyz(alpha, beta, gamma), degrees)):
        k, n = min(degree, N), min(degree, N_out)
        columns, rows = slice(degree - k, degree + k + 1), slice(degree - n, degree + n + 1)
        into = basis[:, degree, N - k : N + k + 1, N_out - n : N_out + n + 1]
        into.copy_(D[:, rows, columns].mT)
    return basis.flatten(1)

"""Features as one can draw them: a number as colour, an arrow, a matrix as an ellipsoid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from equivlab.fields.irreps import harmonics
from equivlab.tables import remembered

__all__ = ["GLYPH", "glyphs_of", "limits_of", "ranked", "strongest"]

GLYPH = 10  # numbers for each place: a scalar, a vector, six entries of a symmetric matrix
NOTHING = 1e-30


@remembered(maxsize=1)
def _quadratic_forms() -> Tensor:
    """The symmetric matrices ``S_m`` with ``p·S_m p = Y_2m(p)`` for unit ``p``, ``(5, 3, 3)``."""
    p = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    p = p / torch.linalg.vector_norm(p, dim=1, keepdim=True)
    i, j = torch.triu_indices(3, 3)
    products = p[:, i] * p[:, j] * torch.where(i == j, 1.0, 2.0)
    entries = torch.linalg.lstsq(products, harmonics(2, p)).solution  # (6, 5)
    S = torch.zeros(5, 3, 3, dtype=torch.float64)
    S[:, i, j] = S[:, j, i] = entries.T
    return S


def ranked(irreps: Any, rest: Sequence[Tensor]) -> tuple[list[slice], list[slice], list[slice]]:
    """The channels of scalars, vectors and degree 2, those first that vary most over the places."""
    found: tuple[list[tuple[float, slice]], ...] = ([], [], [])
    for (multiplicity, irrep), cut in zip(irreps, irreps.slices(), strict=True):
        if irrep.l > 2:
            continue
        for m in range(multiplicity):
            own = slice(cut.start + m * irrep.dim, cut.start + (m + 1) * irrep.dim)
            parts = torch.cat([one[0, own] for one in rest], 1)  # (2l+1, N)
            spread = float(
                parts.var(1, correction=0).sum() if irrep.l == 0 else parts.square().sum(0).mean()
            )
            found[irrep.l].append((-spread, own))
    scalars, vectors, tensors = (
        [own for _, own in sorted(some, key=lambda pair: pair[0])] for some in found
    )
    return scalars, vectors, tensors


def strongest(irreps: Any, rest: Sequence[Tensor]) -> list[slice | None]:
    """The channels of the scalar, vector and degree-2 feature that vary most over the places."""
    return [next(iter(some), None) for some in ranked(irreps, rest)]


def glyphs_of(features: Tensor, chosen: Sequence[slice | None]) -> Tensor:
    """Features ``(P, C, N)`` for drawing, ``(P, N, GLYPH)``: in x y z, without harmonics.

    Scalar, vector ``x y z``, and the matrix ``xx xy xz yy yz zz`` whose quadratic form is the
    degree-2 feature; zeros where there is none.
    """
    out = features.new_zeros(len(features), features.shape[2], GLYPH)
    scalar, vector, tensor = chosen
    if scalar is not None:
        out[..., 0] = features[:, scalar.start]
    if vector is not None:
        out[..., 1:4] = features[:, vector][:, [2, 0, 1]].mT  # components of degree 1 are y z x
    if tensor is not None:
        S = torch.einsum("pmn,mij->pnij", features[:, tensor], _quadratic_forms())
        i, j = torch.triu_indices(3, 3)
        out[..., 4:] = S[..., i, j]
    return out


def limits_of(glyphs: Tensor) -> Tensor:
    """The largest scalar, vector and matrix (by its largest eigenvalue) of ``(..., GLYPH)``."""
    flat = glyphs.reshape(-1, GLYPH)
    S = flat.new_zeros(len(flat), 3, 3)
    i, j = torch.triu_indices(3, 3)
    S[:, i, j] = S[:, j, i] = flat[:, 4:]
    largest = [
        flat[:, 0].abs().max(),
        torch.linalg.vector_norm(flat[:, 1:4], dim=1).max(),
        torch.linalg.eigvalsh(S).abs().max(),
    ]
    return torch.stack(largest).clamp_min(NOTHING)

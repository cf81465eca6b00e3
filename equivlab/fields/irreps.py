"""The irreducible representations of rotations, in e3nn's language, to double precision.

An `e3nn.o3.Irreps` such as ``"8x0e + 4x1o"`` says what the channels of a feature are: 8 numbers
that stay, 4 vectors that turn. The ``2l + 1`` components of degree ``l`` are ordered and signed
as the real spherical harmonics ``m = −l…l`` of our z-polar frame; those of a vector (degree 1)
are its ``(y, z, x)``, since ``Y₁`` is.

>>> import torch
>>> from equivlab.so3 import SO3
>>> g, p = SO3.from_zyz(0.3, 1.1, -0.4), torch.tensor([[0.2, -0.5, 0.7]], dtype=torch.float64)
>>> D = degree_matrix(2, g)
>>> torch.allclose(harmonics(2, p @ g.T), harmonics(2, p) @ D.T)
True
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from equivlab.so3 import SO3
from equivlab.tables import remembered

__all__ = [
    "Irrep",
    "Irreps",
    "as_irreps",
    "degree_matrix",
    "harmonics",
    "is_scalar",
    "turn_features",
]

OUR_AXES = [1, 2, 0]  # e3nn calls our (y, z, x) by the names (x, y, z); see so3.e3nn_matrix


class Irrep(Protocol):
    """One irreducible representation, an `e3nn.o3.Irrep`: degree ``l`` and parity ``p``."""

    @property
    def l(self) -> int:  # noqa: E743, its name
        """The degree; in the plane the frequency."""

    @property
    def p(self) -> int:
        """The sign in a mirror."""

    @property
    def dim(self) -> int:
        """The number of components."""


class Irreps(Protocol):
    """What this package asks of an `e3nn.o3.Irreps`, which has no types: ``8x0e + 4x1o``."""

    @property
    def dim(self) -> int:
        """The number of channels."""

    @property
    def num_irreps(self) -> int:
        """The number of features."""

    def __iter__(self) -> Iterator[tuple[int, Irrep]]:
        """The pairs of a multiplicity and an irrep, in their order."""

    def slices(self) -> list[slice[int, int, None]]:
        """Where the channels of each pair stand."""

    def __len__(self) -> int:
        """The number of pairs."""

    def __contains__(self, irrep: object) -> bool:
        """Is this irrep one of them?"""


def as_irreps(irreps: str | Irreps, taker: str = "irreps") -> Irreps:
    """An `e3nn.o3.Irreps` from a string or from itself; empty parts are left out.

    Args:
        irreps: ``"8x0e + 4x1o"``, or anything that `e3nn.o3.Irreps` takes.
        taker: who asks, for the message.

    Raises:
        ValueError: no such representation, or one of dimension 0.
    """
    from e3nn import o3

    try:
        found: Irreps = o3.Irreps(irreps).remove_zero_multiplicities()
    except Exception as error:  # e3nn raises ValueError, TypeError or AssertionError
        raise ValueError(
            f"{taker} takes irreps such as '8x0e + 4x1o' (multiplicity x degree parity, e even, "
            f"o odd); got {irreps!r}. Plain channels are scalars: '8x0e'"
        ) from error
    if found.dim == 0:
        raise ValueError(
            f"{taker} takes irreps with at least one channel; got {irreps!r}. "
            "Plain channels are scalars: '8x0e'"
        )
    return found


def is_scalar(irrep: Irrep) -> bool:
    """Is this ``0e``, a number that neither turns nor changes sign in a mirror?"""
    return bool(irrep.l == 0 and irrep.p == 1)


def harmonics(degree: int, points: Tensor) -> Tensor:
    """Real spherical harmonics of the directions of `points`, in our axes.

    Args:
        degree: ``l``.
        points: ``(..., 3)``, columns ``x y z``, of any length; zero has no direction, and gets 0
            where ``l > 0``.

    Returns:
        ``(..., 2l + 1)`` with ``Σ_m Y² = 2l + 1``, components ``m = −l…l``.
    """
    from e3nn import o3

    found: Tensor = o3.spherical_harmonics(degree, points[..., OUR_AXES], True, "component")
    return found


@remembered(maxsize=32)
def _probe(degree: int) -> tuple[Tensor, Tensor]:
    """Points, and the matrix that reads off a linear map from what it does to harmonics there."""
    points = torch.randn(
        4 * degree + 8, 3, generator=torch.Generator().manual_seed(degree), dtype=torch.float64
    )
    return points, torch.linalg.pinv(harmonics(degree, points)).mT  # (n, 3), (n, 2l+1)


def degree_matrix(degree: int, g: Tensor) -> Tensor:
    """Wigner's D for real harmonics: ``Y(g·p) = D(g) Y(p)``.

    Read off the harmonics themselves, by least squares on a few points, so it is good to 1e-14
    for every rotation, at the poles too. (``e3nn.o3.wigner_D`` goes through single
    precision and is good to 1e-6; the tests compare the two.)

    Args:
        degree: ``l``.
        g: rotations ``(..., 3, 3)``.

    Returns:
        ``(..., 2l + 1, 2l + 1)``, float64.
    """
    g = SO3.check(g).cpu()
    if degree == 0:
        return torch.ones(*g.shape[:-2], 1, 1, dtype=torch.float64)
    points, reader = _probe(degree)
    return harmonics(degree, points @ g.mT).mT @ reader


def turn_features(irreps: Irreps, g: Tensor, x: Tensor) -> Tensor:
    """Multiply axis 1 of `x` ``(B, C, ...)`` by ``D(g)``, block by block: a new tensor.

    `g` is one rotation ``(3, 3)``, or one for each entry of axis 0, ``(B, 3, 3)``.
    """
    parts = []
    for (multiplicity, irrep), cut in zip(irreps, irreps.slices(), strict=True):
        part = x[:, cut]
        if irrep.l > 0:
            D = degree_matrix(irrep.l, g).to(x)
            fields = part.reshape(x.shape[0], multiplicity, irrep.dim, -1)  # (B, M, 2l+1, ...)
            part = torch.einsum("...ij,...mjs->...mis", D, fields)
            part = part.reshape(x.shape[0], -1, *x.shape[2:])
        parts.append(part)
    return torch.cat(parts, 1)

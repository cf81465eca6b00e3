"""Wigner functions against SymPy, e3nn and what a representation has to be."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from e3nn import o3
from scipy.special import sph_harm_y
from sympy.physics.quantum.spin import Rotation

from equivlab.so3 import SO3, e3nn_matrix
from equivlab.sphere import dh_angles, wigner_D, wigner_d
from equivlab.sphere.wigner import legendre, real_tables, small_d_tables


def rotations(count: int) -> torch.Tensor:
    return SO3.random_elements(count, torch.Generator().manual_seed(count))


@pytest.mark.parametrize(
    ("degree", "beta"), [(0, 0.3), (1, 0.0), (2, math.pi / 2), (2, math.pi), (3, 2.5)]
)
def test_small_d_against_sympy(degree: int, beta: float) -> None:
    d = wigner_d(degree, beta)
    for m in range(-degree, degree + 1):
        for n in {-degree, 0, max(degree - 1, 0)}:  # SymPy takes its time; symmetry has the rest
            wanted = complex(Rotation.d(degree, m, n, beta).doit().evalf()).real
            assert abs(float(d[degree + m, degree + n]) - wanted) < 1e-13


@pytest.fixture
def _double() -> Iterator[None]:
    """e3nn's helpers compute in the default dtype, and 4e-7 is what they lose in float32."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("_double")
def test_D_against_e3nn() -> None:
    R = rotations(4)
    for degree, D in enumerate(wigner_D(R, 12)):
        wanted = o3.Irrep(degree, 1).D_from_matrix(e3nn_matrix(R))
        assert float((D - wanted).abs().max()) < 1e-12  # e3nn's own rounding is 2e-14


@pytest.mark.parametrize("degrees", [1, 2, 33, 65])
def test_D_is_an_orthogonal_representation(degrees: int) -> None:
    R, Q = rotations(2)
    for D, E, DE in zip(*(wigner_D(g, degrees) for g in (R, Q, R @ Q)), strict=True):
        assert float((D @ D.mT - torch.eye(len(D), dtype=D.dtype)).abs().max()) < 5e-13
        assert float((D @ E - DE).abs().max()) < 5e-13


def test_identity_poles_and_batches() -> None:
    for D in wigner_D(SO3.identity, 20):
        assert float((D - torch.eye(len(D), dtype=D.dtype)).abs().max()) < 1e-14
    half_turn = SO3.from_zyz(0.4, math.pi, 0.0)
    for D in wigner_D(half_turn, 20):
        assert float((D @ D - torch.eye(len(D), dtype=D.dtype)).abs().max()) < 1e-13
    R = rotations(40).view(4, 10, 3, 3)
    together, alone = wigner_D(R, 33), wigner_D(R[2, 7], 33)  # the batch is cut in pieces
    assert together[5].shape == (4, 10, 11, 11)
    assert all(torch.allclose(D[2, 7], E, atol=1e-14) for D, E in zip(together, alone, strict=True))


def test_legendre_against_scipy() -> None:
    beta = dh_angles(24)[0]
    table = legendre(24, beta)
    for degree in (0, 1, 5, 23):
        for m in range(degree + 1):
            # SciPy's complex Y at α = 0 has the Condon–Shortley sign and is no √2 wide.
            wanted = torch.from_numpy(sph_harm_y(degree, m, beta.numpy(), 0.0).real)
            wanted = wanted * (math.sqrt(2) * (-1) ** m if m else 1)
            assert float((table[m, degree] - wanted).abs().max()) < 2e-13


def test_high_degrees_stay_bounded_and_orthogonal() -> None:
    """Σ_j w_j d^l_mn d^l'_mn = δ/(2l+1), at the highest degree that a grid of b = 64 holds."""
    from equivlab.sphere import quadrature_weights

    tables = small_d_tables(64, dh_angles(64)[0])
    weights = quadrature_weights(64)
    for m in (0, 1, 20, 63):
        for n in {0, m // 2, m}:
            d = tables[m][n]
            gram = (d * weights) @ d.mT
            wanted = torch.diag(1 / (2 * torch.arange(m, 64).double() + 1))
            assert float((gram - wanted).abs().max()) < 1e-14


def test_real_tables_vanish_where_no_order_is() -> None:
    same, other = real_tables(4, torch.tensor([0.7], dtype=torch.float64))
    size = torch.arange(-3, 4).abs()
    least = torch.maximum(size[:, None], size)[..., None]
    beyond = (torch.arange(4) < least)[..., None]
    assert not bool(same[beyond.expand_as(same)].any())
    assert not bool(other[beyond.expand_as(other)].any())


def test_what_is_no_rotation() -> None:
    with pytest.raises(ValueError, match="orthogonal"):
        wigner_D(torch.ones(3, 3), 2)

"""The HEALPix transform against healpy, against the truth, and through its gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from equivlab.fields import HealpixMaps
from equivlab.so3 import SO3
from equivlab.sphere import healpix_isht, healpix_sht, rotate_coefficients, rotate_healpix
from equivlab.sphere.healpix.ducc import ducc_available
from equivlab.sphere.healpix.rings import pixel_centres
from tests.laws import relative

hp = pytest.importorskip("healpy")
ROUTES = [
    pytest.param("ducc", marks=pytest.mark.skipif(not ducc_available(), reason="no ducc0")),
    "torch",
]
BOUNDS = {torch.float32: 1e-6, torch.float64: 1e-12}


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def from_healpy(a: np.ndarray, lmax: int) -> Tensor:
    """healpy's complex coefficients in our real ones, from the definition of both."""
    c = np.zeros((lmax + 1) ** 2)
    for degree in range(lmax + 1):
        middle = degree * degree + degree
        for m in range(degree + 1):
            value = a[hp.Alm.getidx(lmax, degree, m)] * (math.sqrt(2) * (-1) ** m if m else 1)
            c[middle + m] = value.real
            if m:
                c[middle - m] = -value.imag
    return torch.from_numpy(c)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("nside", [4, 8, 16, 32, 64, 128])
def test_equal_to_map2alm(nside: int, dtype: torch.dtype, route: str) -> None:
    """White maps, which hold everything that can fold back, at several settings."""
    x = random(12 * nside**2, seed=nside)
    for lmax, iterations, weights in [
        (2 * nside, 3, False),
        (2 * nside, 3, True),
        (2 * nside, 0, True),
        (3 * nside - 1, 1, False),
    ]:
        wanted = hp.map2alm(x.numpy(), lmax=lmax, iter=iterations, use_weights=weights)
        found = healpix_sht(
            x.to(dtype),
            lmax,
            iterations=iterations,
            ring_weights=weights,
            tuned=False,
            route=route,
        )
        assert found.dtype == dtype
        assert relative(found, from_healpy(wanted, lmax)) < BOUNDS[dtype]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("nside", [1, 2, 16, 64])
def test_synthesis_equal_to_alm2map(nside: int, dtype: torch.dtype, route: str) -> None:
    lmax = 3 * nside - 1
    generator = np.random.default_rng(nside)
    a = generator.normal(size=(2, hp.Alm.getsize(lmax), 2)).view(complex)[..., 0]
    a[:, : lmax + 1] = a[:, : lmax + 1].real  # m = 0 is real for real maps
    wanted = torch.from_numpy(np.stack([hp.alm2map(one, nside, lmax=lmax) for one in a]))
    c = torch.stack([from_healpy(one, lmax) for one in a]).to(dtype)
    assert relative(healpix_isht(c, nside, route=route), wanted) < BOUNDS[dtype]


@pytest.mark.parametrize("route", ROUTES)
def test_the_three_harmonics_of_degree_one(route: str) -> None:
    """``√(3/4π)·(y, z, x)``: fixes order, norm and sign without another library."""
    points = torch.from_numpy(pixel_centres(8))
    found = healpix_isht(torch.eye(4, dtype=torch.float64)[1:], 8, route=route)
    wanted = math.sqrt(3 / (4 * math.pi)) * points[:, [1, 2, 0]].T
    assert torch.allclose(found, wanted, atol=1e-14, rtol=0)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("nside", [4, 8, 16, 32, 64, 128])
def test_the_truth_comes_back_up_to_twice_nside(nside: int, dtype: torch.dtype, route: str) -> None:
    """White coefficients, three corrections; what `healpix_sht` promises, and healpy's less."""
    c = random(8, (2 * nside + 1) ** 2, seed=1)
    maps = healpix_isht(c.to(dtype), nside, route=route)
    tuned = relative(healpix_sht(maps, route=route), c)
    assert tuned < 3e-6
    assert nside > 8 or tuned < relative(healpix_sht(maps, tuned=False, route=route), c) / 4


@pytest.mark.parametrize("nside", [1, 2, 4, 16, 64])
def test_nine_corrections_reach_rounding(nside: int) -> None:
    c = random(2, (2 * nside + 1) ** 2)
    assert relative(healpix_sht(healpix_isht(c, nside), iterations=9), c) < 5e-14 * max(
        1, 4 / nside**2
    )


def test_red_spectra_do_not_suffer_from_tuning_for_white_ones() -> None:
    """Low degrees, the better part of most skies, come back no worse than with healpy's steps."""
    degree = torch.arange(33, dtype=torch.float64).repeat_interleave(2 * torch.arange(33) + 1)
    c = random(8, 33**2) / (1 + degree) ** 2
    maps = healpix_isht(c, 16)
    assert relative(healpix_sht(maps), c) < relative(healpix_sht(maps, tuned=False), c)


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("nside", [4, 8, 16, 32, 64])
def test_never_worse_than_healpy_at_its_defaults(nside: int, weights: bool) -> None:
    """White maps and smooth ones, for every kind of lmax; healpy's are three steps, no weights."""
    for lmax in (nside, 3 * nside // 2, 2 * nside, 5 * nside // 2, 11 * nside // 4, 3 * nside - 1):
        ell = torch.arange(lmax + 1, dtype=torch.float64).repeat_interleave(
            2 * torch.arange(lmax + 1) + 1
        )
        white = random((lmax + 1) ** 2, seed=lmax)
        for slope in (0, -2, -3):
            c = white * (ell + 1) ** slope
            f = healpix_isht(c, nside)
            ours = relative(healpix_sht(f, lmax, ring_weights=weights), c)
            theirs = relative(from_healpy(hp.map2alm(f.numpy(), lmax=lmax), lmax), c)
            assert ours < theirs, (lmax, slope)


def test_three_nside_does_not_come_back() -> None:
    c = random(1, 48**2)
    assert relative(healpix_sht(healpix_isht(c, 16), 47), c) > 0.03


@pytest.mark.parametrize("iterations", [0, 1, 5])
def test_tuned_steps_keep_the_limit(iterations: int) -> None:
    """White *maps* hold more than any coefficients: the answer goes where healpy's goes."""
    x = random(2, 192)
    limit = healpix_sht(x, iterations=40, tuned=False)
    tuned = relative(healpix_sht(x, iterations=iterations), limit)
    assert tuned < relative(healpix_sht(x, iterations=iterations, tuned=False), limit)


@pytest.mark.parametrize("route", ROUTES)
def test_gradients(route: str) -> None:
    """First and second, against finite differences."""
    x, c = random(2, 48).requires_grad_(), random(2, 16).requires_grad_()

    def analysis(x: Tensor) -> Tensor:
        return healpix_sht(x, 3, iterations=1, route=route)

    def as_healpy(x: Tensor) -> Tensor:
        return healpix_sht(x, 3, iterations=1, tuned=False, route=route)

    def synthesis(c: Tensor) -> Tensor:
        return healpix_isht(c, 2, route=route)

    for function, at in ((analysis, x), (as_healpy, x), (synthesis, c)):
        assert torch.autograd.gradcheck(function, (at,))
        assert torch.autograd.gradgradcheck(function, (at,))


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("dtype", BOUNDS)
def test_the_gradient_is_the_adjoint(dtype: torch.dtype, route: str) -> None:
    """``⟨v, A x⟩ = ⟨Aᵀ v, x⟩``, with odd ring lengths of the belt and all polar rings in play."""
    x = random(3, 12 * 16**2, dtype=dtype).requires_grad_()
    v = random(3, 33**2, seed=1, dtype=dtype)
    out = (healpix_sht(x, route=route) * v).sum()
    (gradient,) = torch.autograd.grad(out, x)
    twice = float((gradient * x.detach()).sum().double())
    assert twice == pytest.approx(float(out.detach().double()), rel=2e3 * BOUNDS[dtype])
    assert relative(gradient, _by_other_route(x, v)) < BOUNDS[dtype]


def _by_other_route(x: Tensor, v: Tensor) -> Tensor:
    again = x.detach().double().requires_grad_()
    out = (healpix_sht(again, route="torch") * v.double()).sum()
    return torch.autograd.grad(out, again)[0]


def test_batches_half_precision_and_autocast() -> None:
    x = random(2, 3, 192, dtype=torch.float32)
    c = healpix_sht(x)
    assert c.shape == (2, 3, 81)
    assert torch.equal(healpix_sht(x[1, 2]), c[1, 2])
    assert healpix_sht(x.bfloat16()).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert relative(healpix_sht(x, route="torch"), c) < 1e-6


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 2e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("nside", [4, 16])
def test_rotation_is_exact_for_band_limited_maps(
    nside: int, dtype: torch.dtype, bound: float
) -> None:
    """A closed form: ``(v·x)³`` turns into ``(R v·x)³``; and the action is a group's."""
    field = HealpixMaps(1, nside)
    points = torch.from_numpy(pixel_centres(nside))
    v = random(3, 3)
    x = ((points @ v[0]) ** 3 + points @ v[1]).to(dtype).view(1, 1, -1)
    g, h = SO3.random_elements(2, torch.Generator().manual_seed(3))
    wanted = ((points @ (g @ v[0])) ** 3 + points @ (g @ v[1])).view(1, 1, -1)
    assert relative(field.act(g, x), wanted) < bound
    c = random(2, 1, (2 * nside + 1) ** 2, dtype=dtype)
    maps = healpix_isht(c, nside)
    both = field.act(SO3.compose(g, h), maps)
    assert relative(field.act(g, field.act(h, maps)), both) < 2 * bound
    each = field.act(torch.stack([g, h]), maps)
    assert torch.allclose(each[1], field.act(h, maps)[1], atol=bound)


def test_rotation_as_healpy_rotates() -> None:
    """`healpy.Rotator` in its own convention, as a second opinion on the sense of rotation."""
    lmax, nside = 12, 8
    g = SO3.random_element(torch.Generator().manual_seed(5))
    c = random((lmax + 1) ** 2)
    alpha, beta, gamma = SO3.to_zyz(g)
    a = np.zeros(hp.Alm.getsize(lmax), complex)
    for degree in range(lmax + 1):
        middle = degree * degree + degree
        for m in range(degree + 1):
            factor = (-1) ** m / math.sqrt(2) if m else 1
            imaginary = -float(c[middle - m]) if m else 0
            a[hp.Alm.getidx(lmax, degree, m)] = factor * complex(float(c[middle + m]), imaginary)
    hp.rotate_alm(a, float(gamma), float(beta), float(alpha))
    wanted = from_healpy(a, lmax)
    assert relative(rotate_coefficients(c, g), wanted) < 1e-12
    turned = rotate_healpix(healpix_isht(c, nside), g, lmax)
    assert relative(turned, healpix_isht(wanted, nside)) < 1e-12

"""Pixels: both orders, resolution, holes, values in between; and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from equivlab.fields import HealpixMaps
from equivlab.sphere import (
    UNSEEN,
    healpix_isht,
    healpix_sht,
    nest_to_ring,
    ring_to_nest,
    sample_healpix,
    seen,
    ud_grade,
)
from equivlab.sphere.healpix.maps import looks_nested
from equivlab.sphere.healpix.rings import pixel_centres, ring_weights, rings


def smooth_map(nside: int, lmax: int = 12, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return healpix_isht(torch.randn((lmax + 1) ** 2, generator=generator), nside)


@pytest.mark.parametrize("nside", [1, 2, 8, 64])
def test_orders_and_centres_against_healpy(nside: int) -> None:
    hp = pytest.importorskip("healpy")
    pixels = torch.arange(12 * nside**2)
    assert np.array_equal(ring_to_nest(pixels), hp.nest2ring(nside, pixels.numpy()))
    assert np.array_equal(nest_to_ring(pixels), hp.ring2nest(nside, pixels.numpy()))
    assert torch.equal(ring_to_nest(nest_to_ring(pixels)), pixels)
    centres = np.stack(hp.pix2vec(nside, pixels.numpy()), 1)
    assert np.abs(pixel_centres(nside) - centres).max() < 4e-15


@pytest.mark.parametrize("nside", [2, 4, 8, 16, 32, 64, 128])
def test_ring_weights_are_healpys(nside: int) -> None:
    hp = pytest.importorskip("healpy")
    fits = pytest.importorskip("astropy.io.fits")
    data = fits.getdata(f"{hp.__path__[0]}/data/weight_ring_n{nside:05d}.fits")
    change = np.asarray(data.field(0), float).ravel()
    assert np.abs(ring_weights(nside)[: 2 * nside] - 1 - change).max() < 1e-11


def test_ring_weights_integrate_exactly() -> None:
    """Every monomial ``z^k`` up to the degree of exactness: mean 1/(k + 1) for even k."""
    of = rings(16)
    weight = ring_weights(16) * of.count / of.pixels
    for k in range(49):
        assert weight @ of.z**k == pytest.approx((1 - k % 2) / (k + 1), abs=1e-13)


def test_a_resolution_of_numpy_is_one() -> None:
    four = np.int64(4)
    assert repr(HealpixMaps(1, four)) == repr(HealpixMaps(1, 4))  # type: ignore[arg-type]
    maps = healpix_isht(torch.ones(9), four)  # type: ignore[arg-type]
    assert torch.equal(maps, healpix_isht(torch.ones(9), 4))
    assert ud_grade(maps, np.int32(2)).shape == (48,)  # type: ignore[arg-type]
    for other in (True, 4.0, np.int64(6)):
        with pytest.raises(ValueError, match="power of two"):
            ud_grade(maps, other)  # type: ignore[arg-type]


@pytest.mark.parametrize("nest", [False, True])
@pytest.mark.parametrize("to", [2, 4, 8, 32])
def test_ud_grade_against_healpy(to: int, nest: bool) -> None:
    hp = pytest.importorskip("healpy")
    x = np.random.default_rng(0).normal(size=(2, 12 * 8**2))
    x[0, 100:400] = hp.UNSEEN
    order = "NEST" if nest else "RING"
    wanted = [hp.ud_grade(one, to, order_in=order) for one in x]
    assert np.allclose(ud_grade(torch.from_numpy(x), to, nest=nest), wanted, rtol=1e-13)


@pytest.mark.parametrize("nside", [1, 2, 8])
def test_sampling_against_healpy(nside: int) -> None:
    hp = pytest.importorskip("healpy")
    generator = np.random.default_rng(nside)
    x, points = generator.normal(size=12 * nside**2), generator.normal(size=(500, 3))
    points[:4] = [[0, 0, 1], [0, 0, -2], [1e-3, 2e-3, 1], [-1e-3, 1e-3, -1]]
    wanted = hp.get_interp_val(x, *hp.vec2ang(points))
    found = sample_healpix(torch.from_numpy(x), torch.from_numpy(points))
    assert np.abs(found.numpy() - wanted).max() < 1e-11


def test_sampling_leaves_holes_out() -> None:
    x = torch.full((192,), 2.0)
    x[:90] = UNSEEN
    x[:20] = math.nan
    values = sample_healpix(x, torch.from_numpy(pixel_centres(8)))
    assert bool(torch.isnan(values[:4]).all())
    assert torch.allclose(values[~torch.isnan(values)], torch.tensor(2.0))


def test_holes_count_as_zero_and_get_no_gradient() -> None:
    x = smooth_map(8)
    holes = torch.arange(len(x)) % 7 == 0
    cut = torch.where(holes, 0.0, x)
    for value in (UNSEEN, math.nan, math.inf, -math.inf):
        bad = torch.where(holes, value, x).requires_grad_()
        c = healpix_sht(bad)
        assert torch.equal(c, healpix_sht(cut))
        (gradient,) = torch.autograd.grad(c.square().sum(), bad)
        assert bool((gradient[holes] == 0).all())
        assert bool((gradient[~holes] != 0).any())
        assert bool(torch.isfinite(gradient).all())


@pytest.mark.parametrize("nside", [4, 8, 32, 64])
def test_nest_order_is_told_where_it_can_be(nside: int) -> None:
    smooth = smooth_map(nside, min(12, nside // 2))
    noise = torch.randn(12 * nside**2, generator=torch.Generator().manual_seed(nside))
    zonal = torch.from_numpy(pixel_centres(nside))[:, 2]
    for ring in (smooth, noise, zonal, torch.ones(12 * nside**2), torch.full_like(noise, math.nan)):
        assert not looks_nested(ring)
    assert not looks_nested(ring_to_nest(noise))
    assert looks_nested(ring_to_nest(smooth))
    holes = ring_to_nest(smooth)
    holes[::5] = UNSEEN
    assert looks_nested(holes)
    for dtype in (torch.bfloat16, torch.float16):
        assert looks_nested(ring_to_nest(smooth).to(dtype))
        assert not looks_nested(smooth.to(dtype))
    with pytest.warns(UserWarning, match="nest_to_ring"):
        healpix_sht(ring_to_nest(smooth))
    with pytest.raises(ValueError, match="nest_to_ring"):
        HealpixMaps(1, nside).validate(ring_to_nest(smooth)[None, None], finite=True)


def test_sizes_that_are_refused() -> None:
    with pytest.raises(ValueError, match=r"12·nside² pixels; got 3000. nside 16 has 3072"):
        healpix_sht(torch.zeros(3000))
    with pytest.raises(ValueError, match=r"power of two.*got 3"):
        healpix_sht(torch.zeros(108))
    with pytest.raises(ValueError, match="got 6"):
        healpix_isht(torch.zeros(4), 6)
    with pytest.raises(ValueError, match=r"degrees 0 to 23.*got lmax 24.*lmax=16.*16"):
        healpix_sht(torch.zeros(768), 24)
    with pytest.raises(ValueError, match="got lmax -1"):
        healpix_sht(torch.zeros(768), -1)
    with pytest.raises(ValueError, match=r"degrees 0 to 2.*got lmax 3"):
        healpix_isht(torch.zeros(16), 1)
    with pytest.raises(ValueError, match="15 is no square"):
        healpix_isht(torch.zeros(15), 8)
    with pytest.raises(ValueError, match="at least one map"):
        healpix_sht(torch.zeros(0, 12))
    with pytest.raises(TypeError, match=r"got torch.int64. Convert it: x.float\(\)"):
        healpix_sht(torch.zeros(12, dtype=torch.long))
    with pytest.raises(TypeError, match="got list"):
        healpix_sht([0.0] * 12)
    with pytest.raises(ValueError, match="'auto', 'ducc', 'torch'; got 'healpy'"):
        healpix_sht(torch.zeros(12), route="healpy")


def test_a_field_that_says_what_is_wrong() -> None:
    field = HealpixMaps(2, 4, lmax=5)
    assert repr(field) == "HealpixMaps(2, nside=4, lmax=5)"
    assert field.validate(torch.zeros(3, 2, 192)).shape == (3, 2, 192)
    for shape, remedy in [
        ((2, 192), r"x\[None\]"),
        ((1, 2, 8, 8), "SphereMaps"),
        ((2, 192, 1, 1, 1), "3 axes, not 5"),
        ((1, 2, 768), r"nside 8.*ud_grade\(x, 4\)"),
        ((1, 2, 700), "12·nside²"),
        ((1, 2, 108), "power of two"),
        ((1, 3, 192), "3 channels, not 2"),
    ]:
        with pytest.raises(ValueError, match=remedy):
            field.validate(torch.zeros(shape))
    with pytest.raises(ValueError, match="lmax=12"):
        HealpixMaps(1, 4, lmax=12)
    with pytest.raises(ValueError, match="power of two"):
        HealpixMaps(1, 12)
    bad = torch.ones(1, 2, 192)
    bad[0, 0, 3] = UNSEEN
    field.validate(bad)
    with pytest.raises(ValueError, match=r"1 UNSEEN pixels.*seen\(x\)"):
        field.validate(bad, finite=True)
    assert int(seen(bad).sum()) == 383

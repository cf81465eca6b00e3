"""HEALPix maps into equiangular layers, quick turns, and the signals to look at."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from equivlab.data import earth_topography, globe_signals
from equivlab.nn import HealpixToSphere, S2Conv
from equivlab.so3 import SO3
from equivlab.sphere import (
    healpix_isht,
    healpix_sht,
    rotate_blocks,
    rotate_coefficients,
    s2_fft,
)
from equivlab.sphere.quick_turn import QuickTurn
from tests.laws import relative


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 5e-6), (torch.float64, 2e-12)])
def test_healpix_to_sphere_obeys_the_law(dtype: torch.dtype, bound: float) -> None:
    """At half the degrees that the maps hold, where three corrections suffice."""
    layer = HealpixToSphere(2, nside=32, bandwidth=16)
    generator = torch.Generator().manual_seed(0)
    c = torch.randn(3, 2, 256, generator=generator, dtype=torch.float64).to(dtype)
    x = healpix_isht(c, 32)
    g = SO3.random_element(generator)
    y = layer(x)
    assert relative(s2_fft(y), c) < bound
    assert relative(layer(layer.in_field.act(g, x)), layer.out_field.act(g, y)) < bound
    conv = S2Conv(2, 3, 16, 6, dtype=dtype)
    assert relative(conv(y), conv.from_spectrum(healpix_sht(x, 15))) < bound


def test_healpix_to_sphere_refuses() -> None:
    with pytest.raises(ValueError, match=r"bandwidth 18. Take at most 17"):
        HealpixToSphere(1, nside=8, bandwidth=18)
    with pytest.raises(ValueError, match=r"ud_grade\(x, 8\)"):
        HealpixToSphere(1, nside=8, bandwidth=8)(torch.zeros(1, 1, 192))


def test_quick_turns_are_the_same_turns() -> None:
    generator = torch.Generator().manual_seed(0)
    c = torch.randn(2, 3, 144, generator=generator, dtype=torch.float64)
    blocks = [torch.randn(2, 2 * d + 1, 2 * d + 1, generator=generator) for d in range(12)]
    quick = QuickTurn(12)
    poles = [SO3.identity, SO3.from_zyz(0.3, torch.pi, 0.0)]
    for g in [*SO3.random_elements(3, generator), *poles]:
        assert relative(quick(c, g), rotate_coefficients(c, g)) < 1e-13
        for found, wanted in zip(quick.blocks(blocks, g), rotate_blocks(blocks, g), strict=True):
            assert torch.allclose(found, wanted, atol=2e-6)


def test_made_up_signals_are_the_same_each_time_and_on_both_grids() -> None:
    on_grid, on_healpix = globe_signals(bandwidth=32), globe_signals(nside=32)
    for name, x in on_grid.items():
        assert torch.equal(x, globe_signals(bandwidth=32)[name])
        assert 0.4 < float(x.abs().max()) < 2
        low = s2_fft(x.double(), lmax=11), healpix_sht(on_healpix[name].double(), 11)
        assert relative(*low) < 0.05
    assert not torch.equal(
        globe_signals(nside=4, seed=1)["planet"], globe_signals(nside=4)["planet"]
    )


def test_topography_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heights = healpix_isht(torch.randn(100, generator=torch.Generator().manual_seed(0)), 64) * 1e3
    path = tmp_path / "earth.npz"
    np.savez(path, earth_topo_m_nside64_ring=heights.numpy())
    found = earth_topography(path, nside=64)
    assert torch.allclose(found[0] * 1000, heights, rtol=1e-5, atol=1e-2)
    assert earth_topography(path, nside=16).shape == (1, 3072)
    monkeypatch.setenv("EQUIVLAB_TOPOGRAPHY", os.fspath(path))
    on_grid = earth_topography(bandwidth=16)
    assert relative(s2_fft(on_grid, lmax=9)[0] * 1000, healpix_sht(heights, 9)) < 1e-4
    np.savez(path, earth_topo_m_nside64_ring=np.zeros(12))
    with pytest.raises(ValueError, match="49152"):
        earth_topography(nside=8)
    np.savez(path, something=np.zeros(12))
    with pytest.raises(ValueError, match="earth_topo"):
        earth_topography(nside=8)
    monkeypatch.delenv("EQUIVLAB_TOPOGRAPHY")
    with pytest.raises(FileNotFoundError, match="EQUIVLAB_TOPOGRAPHY"):
        earth_topography(nside=8)

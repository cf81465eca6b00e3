"""The transform on the sphere against SciPy's harmonics, healpy, e3nn and itself."""

from __future__ import annotations

import math

import healpy as hp
import numpy as np
import pytest
import torch
from e3nn import o3
from scipy.special import sph_harm_y

from equivlab.sphere import degree_slice, dh_angles, s2_fft, s2_ifft

ROUND_TRIP = {torch.float32: 1e-6, torch.float64: 5e-13}


def harmonic(degree: int, m: int, bandwidth: int) -> torch.Tensor:
    """The real orthonormal harmonic on the grid, from SciPy's complex one."""
    beta, alpha = (t.numpy() for t in dh_angles(bandwidth))
    Y = sph_harm_y(degree, abs(m), beta[:, None], alpha[None])
    if m == 0:
        return torch.from_numpy(Y.real.copy())
    part = Y.real if m > 0 else Y.imag
    return torch.from_numpy(math.sqrt(2) * (-1) ** m * part)


@pytest.mark.parametrize("bandwidth", [1, 2, 7, 12])
def test_harmonics_of_scipy(bandwidth: int) -> None:
    for degree in range(bandwidth):
        for m in range(-degree, degree + 1):
            unit = torch.zeros(bandwidth**2, dtype=torch.float64)
            unit[degree**2 + degree + m] = 1
            Y = harmonic(degree, m, bandwidth)
            assert float((s2_ifft(unit) - Y).abs().max()) < 1e-13
            assert float((s2_fft(Y) - unit).abs().max()) < 1e-13


def test_order_is_that_of_e3nn() -> None:
    beta, alpha = torch.meshgrid(*dh_angles(5), indexing="ij")
    points = [beta.sin() * alpha.cos(), beta.sin() * alpha.sin(), beta.cos()]
    y_polar = torch.stack(points, -1)[..., [1, 2, 0]]
    wanted = o3.spherical_harmonics(list(range(5)), y_polar, True, "integral")
    ours = s2_ifft(torch.eye(25, dtype=torch.float64), 5).permute(1, 2, 0)
    assert float((ours - wanted).abs().max()) < 1e-13


def test_healpy_evaluates_the_same_function() -> None:
    """Coefficients of a map of healpy's, put on our grid, give what healpy's a_lm give."""
    lmax, nside = 12, 16
    f = torch.randn(1, (lmax + 1) ** 2, generator=torch.Generator().manual_seed(0)).double()
    alm = np.zeros(hp.Alm.getsize(lmax), dtype=complex)
    for degree in range(lmax + 1):
        for m in range(degree + 1):
            plus = float(f[0, degree**2 + degree + m])
            minus = float(f[0, degree**2 + degree - m])
            value = plus if m == 0 else (-1) ** m * (plus - 1j * minus) / math.sqrt(2)
            alm[hp.Alm.getidx(lmax, degree, m)] = value
    theta, phi = hp.pix2ang(nside, np.arange(hp.nside2npix(nside)))
    wanted = hp.alm2map(alm, nside, lmax=lmax)
    ours = np.zeros_like(wanted)
    for degree in range(lmax + 1):
        for m in range(-degree, degree + 1):
            Y = sph_harm_y(degree, abs(m), theta, phi)
            part = Y.real if m >= 0 else Y.imag
            size = 1 if m == 0 else math.sqrt(2) * (-1) ** m
            ours += float(f[0, degree**2 + degree + m]) * size * part
    assert np.abs(ours - wanted).max() < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bandwidth", [1, 2, 5, 10, 16, 30, 64])
def test_round_trip(bandwidth: int, dtype: torch.dtype) -> None:
    f = torch.randn(2, 3, bandwidth**2, generator=torch.Generator().manual_seed(1)).to(dtype)
    x = s2_ifft(f)
    assert x.dtype == dtype
    assert float((s2_ifft(s2_fft(x)) - x).abs().max() / x.abs().max()) <= ROUND_TRIP[dtype]


def test_other_bandwidths_and_shapes() -> None:
    f = torch.randn(4, 36, dtype=torch.float64)
    fine = s2_ifft(f, 11)
    assert fine.shape == (4, 22, 22)
    assert torch.allclose(s2_fft(fine, lmax=5), f, atol=1e-13)
    assert torch.allclose(s2_fft(fine, lmax=2), f[:, :9], atol=1e-13)
    assert s2_fft(fine[0]).shape == (121,)
    assert degree_slice(2) == slice(4, 9)
    parseval = (s2_ifft(f) ** 2).mean(-1)  # the longitudes alone
    assert parseval.shape == (4, 12)


def test_gradients() -> None:
    x = torch.randn(2, 6, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: s2_fft(x, lmax=1), x)
    assert torch.autograd.gradgradcheck(lambda x: s2_ifft(s2_fft(x, lmax=1), 4), x)


def test_half_precision_is_computed_in_single() -> None:
    x = s2_ifft(torch.randn(1, 64)).to(torch.bfloat16)
    assert s2_fft(x).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        inside = s2_fft(x.float())
    assert torch.equal(inside, s2_fft(x.float()))


def test_errors() -> None:
    with pytest.raises(ValueError, match="no square number"):
        s2_ifft(torch.zeros(2, 10))
    with pytest.raises(ValueError, match="lmax=8"):
        s2_fft(torch.zeros(8, 8), lmax=8)
    with pytest.raises(ValueError, match="bandwidth=2"):
        s2_ifft(torch.zeros(16), 2)
    with pytest.raises(TypeError, match="real coefficients"):
        s2_ifft(torch.zeros(16, dtype=torch.complex64))

"""Spherical convolutions against numerical integration and the formulas of the 2018 code."""

from __future__ import annotations

import math

import healpy as hp
import pytest
import torch
from e3nn import o3
from torch import Tensor

from equivlab.nn.sphere.activation import SO3Activation
from equivlab.nn.sphere.conv import S2Conv, SO3Conv
from equivlab.nn.sphere.healpix import HealpixToSphere
from equivlab.nn.sphere.moments import SO3Integrate, SO3Moments
from equivlab.nn.sphere.norm import NormedConv, SO3BatchNorm
from equivlab.so3 import SO3
from equivlab.sphere import (
    dh_angles,
    healpix_isht,
    healpix_sht,
    quadrature_weights,
    rotate_healpix,
    rotate_so3,
    s2_fft,
    s2_ifft,
    s2_near_identity_grid,
    so3_equatorial_grid,
    so3_fft,
    so3_ifft,
    so3_near_identity_grid,
    wigner_D,
    wigner_d,
)
from equivlab.sphere.s2 import degree_slice
from tests.nn.oracles import oracle_of


def sphere_points(bandwidth: int) -> tuple[Tensor, Tensor]:
    """Unit vectors ``(2b·2b, 3)`` of the grid and their weights, with sum 4π."""
    beta, alpha = torch.meshgrid(*dh_angles(bandwidth), indexing="ij")
    points = torch.stack([beta.sin() * alpha.cos(), beta.sin() * alpha.sin(), beta.cos()], -1)
    weights = quadrature_weights(bandwidth)[:, None].expand(-1, 2 * bandwidth)
    return points.flatten(0, 1), weights.flatten() * (4 * math.pi / (2 * bandwidth))


def rotation_points(bandwidth: int) -> tuple[Tensor, Tensor]:
    """All rotations ``((2b)³, 3, 3)`` of the grid and their weights, with sum 1."""
    beta, alpha = dh_angles(bandwidth)
    b, a, c = torch.meshgrid(beta, alpha, alpha, indexing="ij")
    weights = quadrature_weights(bandwidth)[:, None].expand(-1, (2 * bandwidth) ** 2)
    return SO3.from_zyz(a, b, c).flatten(0, 2), weights.flatten() / (2 * bandwidth) ** 2


@oracle_of(S2Conv)
@torch.no_grad()
def test_s2conv_is_an_integral_over_the_sphere() -> None:
    """``out(R) = bias + Σ ∫ ψ(R⁻¹x) f(x) dx``, ψ evaluated at turned points by e3nn."""
    layer = S2Conv(2, 3, bandwidth_in=6, bandwidth_out=4, dtype=torch.float64)
    torch.nn.init.normal_(layer.bias)
    f = s2_ifft(torch.randn(1, 2, 36, dtype=torch.float64))
    out = layer(f)[0].flatten(1)  # (O, R)
    spectrum = layer.kernel_spectrum().view(2, 3, 16)
    points, weights = sphere_points(6)
    samples = f[0].flatten(1) * weights
    rotations = rotation_points(4)[0]
    for place in (0, 17, 300, 511):
        turned = points @ rotations[place]  # rows (R⁻¹x)ᵀ
        Y = o3.spherical_harmonics([0, 1, 2, 3], turned[:, [1, 2, 0]], False, "integral")
        size = torch.cat([torch.full((2 * k + 1,), 2.0 * k + 1) for k in range(4)])
        kernel = torch.einsum("iol,xl->iox", spectrum * size, Y)
        wanted = torch.einsum("iox,ix->o", kernel, samples) + layer.bias
        assert float((out[:, place] - wanted).abs().max()) < 1e-12 * float(out.abs().max())


@oracle_of(SO3Conv)
@torch.no_grad()
def test_so3conv_is_an_integral_over_rotations() -> None:
    """``out(R) = bias + Σ ∫ ψ(R⁻¹Q) f(Q) dQ``, summed over the whole grid."""
    layer = SO3Conv(2, 3, 4, 3, so3_near_identity_grid(n_alpha=4, n_beta=1), dtype=torch.float64)
    torch.nn.init.normal_(layer.bias)
    blocks = [torch.randn(1, 2, side, side, dtype=torch.float64) for side in (1, 3, 5, 7)]
    f = so3_ifft(blocks)
    out = layer(f)[0].flatten(1)
    sides = (1, 3, 5)
    spectra = layer.kernel_spectrum().split([side**2 for side in sides], 1)
    rotations, weights = rotation_points(4)
    samples = f[0].flatten(1) * weights
    for place in (0, 41, 215):
        R = rotation_points(3)[0][place]
        D = wigner_D(R.mT @ rotations, 3)
        kernel = sum(
            side * torch.einsum("iokn,qnk->ioq", psi.view(2, 3, side, side), d)
            for side, psi, d in zip(sides, spectra, D, strict=True)
        )
        wanted = torch.einsum("ioq,iq->o", kernel, samples) + layer.bias
        assert float((out[:, place] - wanted).abs().max()) < 1e-12 * float(out.abs().max())


# The formulas of the 2018 code (complex, with its own measures), as plain sums. Its
# x^l_m = Σ_jk (w_j/2b) f(β_j, α_k) exp(−imα_k) d^l_m0(β_j), and likewise on SO(3); a kernel is
# transformed by exp(−imα) d exp(−inγ) at its points, times 2b' on the sphere; the product is
# z_mn = Σ_i x_m conj(y_n), on SO(3) Σ_ik x_mk conj(y_nk); the output is
# Σ_l (2l+1) Σ_mn z_mn exp(i(mα + nγ)) d^l_mn(β) + bias.


def peer_phase(m: Tensor, angle: Tensor) -> Tensor:
    return torch.exp(-1j * m * angle[..., None])


def peer_synthesis(z: list[Tensor], bandwidth: int) -> Tensor:
    beta, alpha = dh_angles(bandwidth)
    out: Tensor | int = 0
    for degree, block in enumerate(z):
        m = torch.arange(-degree, degree + 1).double()
        wave = peer_phase(m, alpha).conj()
        d = wigner_d(degree, beta).to(block)
        out = out + (2 * degree + 1) * torch.einsum("zomn,jmn,am,cn->zojac", block, d, wave, wave)
    assert isinstance(out, Tensor)
    assert float(out.imag.abs().max()) < 1e-10 * float(out.real.abs().max())
    return out.real


@torch.no_grad()
def test_weights_of_the_2018_code_on_the_sphere() -> None:
    b_in, b_out, ins, outs = 5, 4, 2, 3
    grid = s2_near_identity_grid()
    kernel = torch.rand(ins, outs, 24, dtype=torch.float64) * 2 - 1
    bias = torch.randn(1, outs, 1, 1, 1, dtype=torch.float64)
    x = torch.randn(2, ins, 2 * b_in, 2 * b_in, dtype=torch.float64)

    beta, alpha = dh_angles(b_in)
    weights = quadrature_weights(b_in) / (2 * b_in)
    scale = 2 * b_out / math.sqrt(24 * ins * b_out**4 / b_in**2)
    z = []
    for degree in range(b_out):
        m = torch.arange(-degree, degree + 1).double()
        d = (weights[:, None] * wigner_d(degree, beta)[:, :, degree]).to(torch.complex128)
        f = torch.einsum("zija,jm,am->zim", x.to(d), d, peer_phase(m, alpha))
        at = wigner_d(degree, grid[:, 0])[:, :, degree] * peer_phase(m, grid[:, 1])
        psi = torch.einsum("iop,pm->iom", kernel.to(d), at) * scale
        z.append(torch.einsum("zim,ion->zomn", f, psi.conj()))
    wanted = peer_synthesis(z, b_out) + bias

    layer = S2Conv(ins, outs, b_in, b_out, grid, dtype=torch.float64)
    layer.load_state_dict({"kernel": kernel, "bias": bias})
    assert float((layer(x) - wanted).abs().max() / wanted.abs().max()) < 1e-13


@pytest.mark.parametrize("grid", [so3_near_identity_grid(n_alpha=3), so3_equatorial_grid()])
@torch.no_grad()
def test_weights_of_the_2018_code_on_so3(grid: Tensor) -> None:
    b_in, b_out, ins, outs, P = 4, 3, 2, 3, len(grid)
    kernel = torch.rand(ins, outs, P, dtype=torch.float64) * 2 - 1
    x = torch.randn(2, ins, 2 * b_in, 2 * b_in, 2 * b_in, dtype=torch.float64)

    beta, alpha = dh_angles(b_in)
    weights = quadrature_weights(b_in) / (2 * b_in) ** 2
    scale = 1 / math.sqrt(P * ins * b_out**3 / b_in**3)
    z = []
    for degree in range(b_out):
        m = torch.arange(-degree, degree + 1).double()
        d = (weights[:, None, None] * wigner_d(degree, beta)).to(torch.complex128)
        wave = peer_phase(m, alpha)
        f = torch.einsum("zijac,jmn,am,cn->zimn", x.to(d), d, wave, wave)
        at = peer_phase(m, grid[:, 1])[:, :, None] * peer_phase(m, grid[:, 2])[:, None]
        psi = torch.einsum("iop,pmn->iomn", kernel.to(d), at * wigner_d(degree, grid[:, 0])) * scale
        z.append(torch.einsum("zimk,ionk->zomn", f, psi.conj()))
    wanted = peer_synthesis(z, b_out)

    layer = SO3Conv(ins, outs, b_in, b_out, grid, dtype=torch.float64)
    layer.load_state_dict({"kernel": kernel, "bias": torch.zeros(1, outs, 1, 1, 1)})
    assert float((layer(x) - wanted).abs().max() / wanted.abs().max()) < 1e-13


def test_spectra_instead_of_samples() -> None:
    lift, conv = S2Conv(2, 3, 6, 4).double(), SO3Conv(3, 2, 4, 5).double()
    x = s2_ifft(torch.randn(2, 2, 36, dtype=torch.float64))
    y = lift(x)
    assert torch.allclose(lift.from_spectrum(s2_fft(x)), y, atol=1e-12)
    few = s2_fft(x)[..., degree_slice(0).start : degree_slice(1).stop]  # degrees 0 and 1 alone
    assert torch.allclose(lift.from_spectrum(few), lift(s2_ifft(few, 6)), atol=1e-12)
    assert torch.allclose(conv.from_spectrum(so3_fft(y)), conv(y), atol=1e-12)
    assert conv(y).shape == (2, 2, 10, 10, 10)  # a finer output grid


@torch.no_grad()
def test_healpix_maps_give_the_same_features() -> None:
    """The coefficients of a HEALPix map and of a Driscoll–Healy grid are the same numbers."""
    torch.manual_seed(0)
    layer = S2Conv(2, 3, 12, 6, dtype=torch.float64)
    f = torch.randn(2, 2, 144, dtype=torch.float64)
    maps = healpix_isht(f, 8)  # (2, 2, 768)
    features = layer.from_spectrum(healpix_sht(maps, 11))
    wanted = layer(s2_ifft(f))
    assert float((features - wanted).abs().max() / wanted.abs().max()) < 1e-5
    R = SO3.random_elements(2, torch.Generator().manual_seed(1))
    turned = layer.from_spectrum(healpix_sht(rotate_healpix(maps, R, 11), 11))
    wanted = rotate_so3(features, R)
    assert float((turned - wanted).abs().max() / wanted.abs().max()) < 1e-5


def test_fewer_degrees_on_the_same_grid() -> None:
    torch.manual_seed(0)
    half = S2Conv(1, 2, 8, 6, lmax=2, dtype=torch.float64)
    coarse = S2Conv(1, 2, 8, 3, dtype=torch.float64)
    coarse.load_state_dict(half.state_dict())
    x = torch.randn(1, 1, 16, 16, dtype=torch.float64)
    found = so3_fft(half(x).detach())
    for F, G in zip(found, so3_fft(coarse(x).detach()), strict=False):
        assert torch.allclose(F, G, atol=1e-13)
    assert float(found[3].abs().max()) < 1e-12


@oracle_of(SO3Moments)
def test_moments_by_parseval() -> None:
    """The variance is the power in all degrees but the first."""
    blocks = [torch.randn(4, 2, side, side, dtype=torch.float64) for side in (1, 3, 5)]
    power = sum((2 * n + 1) * blocks[n].square().sum((-2, -1)) for n in (1, 2))
    found = SO3Moments(2, 3, eps=0)(so3_ifft(blocks))
    assert torch.allclose(found, torch.cat([blocks[0][..., 0, 0], power.sqrt()], -1))


@torch.no_grad()
def test_tilted_means_are_integrals() -> None:
    """``∫ g exp(t g/σ) dR / ∫ exp(t g/σ) dR``, where ``g`` is the signal less its mean."""
    torch.manual_seed(0)
    x = so3_ifft([torch.randn(4, 2, side, side, dtype=torch.float64) for side in (1, 3, 5)])
    layer = SO3Moments(2, 3, eps=0, tilts=(2.0, -0.7)).double()
    weights = rotation_points(3)[1].to(x)
    _, deviation, *found = layer(x).split(2, 1)
    g = x.flatten(2) - (x.flatten(2) @ weights)[..., None]
    for t, tilted in zip((2.0, -0.7), found, strict=True):
        tilt = weights * torch.exp(t * g / deviation[..., None])
        assert torch.allclose(tilted, (g * tilt).sum(-1) / tilt.sum(-1))
    layer.tilt.copy_(torch.tensor([[0.0, 1e4], [-1e4, 0.0]]))
    first, second = layer(x).split(2, 1)[2:]
    zero = torch.zeros(4, dtype=torch.float64)
    assert torch.allclose(first, torch.stack([zero, g[:, 1].amax(-1)], 1))
    assert torch.allclose(second, torch.stack([g[:, 0].amin(-1), zero], 1))


@oracle_of(SO3Integrate, SO3BatchNorm)
def test_mean_and_statistics_are_integrals() -> None:
    blocks = [3 * torch.randn(4, 2, side, side, dtype=torch.float64) for side in (1, 3, 5)]
    x = so3_ifft(blocks)
    assert torch.allclose(SO3Integrate(2, 3)(x), blocks[0][..., 0, 0])
    norm = SO3BatchNorm(2, 3).double()
    y = norm(x)
    weights = rotation_points(3)[1].to(x)
    mean = (x.flatten(2) @ weights).mean(0)
    square = ((x - mean.view(-1, 1, 1, 1)).flatten(2) ** 2 @ weights).mean(0)
    wanted = (x - mean.view(-1, 1, 1, 1)) / (square + norm.eps).sqrt().view(-1, 1, 1, 1)
    assert torch.allclose(y, wanted)
    assert torch.allclose(norm.running_mean, 0.1 * mean)
    assert torch.allclose(norm.running_var, 0.9 + 0.1 * square)
    norm.eval()
    assert torch.allclose(norm(x), (x - 0.1 * mean.view(-1, 1, 1, 1))
                          / (0.9 + 0.1 * square + norm.eps).sqrt().view(-1, 1, 1, 1))  # fmt: skip
    everything = SO3BatchNorm(2, 3, momentum=None, affine=False).double()
    everything(x)
    assert torch.allclose(everything.running_var, square)


@oracle_of(NormedConv)
@pytest.mark.parametrize("training", [True, False])
def test_normalising_the_spectrum_is_normalising_the_samples(training: bool) -> None:
    torch.manual_seed(0)
    conv = SO3Conv(2, 3, 4, 5, lmax=2, dtype=torch.float64)
    together = NormedConv(conv).train(training)
    apart = SO3BatchNorm(3, 5, dtype=torch.float64).train(training)
    torch.nn.init.normal_(conv.bias)
    for norm in (together.norm, apart):
        torch.nn.init.constant_(norm.weight, 1.5)
        torch.nn.init.constant_(norm.bias, 0.3)
    x = torch.randn(4, 2, 8, 8, 8, dtype=torch.float64)
    v = torch.randn(4, 3, 10, 10, 10, dtype=torch.float64)
    one, two = together(x), apart(conv(x))
    assert torch.allclose(one, two, atol=1e-12)
    assert torch.allclose(together.norm.running_var, apart.running_var)
    assert torch.allclose(together.norm.running_mean, apart.running_mean)
    gradients = [torch.autograd.grad((y * v).sum(), conv.kernel)[0] for y in (one, two)]
    assert torch.allclose(*gradients, atol=1e-10)


def test_batch_norm_learns_like_torchs() -> None:
    """Gradients through mean and variance: against the same formula written plainly."""
    x = so3_ifft([torch.randn(3, 2, side, side, dtype=torch.float64) for side in (1, 3)])
    norm = SO3BatchNorm(2, 2).double()
    assert torch.autograd.gradcheck(norm, x.requires_grad_(), fast_mode=True)


def test_dtype_changes_keep_the_basis_exact() -> None:
    torch.manual_seed(0)
    layer = S2Conv(1, 2, 4, 4)
    there = layer.double()
    x = torch.randn(1, 1, 8, 8, dtype=torch.float64)
    fresh = S2Conv(1, 2, 4, 4, dtype=torch.float64)
    fresh.load_state_dict(there.state_dict())
    assert torch.equal(there(x), fresh(x))
    assert set(layer.state_dict()) == {"kernel", "bias"}


@oracle_of(SO3Activation)
def test_a_square_is_cut_off_at_the_bandwidth() -> None:
    """Of cos β: cos² β where the grid holds degree 2, and its mean 1/3 where it does not."""
    for bandwidth, wanted in ((3, None), (2, 1 / 3)):
        height = rotation_points(bandwidth)[0][:, 2, 2].view(1, 1, *3 * (2 * bandwidth,)).double()
        found = SO3Activation(1, bandwidth, torch.square, 1.5).double()(height)
        exact = height.square() if wanted is None else torch.full_like(height, wanted)
        assert torch.allclose(found, exact, atol=1e-13)


@oracle_of(HealpixToSphere)
def test_polynomials_at_healpys_pixels_are_polynomials_on_the_grid() -> None:
    """Of degree 3 in the coordinates, at half the degrees that the maps hold."""

    def polynomial(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return 1 + 2 * x - y * z + x * y * z - 0.5 * y**3

    pixels = map(torch.as_tensor, hp.pix2vec(16, torch.arange(12 * 16**2).numpy()))
    found = HealpixToSphere(1, 16, 4).double()(polynomial(*pixels)[None, None])
    assert torch.allclose(found.flatten(), polynomial(*sphere_points(4)[0].T), atol=1e-11)

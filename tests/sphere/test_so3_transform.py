"""The transform on SO(3) against its defining sum, orthogonality, e3nn, and itself."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from equivlab.so3 import SO3
from equivlab.sphere import dh_angles, quadrature_weights, so3_fft, so3_ifft, wigner_D
from equivlab.sphere.so3_routes import FftRoute, GemmRoute, fft_route, gemm_route
from equivlab.sphere.so3_transform import choose_route

ROUND_TRIP = {torch.float32: 1e-6, torch.float64: 5e-13}


def random_blocks(lead: tuple[int, ...], degrees: int, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(degrees)
    return [
        torch.randn(*lead, side, side, generator=generator, dtype=torch.float64).to(dtype)
        for side in range(1, 2 * degrees, 2)
    ]


def grid_rotations(bandwidth: int) -> Tensor:
    """All rotations of the grid, ``(2b, 2b, 2b, 3, 3)`` in β α γ."""
    beta, alpha = dh_angles(bandwidth)
    b, a, c = torch.meshgrid(beta, alpha, alpha, indexing="ij")
    return SO3.from_zyz(a, b, c)


@pytest.mark.parametrize("bandwidth", [1, 2, 4])
def test_defining_sums(bandwidth: int) -> None:
    """Σ w f D over all samples, and Σ (2l+1) F D at all of them."""
    D = wigner_D(grid_rotations(bandwidth), bandwidth)
    weights = quadrature_weights(bandwidth)[:, None, None] / (2 * bandwidth) ** 2
    x = torch.randn(2 * (2 * bandwidth,) + (2 * bandwidth,), dtype=torch.float64)
    for F, matrices in zip(so3_fft(x), D, strict=True):
        wanted = torch.einsum("jkn,jknab->ab", weights * x, matrices)
        assert float((F - wanted).abs().max()) < 1e-14
    blocks = random_blocks((), bandwidth, torch.float64)
    wanted = sum(
        len(F) * torch.einsum("ab,jknab->jkn", F, matrices)
        for F, matrices in zip(blocks, D, strict=True)
    )
    assert float((so3_ifft(blocks) - wanted).abs().max()) < 1e-12


def test_orthogonality() -> None:
    """∫ D^l_mn D^l'_m'n' dR = δ / (2l + 1): every matrix element, sampled, is one number."""
    b = 3
    D = wigner_D(grid_rotations(b), b)
    flat = torch.cat([d.flatten(-2) for d in D], -1)  # (β, α, γ, 35)
    spectrum = so3_fft(flat.permute(3, 0, 1, 2))
    found = torch.cat([F.flatten(1) for F in spectrum], 1)
    wanted = torch.cat([d.new_full((d.shape[-1] ** 2,), 1 / d.shape[-1]) for d in D])
    assert float((found - torch.diag(wanted)).abs().max()) < 1e-15


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bandwidth", [1, 2, 5, 10, 16, 20, 30, 64])
def test_round_trip(bandwidth: int, dtype: torch.dtype) -> None:
    lead = (2, 3) if bandwidth < 30 else (1, 1)
    x = so3_ifft(random_blocks(lead, bandwidth, dtype))
    assert x.dtype == dtype
    assert float((so3_ifft(so3_fft(x)) - x).abs().max() / x.abs().max()) <= ROUND_TRIP[dtype]


@pytest.mark.parametrize("analysis", [True, False])
@pytest.mark.parametrize(("bandwidth", "degrees"), [(4, 4), (5, 3), (6, 1), (18, 18)])
def test_both_routes_agree_and_are_adjoint(bandwidth: int, degrees: int, analysis: bool) -> None:
    n = 2 * bandwidth
    sizes = bandwidth, degrees, analysis, torch.float64, torch.device("cpu")
    x = torch.randn(2, n, n, n, dtype=torch.float64)
    gemm, fft = gemm_route(*sizes), fft_route(*sizes)
    spectrum = gemm.project(x)
    assert torch.allclose(fft.project(x), spectrum, atol=1e-10)
    back = [route.expand(spectrum, torch.empty_like(x)) for route in (gemm, fft)]
    assert torch.allclose(*back, atol=1e-8)
    for y in back:
        assert torch.allclose((y * x).sum(), (spectrum**2).sum())


def test_route_is_chosen_by_size() -> None:
    assert choose_route(10, 10) is GemmRoute
    assert choose_route(64, 64) is FftRoute
    assert choose_route(60, 12) is GemmRoute
    assert choose_route(32, 30) is FftRoute
    assert choose_route(256, 80) is FftRoute  # few degrees, but its table would take 4 GB


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = random_blocks((3, 7), 4, torch.float64)
    x, back = so3_ifft(blocks), so3_fft(so3_ifft(blocks))
    for size in (1, 20_000, 100_000):
        monkeypatch.setitem(__import__("equivlab.sphere.so3_transform", fromlist=["_"])
                            .CHUNK_BYTES, "cpu", size)  # fmt: skip
        assert torch.allclose(so3_ifft(blocks), x, atol=1e-12)
        for F, G in zip(so3_fft(x), back, strict=True):
            assert torch.allclose(F, G, atol=1e-14)


def test_other_bandwidths_and_shapes() -> None:
    blocks = random_blocks((4,), 3, torch.float64)
    fine = so3_ifft(blocks, 5)
    assert fine.shape == (4, 10, 10, 10)
    assert all(torch.allclose(F, G) for F, G in zip(so3_fft(fine, lmax=2), blocks, strict=True))
    assert [tuple(F.shape) for F in so3_fft(fine[0], lmax=1)] == [(1, 1), (3, 3)]
    assert so3_fft(fine[None, None], lmax=1)[1].shape == (1, 1, 4, 3, 3)
    square = (quadrature_weights(5) @ (fine**2).mean((-2, -1)).mT).sum()
    parseval = sum(F.shape[-1] * (F**2).sum() for F in blocks)
    assert torch.allclose(square, parseval)


@pytest.mark.parametrize(("bandwidth", "degrees"), [(3, 3), (26, 18)])
def test_gradients(bandwidth: int, degrees: int) -> None:
    """Of both routes: gradcheck where it is cheap, the adjoint identity on the larger grid."""
    n = 2 * bandwidth
    x = torch.randn(1, 2, n, n, n, dtype=torch.float64, requires_grad=True)
    if bandwidth < 4:
        x = x[..., :n, :n, :n].detach()[:, :1].requires_grad_()
        assert torch.autograd.gradcheck(lambda x: so3_fft(x, lmax=degrees - 1), x, fast_mode=True)
        assert torch.autograd.gradgradcheck(
            lambda x: so3_ifft(so3_fft(x, lmax=1), 4), x, fast_mode=True
        )
    upstream = random_blocks((1, x.shape[1]), degrees, torch.float64)
    spectrum = so3_fft(x, lmax=degrees - 1)
    value = sum((F * g).sum() for F, g in zip(spectrum, upstream, strict=True))
    (gradient,) = torch.autograd.grad(value, x)
    assert torch.allclose((gradient * x).sum(), value)  # linear: ⟨A*g, x⟩ = ⟨g, Ax⟩


def test_half_precision_is_computed_in_single() -> None:
    x = torch.randn(1, 6, 6, 6)
    assert so3_fft(x.half())[1].dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        inside = so3_ifft(so3_fft(x))
    assert torch.equal(inside, so3_ifft(so3_fft(x)))


def test_tables_made_in_inference_mode_serve_autograd() -> None:
    with torch.inference_mode():
        so3_fft(torch.zeros(22, 22, 22), lmax=2)
    x = torch.randn(22, 22, 22, requires_grad=True)
    so3_fft(x, lmax=2)[2].sum().backward()
    assert x.grad is not None


def test_errors() -> None:
    with pytest.raises(TypeError, match="list of blocks"):
        so3_ifft(torch.zeros(3, 3))
    with pytest.raises(ValueError, match=r"block 1 is \(2, 3, 3\)"):
        so3_ifft([torch.zeros(2, 1, 1), torch.zeros(2, 5, 5)])
    with pytest.raises(ValueError, match="bandwidth=1"):
        so3_ifft([torch.zeros(2, 1, 1), torch.zeros(2, 3, 3)], 1)
    with pytest.raises(ValueError, match="lmax=-1"):
        so3_fft(torch.zeros(4, 4, 4), lmax=-1)

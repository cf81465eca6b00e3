"""The basis against its formula, and what it costs between quarter turns against plane waves."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from equivlab.groups import P4, Cyclic, Dihedral, PointGroup
from equivlab.nn import GroupConv2d, LiftingConv2d
from equivlab.nn.planar.steerable import RingBasis
from tests.laws import relative

GROUPS = [Cyclic(1), Cyclic(5), Cyclic(8), Cyclic(16), Dihedral(3), Dihedral(8)]


def pixels(side: int) -> tuple[Tensor, Tensor]:
    """How far to the right and upwards each pixel lies."""
    at = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    up, right = torch.meshgrid(-at, at, indexing="ij")
    return right, up


def waves(basis: RingBasis, right: Tensor, up: Tensor) -> Tensor:
    """The real and imaginary parts of ``profile · ((x + iy)/r)^k``, without their scale."""
    radius, found = torch.hypot(right, up), []
    z = torch.complex(right, up) / radius.clamp_min(1e-30)
    outer = max(ring for _, ring in basis.rows)
    for frequency, ring in basis.rows:
        width = 0.5 if ring == outer else 0.6
        profile = torch.exp(-((radius - ring) ** 2) / (2 * width**2))
        wave = profile * z**frequency if frequency else torch.complex(profile, 0 * profile)
        found += [wave.real, wave.imag][: 2 if frequency else 1]
    return torch.stack(found)


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_a_turned_function_is_the_function_at_turned_points(group: PointGroup, side: int) -> None:
    basis = RingBasis(side)
    right, up = pixels(side)
    own = waves(basis, right, up).flatten(1).square().sum(1)
    pairs = [n for n, (k, _) in enumerate(basis.rows) for _ in range(2 if k else 1)]
    sums = torch.zeros(len(basis.rows), dtype=own.dtype).index_add(0, torch.tensor(pairs), own)
    counts = torch.bincount(torch.tensor(pairs))
    scale = (counts / sums).sqrt()[pairs]  # one for the two of a pair: their mean length is 1
    for g, found in zip(group.elements, basis.turned(group), strict=True):
        back = group.matrix(group.inverse(g))  # b(g⁻¹x)
        x, y = back[0, 0] * right + back[0, 1] * up, back[1, 0] * right + back[1, 1] * up
        wanted = waves(basis, x, y).flatten(1)
        assert relative(found, scale[:, None] * wanted) <= 1e-12


@pytest.mark.parametrize("side", range(1, 12))
def test_the_shortest_wave_has_three_pixels(side: int) -> None:
    basis = RingBasis(side)
    for frequency, ring in basis.rows:
        assert frequency <= 2 * ring
        assert frequency <= 2 or ring < max(radius for _, radius in basis.rows)
        assert frequency == 0 or 2 * math.pi * ring / frequency >= math.pi
    assert basis.taps().square().sum((1, 2)).mean().item() == pytest.approx(1)


def test_a_frequency_that_is_too_high_says_the_largest() -> None:
    with pytest.raises(ValueError, match=r"kernel_size 3 hold the frequencies 0 to 1; .*=2"):
        RingBasis(3, 2)
    with pytest.raises(ValueError, match="Use kernel_size=9 or more"):
        LiftingConv2d(Cyclic(8), 1, 1, 5, max_frequency=4)
    with pytest.raises(ValueError, match="0 or more; got -1"):
        LiftingConv2d(Cyclic(8), 1, 1, 5, max_frequency=-1)
    with pytest.raises(ValueError, match=r"a number for each pixel.*Cyclic\(4\)"):
        LiftingConv2d(P4, 1, 1, 5, max_frequency=1)
    assert RingBasis(9, 4).max_frequency == 4
    assert LiftingConv2d(Cyclic(8), 2, 3, 5, max_frequency=0).weight.shape == (3, 2, 3)


@pytest.mark.parametrize(("side", "allowed"), [(3, 0.05), (5, 0.04), (7, 0.03), (9, 0.03)])
def test_what_pixels_cost_at_an_eighth_of_a_turn(side: int, allowed: float) -> None:
    """On plane waves, of which a picture with details of a pixel's size is made."""
    basis = RingBasis(side)
    turned = basis.turned(Cyclic(8))[1]  # by 45°
    generator = torch.Generator().manual_seed(0)
    vectors = 0.9 * torch.randn(2000, 2, generator=generator, dtype=torch.float64)
    back = vectors @ Cyclic(8).matrix(1)  # the wave turned back
    right, up = (axis.flatten() for axis in pixels(side))

    def responses(filters: Tensor, k: Tensor) -> Tensor:
        phases = torch.exp(1j * (k[:, :1] * right + k[:, 1:] * up))
        return phases @ filters.flatten(1).T.to(torch.complex128)

    error = relative(responses(turned, vectors), responses(basis.taps(), back))
    assert 1e-3 < error < allowed


@pytest.mark.parametrize("group", [Cyclic(8), Dihedral(5)], ids=str)
@pytest.mark.parametrize("side", [3, 5])
def test_white_noise_comes_out_with_a_third_of_its_variance(group: PointGroup, side: int) -> None:
    """As with `torch.nn.Conv2d`."""
    torch.manual_seed(0)
    layer = GroupConv2d(group, 6, 40, side, bias=False)
    plain = torch.nn.Conv2d(6 * group.order, 40 * group.order, side, bias=False)
    noise = torch.randn(4, 6, group.order, 24, 24)
    with torch.no_grad():
        found, wanted = layer(noise).var().item(), plain(noise.flatten(1, 2)).var().item()
    assert found == pytest.approx(1 / 3, rel=0.12)
    assert found == pytest.approx(wanted, rel=0.12)

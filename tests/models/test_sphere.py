"""The spherical networks: sizes of the papers, invariance, gradients, bad input."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from equivlab.models import (
    SphericalMoleculeCNN,
    planar_digit_cnn,
    smooth_spherical_atom_cnn,
    smooth_spherical_digit_cnn,
    smooth_spherical_shape_cnn,
    spherical_digit_cnn,
    spherical_shape_cnn,
    spin_digit_cnn,
)
from equivlab.so3 import SO3
from equivlab.sphere import rotate_s2, s2_ifft
from tests.laws import relative

ROTATIONS = SO3.random_elements(4, torch.Generator().manual_seed(0))


def smooth_signals(channels: int, bandwidth: int) -> torch.Tensor:
    """Signals with the spectrum of a picture: falling off with the degree."""
    degree = torch.arange(bandwidth**2).sqrt().floor()
    f = torch.randn(4, channels, bandwidth**2, generator=torch.Generator().manual_seed(0))
    return s2_ifft(f / (1 + degree))


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (spherical_digit_cnn, 58_550),
        (smooth_spherical_digit_cnn, 58_358),
        (spin_digit_cnn, 57_708),
        (planar_digit_cnn, 68_106),
    ],
)
def test_sizes(build: Callable[[], nn.Module], parameters: int) -> None:
    """58k and 68k in the paper; the others may not have more than the paper's."""
    model = build()
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert model(torch.randn(2, 1, 60, 60)).shape == (2, 10)


@torch.no_grad()
def test_invariance_of_the_digit_networks() -> None:
    """The means over SO(3): the smooth network's are far better than the paper's.

    Relative to the variation between inputs. The tilted means ask more of the grid.
    """
    x = smooth_signals(1, 30)
    errors = {}
    for name, build, last, channels in (
        ("paper", spherical_digit_cnn, 5, 40),
        ("smooth", smooth_spherical_digit_cnn, 7, 40),
        ("spin", spin_digit_cnn, 11, 64),
    ):
        torch.manual_seed(0)
        model = build()
        model(x)  # running statistics
        invariants = model.eval()[:last]
        still, turned = invariants(x), invariants(rotate_s2(x, ROTATIONS))
        spread = (still - still.mean(0)).split(channels, 1)
        errors[name] = [
            float(off.norm() / size.norm())
            for off, size in zip((turned - still).split(channels, 1), spread, strict=True)
        ]
    assert errors["smooth"][0] < errors["paper"][0] / 3 < 0.05
    means, deviations, tilted = errors["smooth"]
    assert max(means, deviations) < 0.01
    assert tilted < 0.05
    assert max(errors["spin"]) < 0.01


@torch.no_grad()
def test_weights_on_a_finer_last_grid_keep_the_law_better() -> None:
    x = smooth_signals(1, 30)
    torch.manual_seed(0)
    coarse = smooth_spherical_digit_cnn()
    coarse(x)  # running statistics
    fine = smooth_spherical_digit_cnn(grids=(18, 8, 15))
    fine.load_state_dict(coarse.state_dict())
    errors = []
    for model in (coarse, fine):
        invariants = model.eval()[:7]
        still, turned = invariants(x)[:, 80:], invariants(rotate_s2(x, ROTATIONS))[:, 80:]
        errors.append(float((turned - still).norm() / (still - still.mean(0)).norm()))
    assert errors[1] < 0.6 * errors[0]
    assert relative(fine(x), coarse(x)) < 0.1


@torch.no_grad()
def test_a_smaller_bandwidth() -> None:
    for build in (spherical_digit_cnn, smooth_spherical_digit_cnn, spin_digit_cnn):
        assert build(bandwidth=12, classes=3)(torch.randn(2, 1, 24, 24)).shape == (2, 3)


@torch.no_grad()
def test_shape_network() -> None:
    torch.manual_seed(0)
    model = spherical_shape_cnn(in_channels=2, classes=5, bandwidths=(16, 6, 4)).eval()
    x = smooth_signals(2, 16)
    assert model(x).shape == (4, 5)
    assert relative(model(rotate_s2(x, ROTATIONS)), model(x)) < 0.05


@torch.no_grad()
def test_molecule_network_is_invariant() -> None:
    """Under rotations nearly, under the order of the atoms and empty places to rounding."""
    torch.manual_seed(0)
    model = SphericalMoleculeCNN().eval()
    x = smooth_signals(15, 10).view(4, 3, 5, 20, 20)
    mask = torch.tensor([[True, True, True], [True, True, False]] * 2)
    energy = model(x, mask)
    assert energy.shape == (4,)
    swapped = x[:, [1, 0, 2]]
    assert relative(model(swapped, mask), energy) < 1e-5
    noise = x + torch.randn_like(x) * ~mask[..., None, None, None]
    assert torch.equal(model(noise, mask), energy)
    assert relative(model(rotate_s2(x, ROTATIONS), mask), energy) < 0.05


@torch.no_grad()
@pytest.mark.parametrize(
    ("build", "channels", "bandwidth", "last"),
    [(smooth_spherical_shape_cnn, 7, 16, -2), (smooth_spherical_atom_cnn, 10, 10, 7)],
)
def test_invariance_of_smooth_features(
    build: Callable[[], nn.Module], channels: int, bandwidth: int, last: int
) -> None:
    """Of the means over SO(3), against their variation between inputs."""
    torch.manual_seed(0)
    model = build()
    x = smooth_signals(channels, bandwidth)
    model(x)  # running statistics
    features = model.eval()[:last]
    still, turned = features(x), features(rotate_s2(x, ROTATIONS))
    assert still.shape == (4, 64)
    assert float((turned - still).norm() / (still - still.mean(0)).norm()) < 0.03


@torch.no_grad()
def test_a_molecule_network_with_other_features() -> None:
    torch.manual_seed(0)
    atoms = smooth_spherical_atom_cnn(5, bandwidth=6)
    model = SphericalMoleculeCNN(features=atoms).eval()
    x = smooth_signals(15, 6).view(4, 3, 5, 12, 12)
    mask = torch.ones(4, 3, dtype=torch.bool)
    energy = model(x, mask)
    assert energy.shape == (4,)
    assert model.features is atoms
    assert relative(model(rotate_s2(x, ROTATIONS), mask), energy) < 0.02


def test_every_weight_learns() -> None:
    for build in (spherical_digit_cnn, smooth_spherical_digit_cnn, spin_digit_cnn):
        model = build(bandwidth=12)
        model(torch.randn(4, 1, 24, 24)).square().sum().backward()
        for name, weight in model.named_parameters():
            assert weight.grad is not None, name
            assert bool(torch.isfinite(weight.grad).all()), name
    for build in (smooth_spherical_atom_cnn, smooth_spherical_shape_cnn):
        model = build(in_channels=2, bandwidth=8)
        model(torch.randn(4, 2, 16, 16)).square().sum().backward()
        assert all(weight.grad is not None for weight in model.parameters())
    molecules = SphericalMoleculeCNN()
    molecules(torch.randn(2, 3, 5, 20, 20), torch.ones(2, 3, dtype=torch.bool)).sum().backward()
    assert all(weight.grad is not None for weight in molecules.parameters())


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="Bandwidth 30 means 60"):
        spherical_digit_cnn()(torch.zeros(1, 1, 28, 28))
    with pytest.raises(ValueError, match="Z > 0"):
        SphericalMoleculeCNN()(torch.zeros(1, 3, 5, 20, 20), torch.ones(1, 4, dtype=torch.bool))

"""No network of `equivlab.models` is accused: none that is meant to be equivariant."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

import equivlab.models as models
from equivlab import P4, P4M, SO3, audit
from equivlab.nn import find_neighbors
from tests.equivariance.networks import seeded, smooth

POINTS = find_neighbors(seeded(9, 3), 2.0)
MOLECULE = (smooth(10, 6).view(1, 2, 5, 12, 12), torch.ones(1, 2, dtype=torch.bool))
ORDINARY = {"PlainCNN3d", "Z2CNN", "planar_digit_cnn", "load_resnet18_weights"}  # keep no law
CASES: dict[str, tuple[Callable[[], nn.Module], object, object]] = {
    "DigitCNN": (lambda: models.DigitCNN(P4M, width=1), seeded(1, 1, 28, 28), P4M),
    "P4CNN": (lambda: models.P4CNN(width=2), seeded(1, 1, 28, 28), P4),
    "PointNetwork": (
        lambda: models.PointNetwork("4x0e + 2x1o", classes=2, cutoff=2.0, layers=2),
        (torch.ones(9, 1), POINTS), SO3,
    ),
    "ResNet18": (
        lambda: models.ResNet18(P4, width=8, stem="small"), seeded(1, 1, 10, 10), P4,
    ),
    "SmoothSteerableCNN3d": (
        lambda: models.SmoothSteerableCNN3d(classes=2), seeded(1, 1, 6, 6, 6), SO3,
    ),
    "SphericalMoleculeCNN": (
        lambda: models.SphericalMoleculeCNN(
            in_channels=5, bandwidth=6, features=models.smooth_spherical_atom_cnn(5, bandwidth=6)
        ),
        MOLECULE, SO3,
    ),
    "SteerableCNN3d": (lambda: models.SteerableCNN3d(classes=2), seeded(1, 1, 5, 5, 5), SO3),
    "UNet": (lambda: models.UNet(P4, width=4, levels=2), seeded(1, 1, 9, 9), P4),
    "smooth_network": (lambda: models.smooth_network(P4M), seeded(1, 1, 15, 15), P4M),
    "smooth_spherical_atom_cnn": (
        lambda: models.smooth_spherical_atom_cnn(5, bandwidth=6), smooth(5, 6), SO3,
    ),
    "smooth_spherical_digit_cnn": (
        lambda: models.smooth_spherical_digit_cnn(bandwidth=12), smooth(1, 12), SO3,
    ),
    "smooth_spherical_shape_cnn": (
        lambda: models.smooth_spherical_shape_cnn(2, bandwidth=8), smooth(2, 8), SO3,
    ),
    "spherical_digit_cnn": (
        lambda: models.spherical_digit_cnn(bandwidth=12), smooth(1, 12), SO3,
    ),
    "spherical_shape_cnn": (
        lambda: models.spherical_shape_cnn(2, bandwidths=(16, 6, 4)), smooth(2, 16), SO3,
    ),
    "spin_digit_cnn": (lambda: models.spin_digit_cnn(bandwidth=10), smooth(1, 10), SO3),
}  # fmt: skip


def test_no_network_is_left_out() -> None:
    assert set(models.__all__) == set(CASES) | ORDINARY


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_our_networks_are_not_accused(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    make, x, group = CASES[name]
    free = group is SO3 and not name.endswith("CNN3d")  # voxels have the cube's own rotations
    turn = SO3.random_element(torch.Generator().manual_seed(2))
    elements = [SO3.identity, turn] if free else None  # one is enough, and quick
    report = audit(make(), x, group, angles=0, dtype=dtype, elements=elements)
    assert report.causes == []
    assert "Equivariant" in report.cause

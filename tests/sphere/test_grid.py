"""Quadrature and kernel grids against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.special import eval_legendre

from equivlab.sphere import (
    dh_angles,
    quadrature_weights,
    s2_equatorial_grid,
    s2_fft,
    s2_near_identity_grid,
    so3_equatorial_grid,
    so3_fft,
    so3_near_identity_grid,
)


@pytest.mark.parametrize("bandwidth", [1, 2, 5, 16, 64])
def test_quadrature_is_exact_below_degree_2b(bandwidth: int) -> None:
    """The mean of a Legendre polynomial over the sphere is 1 for degree 0, else 0."""
    z = torch.cos(dh_angles(bandwidth)[0]).numpy()
    weights = quadrature_weights(bandwidth).numpy()
    for degree in range(2 * bandwidth):
        mean = float((weights * eval_legendre(degree, z)).sum())
        assert abs(mean - (degree == 0)) < 1e-14
    assert abs(float((weights * eval_legendre(2 * bandwidth, z)).sum())) > 1e-6


def test_kernel_grids() -> None:
    rings = s2_near_identity_grid(max_beta=0.6, n_alpha=4, n_beta=3)
    assert rings.shape == (12, 2)
    assert torch.allclose(rings[:, 0].unique(), torch.tensor([0.2, 0.4, 0.6]).double())
    assert torch.allclose(rings[:4, 1], torch.arange(4).double() * math.pi / 2)
    grid = so3_near_identity_grid(0.6, max_gamma=0.5, n_alpha=4, n_beta=3, n_gamma=2)
    assert grid.shape == (24, 3)
    assert torch.allclose(grid[:, 1] + grid[:, 2], torch.tensor([-0.5, 0.5]).double().repeat(12))
    assert so3_near_identity_grid(n_alpha=6, n_beta=1).shape == (36, 3)
    belt = s2_equatorial_grid(max_beta=0.1, n_alpha=5, n_beta=3)
    assert torch.allclose(belt[::5, 0] - math.pi / 2, torch.tensor([-0.1, 0, 0.1]).double())
    assert so3_equatorial_grid(n_alpha=5, n_gamma=3).shape == (15, 3)


@pytest.mark.parametrize(
    ("shape", "words"),
    [((8,), "last 2 axes"), ((2, 8, 6), "one even size"), ((2, 7, 7), "even"), ((3, 0, 0), "even")],
)
def test_shapes_that_are_no_grid(shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        s2_fft(torch.zeros(shape))


def test_tensors_that_are_no_signal() -> None:
    with pytest.raises(TypeError, match=r"x\.float\(\)"):
        so3_fft(torch.zeros(4, 4, 4, dtype=torch.long))
    with pytest.raises(TypeError, match="list"):
        s2_fft([1.0])
    with pytest.raises(ValueError, match="last 3 axes"):
        so3_fft(torch.zeros(8, 6, 6))

"""The steps of a HEALPix analysis: what they are made of, against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from equivlab.sphere import healpix_isht
from equivlab.sphere.healpix.ducc import DuccTransform, ducc_available
from equivlab.sphere.healpix.rings import ring_weights, rings
from equivlab.sphere.healpix.rule import healpy_rule, squared_norms, step_lengths, tuned_rule
from equivlab.sphere.healpix.torch_transform import TorchTransform


def normal_matrix(nside: int, lmax: int) -> np.ndarray:
    """``Sᵀ W S`` with ring weights, ``(L², L²)``."""
    S = healpix_isht(torch.eye((lmax + 1) ** 2, dtype=torch.float64), nside).numpy().T
    areas = ring_weights(nside) * 4 * np.pi / (12 * nside**2)
    return (S.T * np.repeat(areas, rings(nside).count)) @ S


@pytest.mark.parametrize(("nside", "lmax"), [(1, 2), (2, 5), (4, 8), (8, 16), (8, 3)])
def test_squared_norms(nside: int, lmax: int) -> None:
    areas = ring_weights(nside) * 4 * np.pi / (12 * nside**2)
    found = squared_norms(nside, lmax, areas)
    assert np.abs(found - np.diag(normal_matrix(nside, lmax))).max() < 1e-14


def test_no_other_steps_of_as_many_are_better() -> None:
    """Against the least-squares polynomial on all eigenvalues, and against nearby steps."""
    values = torch.from_numpy(np.linalg.eigvalsh(normal_matrix(4, 8)))
    start = torch.ones(81, dtype=torch.float64)
    lengths = step_lengths(lambda v: values * v, start, 4)
    powers = np.stack([values.numpy() ** k for k in range(1, 5)], 1)
    wanted = np.sqrt(np.linalg.lstsq(powers, np.ones(81), rcond=None)[1][0])

    def left(lengths: np.ndarray) -> float:
        return float(np.linalg.norm(np.prod(1 - lengths * values.numpy()[:, None], 1)))

    assert left(lengths) == pytest.approx(wanted, rel=1e-6)
    generator = np.random.default_rng(0)
    for _ in range(20):
        assert left(lengths * (1 + 1e-3 * generator.normal(size=4))) > left(lengths)


def test_steps_of_an_operator_with_few_eigenvalues() -> None:
    """Two eigenvalues need two steps: the others are 1, and nothing is divided by zero."""
    values = torch.tensor([0.5, 2.0, 2.0, 0.5], dtype=torch.float64)
    lengths = step_lengths(lambda v: values * v, torch.ones(4, dtype=torch.float64), 5)
    assert lengths == pytest.approx([2, 0.5, 1, 1, 1])


def test_rules_are_kept_by_their_settings() -> None:
    one, other = (healpy_rule(4, 8, 3, weighted) for weighted in (True, True))
    assert one is not other
    assert one == other
    assert len({one, other, healpy_rule(4, 8, 3, False)}) == 2


@pytest.mark.skipif(not ducc_available(), reason="no ducc0")
def test_both_routes_find_the_same_steps() -> None:
    ducc = DuccTransform(8, 16)
    alone = TorchTransform(8, 16, torch.float64, torch.device("cpu"))
    steps = [tuned_rule(8, 16, 3, True, one.synthesis, one.adjoint).steps for one in (ducc, alone)]
    assert np.allclose(*steps, rtol=1e-9, atol=0)

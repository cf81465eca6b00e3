"""Rotations: angles, products, axes of e3nn, drawing and refusing."""

from __future__ import annotations

import math

import pytest
import torch
from e3nn import o3
from scipy.spatial.transform import Rotation

from equivlab.so3 import SO3, e3nn_matrix


def rotations(count: int) -> torch.Tensor:
    return SO3.random_elements(count, torch.Generator().manual_seed(count))


def test_angles_are_zyz_against_scipy() -> None:
    angles = torch.rand(20, 3, dtype=torch.float64) * math.pi
    wanted = Rotation.from_euler("ZYZ", angles.numpy()).as_matrix()
    assert torch.allclose(SO3.from_zyz(*angles.unbind(1)), torch.from_numpy(wanted), atol=1e-15)


def test_angles_there_and_back_also_at_the_poles() -> None:
    R = rotations(50)
    assert torch.allclose(SO3.from_zyz(*SO3.to_zyz(R)), R, atol=1e-14)
    for beta in (0.0, math.pi, 1e-14, math.pi - 1e-14, 1e-9):
        R = SO3.from_zyz(0.7, beta, -1.9)
        alpha, found, gamma = SO3.to_zyz(R)
        assert torch.allclose(SO3.from_zyz(alpha, found, gamma), R, atol=1e-12)
        assert abs(float(found) - beta) < 1e-8


def test_group_axioms() -> None:
    R, Q, S = rotations(3)
    assert torch.allclose(SO3.compose(R, SO3.inverse(R)), SO3.identity, atol=1e-15)
    left = SO3.compose(SO3.compose(R, Q), S)
    assert torch.allclose(left, SO3.compose(R, SO3.compose(Q, S)), atol=1e-15)


def test_axis_and_angle_against_scipy() -> None:
    axis = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    wanted = Rotation.from_rotvec((axis / axis.norm() * 0.8).numpy()).as_matrix()
    assert torch.allclose(SO3.from_axis_angle(axis, 0.8), torch.from_numpy(wanted), atol=1e-15)


def test_e3nn_axes() -> None:
    """Degree 1 in e3nn's order (y, z, x) of ours is the rotation itself, with axes renamed."""
    R = rotations(4)
    D = o3.Irrep(1, 1).D_from_matrix(e3nn_matrix(R))
    x = torch.randn(5, 3, dtype=torch.float64)
    turned = (x @ R[0].mT)[:, [1, 2, 0]]
    assert torch.allclose(x[:, [1, 2, 0]] @ D[0].mT.double(), turned, atol=1e-6)


def test_random_elements_are_uniform() -> None:
    """Haar: the mean of every D^l beyond l = 0 is 0, and the mean of squares of entries is 1/3."""
    R = rotations(20_000)
    assert float(R.mean(0).abs().max()) < 0.02
    assert float(((R**2).mean(0) - 1 / 3).abs().max()) < 0.02
    assert torch.equal(rotations(5), rotations(5))
    assert SO3.random_element(torch.Generator().manual_seed(0)).shape == (3, 3)


def test_cube_rotations_are_a_group_of_24() -> None:
    cube = SO3.cube_rotations()
    assert cube.shape == (24, 3, 3)
    assert torch.equal(cube[0], SO3.identity)
    products = (cube[:, None] @ cube[None]).view(-1, 9)
    assert len(torch.unique(products, dim=0)) == 24


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (3, TypeError, r"SO3\.from_zyz"),
        (torch.zeros(3), ValueError, r"\(\.\.\., 3, 3\)"),
        (2 * torch.eye(3), ValueError, "orthogonal"),
        (-torch.eye(3), ValueError, "reflection"),
        (torch.full((3, 3), torch.nan), ValueError, "off by"),
    ],
)
def test_what_is_no_rotation(value: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        SO3.check(value)

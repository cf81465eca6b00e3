"""Blobs: exact rotations of shapes, closed forms, bad input."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from equivlab.data import blob_grids
from equivlab.fields import rotate_voxels
from equivlab.so3 import SO3
from tests.laws import relative


def scattered(count: int = 3, side: int = 9) -> torch.Tensor:
    """Random grids with a fifth of the voxels occupied."""
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(count, side, side, side, generator=generator) < 0.2).to(torch.uint8)


def test_one_voxel_is_one_gaussian() -> None:
    voxels = torch.zeros(1, 5, 5, 5)
    voxels[0, 4, 1, 2] = 1  # z = 2, y = −1, x = 0 from the middle
    found = blob_grids(voxels, 7, spacing=1.0, sigma=0.9)[0, 0].double()
    at = torch.arange(7, dtype=torch.float64) - 3
    z, y, x = torch.meshgrid(at, at, at, indexing="ij")
    squares = (z - 2) ** 2 + (y + 1) ** 2 + x**2
    wanted = torch.exp(-squares / (2 * 0.9**2)) / (math.sqrt(2 * math.pi) * 0.9) ** 3
    assert relative(found, wanted) < 1e-6


def test_the_mass_is_the_number_of_voxels() -> None:
    voxels = scattered()
    mass = blob_grids(voxels, 16, spacing=2.0, sigma=2.0).sum((1, 2, 3, 4)) * 2.0**3
    assert torch.allclose(mass, voxels.flatten(1).sum(1).float(), rtol=1e-5)


@pytest.mark.parametrize("size", [8, 9])
def test_the_rotations_of_the_cube_are_those_of_the_grid(size: int) -> None:
    voxels = scattered()
    upright = blob_grids(voxels, size)
    for g in SO3.cube_rotations()[::5]:
        turned = blob_grids(voxels, size, rotations=g.expand(3, 3, 3))
        assert relative(turned, rotate_voxels(upright, g)) < 1e-5


def test_a_free_rotation_keeps_what_no_rotation_changes() -> None:
    """Integrals of smooth functions of the shape, to rounding: nothing blurs, nothing aliases."""
    voxels = scattered()
    turns = SO3.random_elements(3, torch.Generator().manual_seed(1))
    one = blob_grids(voxels, 24, spacing=1.5, sigma=2.0)
    other = blob_grids(voxels, 24, spacing=1.5, sigma=2.0, rotations=turns)
    assert relative(other, one) > 0.1
    for power in (1, 2, 3):
        assert relative((other**power).sum((1, 2, 3, 4)), (one**power).sum((1, 2, 3, 4))) < 1e-4


def test_scales_come_first_then_shifts_then_rotations() -> None:
    voxels = torch.zeros(1, 3, 3, 3)
    voxels[0, 1, 1, 2] = 1  # x = 1
    quarter = SO3.from_zyz(math.pi / 2, 0, 0)[None]  # x to y
    found = blob_grids(
        voxels, 11, spacing=1.0, sigma=1.0,
        scales=torch.tensor([2.0]), shifts=torch.tensor([[1.0, 0.0, -1.0]]), rotations=quarter,
    )  # fmt: skip
    assert found[0, 0].flatten().argmax() == ((5 - 1) * 11 + 5 + 3) * 11 + 5


BAD: list[tuple[Any, dict[str, Any], str]] = [
    (torch.ones(2, 1, 4, 4, 4), {}, "channel axis"),
    (torch.ones(2, 4, 4, 5), {}, "cubic grids"),
    (torch.zeros(2, 4, 4, 4), {}, "grid 0 of 2 has no occupied voxel"),
    (torch.ones(0, 4, 4, 4), {}, "cubic grids"),
    (torch.ones(2, 4, 4, 4), {"spacing": 0.0}, "spacing=0.0"),
    (torch.ones(2, 4, 4, 4), {"sigma": -1.0}, "sigma=-1.0"),
    (torch.ones(2, 4, 4, 4), {"rotations": torch.eye(3)}, r"rotations \(2, 3, 3\)"),
    (torch.ones(1, 4, 4, 4), {"rotations": 2 * torch.eye(3)[None]}, "orthogonal"),
    (torch.ones(2, 4, 4, 4), {"shifts": torch.ones(3)}, r"shifts \(2, 3\)"),
    (torch.ones(2, 4, 4, 4), {"scales": torch.ones(2, 1)}, r"scales \(2,\)"),
]


@pytest.mark.parametrize(("voxels", "options", "message"), BAD)
def test_bad_input(voxels: torch.Tensor, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        blob_grids(voxels, 6, **options)

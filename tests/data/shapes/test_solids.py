"""Furniture and Tetris pieces: exact volumes and areas, and turning them."""

from __future__ import annotations

import math

import pytest
import torch

from equivlab.data import furniture, rotate_antialiased, rotate_each_shape, tetris_points
from equivlab.data import tetris_voxels as pieces
from equivlab.data.shapes.procedural import FURNITURE, furniture_solids, tetris_solids
from equivlab.data.shapes.rotation import interpolation_error, random_rotations, rotate_points
from equivlab.data.shapes.solids import Box, Post, Solid, grid_points
from equivlab.fields.space import rotate_voxels
from equivlab.so3 import SO3


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_box_fills_its_volume() -> None:
    solid = Solid((Box((5, -3, 2), (1, 2, 3)),))  # it is moved to the origin
    grid = solid.voxels(32, oversample=4)
    scale = 15 / math.sqrt(1 + 4 + 9)
    assert float(grid.sum()) == pytest.approx(48 * scale**3, rel=0.02)
    filled = torch.nonzero(grid > 0.5)
    low, high = filled.aminmax(dim=0)
    extent = high - low + 1  # z y x
    assert torch.allclose(extent.double(), 2 * scale * torch.tensor([3.0, 2, 1]).double(), atol=1)


def test_a_tapered_post_fills_its_volume_and_has_its_area() -> None:
    post = Post((0, 0, 0), 1.0, 0.5, 1.0)
    grid = Solid((post,)).voxels(32, oversample=4)
    scale = 15 / math.sqrt(2)
    volume = math.pi * 2 / 3 * (1 + 0.5 + 0.25)
    assert float(grid.sum()) == pytest.approx(volume * scale**3, rel=0.02)
    wall = math.pi * 1.5 * math.hypot(2, 0.5)
    assert post.area == pytest.approx(wall + math.pi * 1.25)
    spots = post.sample(20000, seeded())
    top = (spots[:, 2] - 1).abs() < 1e-9
    assert float(top.double().mean()) == pytest.approx(math.pi * 0.25 / post.area, abs=0.01)
    on_wall = spots[spots[:, 2].abs() < 1 - 1e-9]
    radius = on_wall[:, :2].norm(dim=1)
    assert torch.allclose(radius, 0.75 - 0.25 * on_wall[:, 2])
    # The wall below the middle has the larger share: ∫ r over each half.
    below = float((on_wall[:, 2] < 0).double().mean())
    assert below == pytest.approx(0.875 / 1.5, abs=0.015)


def test_points_of_a_union_lie_on_its_surface_only() -> None:
    solid = Solid((Box((0, 0, 0), (1, 1, 1)), Box((1, 0, 0), (1, 0.5, 0.5))))
    spots = solid.points(4000, seeded()).double() * solid.radius
    inward = solid.holds(spots * 0.9999)
    outward = solid.holds(spots + 1e-3 * spots.sign())
    assert len(spots) == 4000
    assert not bool(solid.holds(spots * 1.001)[inward].all())
    for part in solid.parts:
        shrunk = Box(part.middle, tuple(h - 1e-4 for h in part.half))
        assert not bool(shrunk.holds(spots + solid.middle).any())
    assert not bool(outward.any())
    with pytest.raises(ValueError, match="at least one Box or Post; got none"):
        Solid(())


def test_grid_points_follow_the_axes_of_the_fields() -> None:
    points = grid_points(3)
    assert points[1, 1, 2].tolist() == [1, 0, 0]  # x along the last axis
    assert points[2, 1, 1].tolist() == [0, 0, 1]
    assert grid_points(4, 2).shape == (8, 8, 8, 3)
    assert float(grid_points(4, 2).max()) == 1.75


def test_furniture() -> None:
    grids, labels, classes = furniture(18, size=16)
    assert grids.shape == (18, 1, 16, 16, 16)
    assert labels.tolist() == 3 * [0, 1, 2, 3, 4, 5]
    assert classes == FURNITURE
    assert torch.equal(grids[:6], furniture(6, size=16).x)  # the seed's first ones
    assert not torch.equal(grids[:6], furniture(6, size=16, seed=1).x)
    assert not torch.equal(grids[:6], grids[6:12])  # proportions differ
    outside = grid_points(16).norm(dim=-1) > 8
    assert float(grids[:, 0, outside].max()) == 0
    chairs = grids[labels == 0, 0].mean(0)  # upright: the back is above the seat
    assert float(chairs[12:].sum()) < float(chairs[6:10].sum())
    clouds = furniture(6, "points", points=50).x
    assert clouds.shape == (6, 50, 3)
    assert 0.8 < float(clouds.norm(dim=-1).max()) <= 1 + 1e-6


@pytest.mark.parametrize("kind", ["voxels", "points"])
def test_furniture_turned_is_the_field_turned(kind: str) -> None:
    """Exactly at the rotations of the cube, where nothing is interpolated."""
    upright = furniture(6, kind, size=12, points=40).x
    for R in SO3.cube_rotations()[[1, 5, 14, 23]]:
        turned = furniture(6, kind, size=12, points=40, rotations=R).x
        act = rotate_voxels if kind == "voxels" else rotate_points
        # A corner of a box may fall on a sampled point, and rounding then decides.
        assert float((act(upright, R) - turned).abs().mean()) < 1e-3


def test_what_furniture_refuses() -> None:
    with pytest.raises(ValueError, match="kind='mesh'"):
        furniture(2, "mesh")
    with pytest.raises(ValueError, match="8³ voxels or more; got size=4"):
        furniture(2, size=4)
    with pytest.raises(RuntimeError, match="expand"):
        furniture(3, rotations=SO3.cube_rotations()[:2])


def test_the_eight_tetris_pieces() -> None:
    cloud, labels, classes = tetris_points()
    assert cloud.shape == (8, 4, 3)
    assert len(set(classes)) == 8
    distances = torch.cdist(cloud, cloud).flatten(1).sort(1).values
    same = torch.cdist(distances, distances) < 1e-5
    # By distances alone, the two screws are one shape, and all others differ.
    screws = [classes.index("left screw"), classes.index("right screw")]
    for a in range(8):
        for b in range(a):
            assert bool(same[a, b]) == ({a, b} == set(screws))
    left, right = cloud[screws].double()
    assert chirality(left) * chirality(right) < 0
    grids = pieces(20).x
    assert grids.shape == (8, 1, 20, 20, 20)
    volumes = grids.sum((1, 2, 3, 4))
    assert float(volumes.std() / volumes.mean()) < 0.05  # four cubes each, one scale
    assert len(tetris_solids()) == 8
    assert torch.equal(labels, torch.arange(8))


def chirality(chain: torch.Tensor) -> float:
    """The volume that the steps of a screw span, its ends in order along the chain."""
    steps = chain[[0, 2, 3]] - chain[[1, 0, 2]]
    return float(torch.linalg.det(steps))


def test_antialiased_rotation_is_nearer_to_the_turned_solid_than_interpolation() -> None:
    turns = random_rotations(12, seeded(1))
    solids, _ = furniture_solids(12)
    upright = torch.stack([s.voxels(24, oversample=3) for s in solids])[:, None]
    true = torch.stack([s.voxels(24, R, oversample=3) for s, R in zip(solids, turns, strict=True)])

    def error(found: torch.Tensor) -> float:
        off = (found[:, 0] - true).flatten(1).norm(dim=1) / true.flatten(1).norm(dim=1)
        return float(off.mean())

    smooth = error(rotate_antialiased(upright, turns))
    assert smooth < 0.85 * error(rotate_voxels(upright, turns))
    assert smooth < 0.22
    again = float(interpolation_error(upright, turns).mean())
    assert again < 0.7 * float(interpolation_error(upright, turns, rotate_voxels).mean())


@pytest.mark.parametrize("side", [9, 10])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_antialiased_rotation_of_a_smooth_bump_is_the_bump_elsewhere(
    side: int, dtype: torch.dtype
) -> None:
    """A closed form: turning a Gaussian moves its middle."""
    p = grid_points(side)
    middle = torch.tensor([1.2, -0.4, 0.7], dtype=torch.float64)
    R = SO3.from_zyz(0.7, 1.1, -0.3)

    def bump(at: torch.Tensor) -> torch.Tensor:
        return torch.exp(-((p - at) ** 2).sum(-1) / (2 * 1.1**2))[None, None].to(dtype)

    found = rotate_antialiased(bump(middle), R)
    assert found.dtype == dtype
    assert float((found - bump(R @ middle)).abs().max()) < 0.07
    assert float((rotate_antialiased(bump(middle), R.mT) - bump(R @ middle)).abs().max()) > 0.3
    # Trilinear reading of a grid twice as fine is what limits it.
    coarse = float((rotate_voxels(bump(middle), R) - bump(R @ middle)).abs().max())
    assert float((found - bump(R @ middle)).abs().max()) < 0.5 * coarse


def test_rotation_keeps_the_range_and_is_exact_for_the_cube() -> None:
    x = (torch.rand(3, 2, 7, 7, 7, generator=seeded()) > 0.5).float()
    turned = rotate_antialiased(x, random_rotations(3, seeded()))
    assert float(turned.min()) >= 0
    assert float(turned.max()) <= 1
    cube = SO3.cube_rotations()
    assert torch.equal(rotate_antialiased(x, cube[7]), rotate_voxels(x, cube[7]))
    mixed = torch.stack([cube[3], SO3.from_zyz(0.1, 0.2, 0.3), cube[11]])
    found = rotate_antialiased(x.bool(), mixed)
    assert torch.equal(found[0], rotate_voxels(x[:1], cube[3])[0])
    assert torch.equal(found[1], rotate_antialiased(x[1:2], mixed[1])[0])
    assert float(interpolation_error(x, cube[5]).max()) == 0


def test_rotate_each_shape() -> None:
    clouds = furniture(5, "points", points=30).x
    turned, turns = rotate_each_shape(clouds, seeded(3))
    again, same = rotate_each_shape(clouds, seeded(3))
    assert torch.equal(turned, again)
    assert torch.equal(turns, same)
    for cloud, R, found in zip(clouds.double(), turns, turned, strict=True):
        assert torch.allclose((R @ cloud.T).T, found.double(), atol=1e-6)
        assert torch.allclose(R.mT @ R, SO3.identity)
    _, upright = rotate_each_shape(clouds, seeded(3), about="z")
    assert torch.equal(upright[:, 2, 2], torch.ones(5, dtype=torch.float64))
    grids = furniture(5, size=10).x
    turned, turns = rotate_each_shape(grids, seeded(4))
    assert torch.equal(turned, rotate_antialiased(grids, turns))


def test_what_rotations_refuse() -> None:
    with pytest.raises(ValueError, match="about='any' axis or about='z'; got about='x'"):
        random_rotations(2, about="x")
    with pytest.raises(ValueError, match=r"cubic grids .*got \(1, 1, 4, 4, 5\).*Pad them"):
        rotate_antialiased(torch.zeros(1, 1, 4, 4, 5), SO3.identity)
    with pytest.raises(ValueError, match=r"for each of the 3 grids; got \(2, 3, 3\)"):
        rotate_antialiased(torch.zeros(3, 1, 4, 4, 4), SO3.cube_rotations()[:2])
    with pytest.raises(ValueError, match=r"takes points .*got \(4, 2\)"):
        rotate_points(torch.zeros(4, 2), SO3.identity)
    with pytest.raises(ValueError, match="orthogonal"):
        rotate_points(torch.zeros(4, 3), torch.ones(3, 3))

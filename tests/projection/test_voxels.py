"""Voxel surfaces on the sphere: closed forms, exact turns, bad input."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from equivlab.fields import rotate_voxels
from equivlab.projection import project_mesh, project_voxel_surface
from equivlab.projection.grids import SphereGrid
from equivlab.so3 import SO3
from equivlab.sphere import rotate_s2, s2_fft

GRIDS = ({"bandwidth": 12}, {"nside": 8})


def directions(grid: dict[str, int]) -> Tensor:
    of = SphereGrid(grid.get("bandwidth"), grid.get("nside"))
    return of.points()[:, 0].reshape(*of.shape, 3)


def solid(side: int = 20) -> Tensor:
    """A chair without symmetries, ``(1, side, side, side)``, axes z y x."""
    x = torch.zeros(side, side, side)
    x[8:10, 4:15, 5:14] = 1
    x[10:18, 4:15, 5:7] = 1
    for y, z in ((4, 3), (13, 3), (13, 5)):
        x[z:8, y : y + 2, 6:8] = 1
    return x[None]


@pytest.mark.parametrize("grid", GRIDS)
def test_a_box(grid: dict[str, int]) -> None:
    """Distance ``1 − min(h/|n|)/R``: exact for the hull, to the blur for the surface."""
    voxels = torch.zeros(1, 24, 24, 24)
    voxels[:, 4:12, 6:18, 3:19] = 1  # z 8, y 12, x 16 voxels; level ½ stands on its faces
    half = torch.tensor([8.0, 6.0, 4.0], dtype=torch.float64)
    radius = float((half - 0.5).norm()) + math.sqrt(3) / 2
    n = directions(grid).abs()
    t, face = (half / n).min(-1)
    cosine = n.gather(-1, face[..., None])[..., 0]
    found = project_voxel_surface(voxels, level=0.5, **grid)[0].double()
    assert found.shape == (7, *n.shape[:-1])
    wanted = torch.stack([1 - t / radius, cosine, (1 - cosine**2).sqrt()])
    assert float((found[4:] - wanted).abs().max()) < 1e-5
    share_off = (found[3] - t / radius).abs()
    assert float(share_off.max()) < 0.1  # at the edges, which the blur rounds
    assert float(share_off.median()) < 0.01
    to_edges = (half - t[..., None] * n).sort(-1).values[..., 1]  # the first is the face itself
    clear = to_edges > 2.5
    assert int(clear.sum()) > 50
    assert float((found[:3] - wanted)[:, clear].abs().max()) < 1e-2
    alone = project_voxel_surface(voxels, level=0.5, hull=False, **grid)[0].double()
    assert torch.equal(alone, found[:4])


def test_a_ball_leans_nowhere() -> None:
    """The gradient of the blurred field is radial, though every voxel face is not."""
    at = torch.arange(31) - 15.0
    ball = (at[:, None, None] ** 2 + at[:, None] ** 2 + at**2 < 10.5**2)[None]
    found = project_voxel_surface(ball, bandwidth=12, level=0.5)[0]
    assert float(found[1].min()) > 0.96
    assert float(found[0].std()) < 0.015
    assert float((found[3] - (1 - found[0])).abs().max()) < 0.05


def test_the_hull_is_that_of_the_mesh_of_all_voxels() -> None:
    """Against `project_mesh` of a cube for each voxel, scaled to the same sphere."""
    trimesh = pytest.importorskip("trimesh")
    voxels = solid()
    places = torch.nonzero(voxels[0]).flip(1).double()
    cubes = [trimesh.creation.box(bounds=[p - 0.5, p + 0.5]) for p in places.numpy()]
    mesh = trimesh.util.concatenate(cubes)
    centre = places.mean(0)
    theirs = project_mesh(mesh.vertices, mesh.faces, bandwidth=8, center=centre)
    ours = project_voxel_surface(voxels, bandwidth=8, level=0.5)[0]
    corner = (torch.as_tensor(mesh.vertices) - centre).norm(dim=1).max()
    radius = (places - centre).norm(dim=1).max() + math.sqrt(3) / 2
    assert torch.allclose((1 - ours[4]) * radius, (1 - theirs[3]) * corner, atol=1e-4)
    assert torch.allclose(ours[5], theirs[4], atol=1e-4)
    # The surface itself: what the mesh shows, but for the blur; edges and silhouettes differ.
    off = ((1 - ours[0]) * radius - (1 - theirs[0]) * corner).abs()
    assert float(off.median()) < 0.2
    assert float(ours[4].max()) <= float(ours[0].max()) + 0.1


@pytest.mark.parametrize("number", [1, 7, 13, 22])
def test_cube_rotations_turn_voxels_or_rays(number: int) -> None:
    """Exact up to ties: the 24 rotations permute the voxels."""
    voxels, R = solid(), SO3.cube_rotations()[number]
    turned = project_voxel_surface(rotate_voxels(voxels[None], R)[0], bandwidth=10)
    rays = project_voxel_surface(voxels, bandwidth=10, rotation=R)
    assert not torch.allclose(rays, project_voxel_surface(voxels, bandwidth=10), atol=0.1)
    off = (turned - rays).abs()
    assert float(off.median()) < 1e-5
    assert float((off > 1e-3).float().mean()) < 0.01  # rays along faces and facets


def test_turns_about_z_shift_columns_and_free_ones_obey_the_spectrum() -> None:
    voxels = torch.cat([solid(), solid().flip(1)])
    upright = project_voxel_surface(voxels, bandwidth=16)
    step = SO3.from_zyz(5 * math.pi / 16, 0.0, 0.0)
    off = (project_voxel_surface(voxels, bandwidth=16, rotation=step) - upright.roll(5, -1)).abs()
    assert float((off > 1e-3).float().mean()) < 0.005
    R = SO3.random_elements(2, torch.Generator().manual_seed(0))
    found = project_voxel_surface(voxels, bandwidth=32, rotation=R)
    turned = rotate_s2(project_voxel_surface(voxels, bandwidth=32), R)
    off, size = (s2_fft(y, lmax=7)[..., 1:] for y in (found - turned, turned))
    errors = off.norm(dim=2) / size.norm(dim=2)
    assert float(errors.max()) < 0.15  # jumps alias
    assert float(errors[:, (3, 4)].max()) < 0.01  # filled share and hull do not jump


def test_neither_place_nor_kind_of_number_matters() -> None:
    voxels = solid()
    found = project_voxel_surface(voxels, nside=4)
    moved = voxels.roll((1, -2, 3), (1, 2, 3))
    assert torch.allclose(project_voxel_surface(moved, nside=4), found, atol=2e-4)
    for kind in (torch.uint8, torch.bool, torch.float64):
        assert torch.equal(project_voxel_surface(voxels.to(kind), nside=4), found)
    cut = voxels[:, 2:, 3:, 2:18]  # a box of another shape
    assert torch.allclose(project_voxel_surface(cut, nside=4), found, atol=2e-4)


def test_rays_go_on_beyond_the_centre_or_meet_nothing() -> None:
    """A tray: above its middle nothing is in the way, so rays from there end at the bottom."""
    tray = torch.zeros(1, 16, 16, 16)
    tray[:, 2:4, 2:14, 2:14] = 1
    tray[:, 4:13, 2:14, 2:4] = 1
    tray[:, 4:13, 2:14, 12:14] = 1
    found = project_voxel_surface(tray, nside=4)[0]
    n = directions({"nside": 4})
    up, along_x = n[..., 2] > 0.95, (n[..., 0].abs() > 0.95) & (n[..., 2] > 0.05)
    assert float(found[0][up].min()) > 1.05
    assert float(found[3][up].max()) < 0.01
    assert float(found[0][along_x].max()) < 0.6  # a wall is near
    ring = torch.zeros(1, 16, 16, 16)
    ring[:, 6:9, 2:14, 2:14] = 1
    ring[:, :, 5:11, 5:11] = 0
    through = project_voxel_surface(ring, nside=4)[0][:, n[..., 2].abs() > 0.95]
    assert torch.equal(through[0], torch.ones_like(through[0]))
    assert float(through[1:4].abs().max()) < 1e-4


def test_voxels_that_are_refused() -> None:
    voxels = solid()
    for bad, match in [
        (voxels[0], r"voxels\[None\]"),
        (voxels[None], r"\(B, D, H, W\)"),
        (voxels * math.nan, "NaN"),
        (torch.cat([voxels, 0 * voxels]), "1 of 2 are empty"),
    ]:
        with pytest.raises(ValueError, match=match):
            project_voxel_surface(bad, nside=2)
    with pytest.raises(ValueError, match=r"between 0 and 1; got blur=0\.7, level=1\.5"):
        project_voxel_surface(voxels, nside=2, level=1.5)
    with pytest.raises(ValueError, match="blur above 0"):
        project_voxel_surface(voxels, nside=2, blur=0.0)
    with pytest.raises(ValueError, match="Give bandwidth"):
        project_voxel_surface(voxels)
    with pytest.raises(ValueError, match="each of the 1 shapes; got 2"):
        project_voxel_surface(voxels, nside=2, rotation=torch.eye(3).expand(2, 3, 3))

"""Meshes, voxels, points and molecules: closed forms, and the law where it is exact."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from equivlab.projection.grids import SphereGrid
from equivlab.projection.points import project_molecule, project_points
from equivlab.projection.solids import cast_rays, project_mesh, project_voxels
from equivlab.so3 import SO3
from equivlab.sphere import rotate_healpix

GRIDS = ({"bandwidth": 16}, {"nside": 8})


def directions(grid: dict[str, int]) -> Tensor:
    of = SphereGrid(grid.get("bandwidth"), grid.get("nside"))
    return of.points()[:, 0].reshape(*of.shape, 3)


def box(*half: float) -> tuple[Tensor, Tensor]:
    """A box about the origin."""
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 3)
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = torch.tensor([t for a, b, c, d in quads for t in ([a, b, c], [a, c, d])])
    return signs * torch.tensor(half, dtype=torch.float64), faces


@pytest.mark.parametrize("grid", GRIDS)
def test_a_box(grid: dict[str, int]) -> None:
    """Distance ``1 − min(h/|n|)/R``; the lean is the component along the face that is met."""
    half = torch.tensor([1.0, 0.7, 0.4], dtype=torch.float64)
    vertices, faces = box(*half.tolist())
    n = directions(grid).abs()
    t, face = (half / n).min(-1)
    cosine = n.gather(-1, face[..., None])[..., 0]
    wanted = torch.stack([1 - t / half.norm(), cosine, (1 - cosine**2).sqrt()])
    moved = vertices * 3 + torch.tensor([5.0, -2.0, 1.0])  # neither size nor place matters
    found = project_mesh(moved, faces, **grid)
    assert found.shape == (6, *n.shape[:-1])
    assert float((found[:3] - wanted).abs().max()) < 1e-5
    assert float((found[3:] - wanted).abs().max()) < 1e-5  # a box is its own hull
    flipped = project_mesh(moved, faces.flip(1), hull=False, **grid)
    assert torch.allclose(flipped, found[:3], atol=1e-6)


def test_rays_turn_with_the_triangles_and_see_the_nearest() -> None:
    """A cloud of triangles: exact, ray by ray; and against every triangle one at a time."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.randn(8, 3, 3, generator=generator, dtype=torch.float64)
    n = torch.nn.functional.normalize(
        torch.randn(500, 3, generator=generator, dtype=torch.float64), dim=1
    )
    t, which = cast_rays(corners, n)
    g = SO3.random_element(generator)
    turned, same = cast_rays(corners @ g.mT, n @ g.mT)
    met = torch.isfinite(t)
    assert torch.equal(met, torch.isfinite(turned))
    assert torch.allclose(t[met], turned[met], atol=1e-9)
    assert torch.equal(which[met], same[met])
    one_by_one = torch.stack([cast_rays(triangle[None], n)[0] for triangle in corners])
    best = one_by_one.nan_to_num(nan=-math.inf).amax(0)
    assert torch.allclose(best[met], t[met], atol=1e-12)
    assert 0 < int(met.sum()) < 500
    # What is met lies on the ray and in the plane of its triangle.
    a, b, c = corners[which[met]].unbind(1)
    normal = torch.linalg.cross(b - a, c - a)
    off = (normal * (t[met, None] * n[met] - a)).sum(1) / normal.norm(dim=1)
    assert float(off.abs().max()) < 1e-9


def test_a_hull_fills_what_the_mesh_leaves_open() -> None:
    """Two bars in a cross: the hull is nearer wherever the mesh is not convex."""
    (v, f), (w, _) = box(1.0, 0.2, 0.2), box(0.2, 1.0, 0.2)
    found = project_mesh(torch.cat([v, w]), torch.cat([f, f + 8]), nside=8)
    assert bool((found[3] <= found[0] + 1e-6).all())
    assert float((found[0] - found[3]).max()) > 0.3


def test_trimesh_objects_and_what_is_met_beyond_the_centre() -> None:
    trimesh = pytest.importorskip("trimesh")
    ball = trimesh.creation.icosphere(subdivisions=3)
    found = project_mesh(ball, bandwidth=8)
    assert float(found[0].abs().max()) < 0.01
    assert float((found[1] - 1).abs().max()) < 0.01
    # A sheet at z = −½, seen from above through the centre.
    sheet = torch.tensor([[-1.0, -1, -0.5], [1, -1, -0.5], [0, 1, -0.5]])
    above = project_mesh(
        sheet, torch.tensor([[0, 1, 2]]), nside=4, hull=False, center=torch.zeros(3)
    )
    assert float(above[0].max()) > 1.2
    with pytest.raises(ValueError, match="hull=False"):
        project_mesh(sheet, torch.tensor([[0, 1, 2]]), nside=4)


def test_meshes_that_are_refused() -> None:
    v, f = box(1, 1, 1)
    for bad, match in [
        ((v[:, :2], f), r"\(V, 3\)"),
        ((v, f[:0]), "triangles"),
        ((v, f + 1), "indices 0 to 7; got 1 to 8"),
        ((v * math.nan, f), "NaN"),
        ((v * 0, f), "degenerate"),
    ]:
        with pytest.raises(ValueError, match=match):
            project_mesh(*bad, nside=2)
    with pytest.raises(ValueError, match="trimesh"):
        project_mesh(v, nside=2)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_ball_of_voxels(grid: dict[str, int]) -> None:
    """Radius half the cube's: distance and thickness in radii of the sphere around the cube."""
    at = (torch.arange(40) + 0.5) / 20 - 1
    x, y, z = torch.meshgrid(at, at, at, indexing="ij")
    ball = (x**2 + y**2 + z**2 < 0.25).float()
    slab = ((x > 0.3) & (x < 0.5)).float()
    found = project_voxels(torch.stack([ball, slab, torch.zeros_like(ball)]), **grid)
    assert float((found[0, 0] - (1 - 0.5 / math.sqrt(3))).abs().max()) < 0.02
    assert float((found[0, 1] - 0.5 / math.sqrt(3)).abs().max()) < 0.02
    along_x = directions(grid)[..., 0]
    ahead = along_x > 0.8
    wanted = 1 - 0.5 / along_x[ahead] / math.sqrt(3)
    assert float((found[1, 0][ahead] - wanted).abs().max()) < 0.03
    assert float((found[2, 0] - 1).abs().max()) == 0
    with pytest.raises(ValueError, match=r"at least one; got \(0, 5, 5, 5\)"):
        project_voxels(torch.zeros(0, 5, 5, 5), nside=2)
    with pytest.raises(ValueError, match="cubes"):
        project_voxels(torch.zeros(2, 3, 4, 4), **grid)


@pytest.mark.parametrize("grid", GRIDS)
def test_one_point_is_one_bump(grid: dict[str, int]) -> None:
    p = torch.tensor([[[0.3, -1.2, 2.0]]], dtype=torch.float64)
    found = project_points(p, torch.tensor([[[2.0]]]), width=0.3, **grid)
    cosine = directions(grid) @ (p[0, 0] / p[0, 0].norm())
    wanted = 2 * torch.exp((cosine - 1) / 0.09)
    assert float((found[0, 0] - wanted).abs().max()) < 1e-12
    two = project_points(torch.cat([p, 3 * p], 1), width=0.3, **grid)
    assert torch.allclose(two[0, 0], wanted)
    assert torch.allclose(two[0, 1], wanted * (1 + 1 / 3) / 2)


def test_turned_points_are_turned_signals() -> None:
    """To what the default width leaves above the degree 2·nside; order does not matter."""
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(2, 30, 3, generator=generator, dtype=torch.float64)
    g = SO3.random_element(generator)
    found = project_points(points @ g.mT, nside=16)
    turned = rotate_healpix(project_points(points, nside=16), g)
    assert float((found - turned).norm() / found.norm()) < 3e-4
    assert torch.allclose(
        project_points(points.flip(1), nside=16), project_points(points, nside=16)
    )
    for bad in (points[0], points.long()):
        with pytest.raises(ValueError, match=r"\(B, N, 3\)"):
            project_points(bad, nside=2)
    with pytest.raises(ValueError, match=r"\(B, N, C\)"):
        project_points(points, torch.ones(2, 29, 1), nside=2)
    with pytest.raises(ValueError, match=r"clouds of points; got \(2, 0, 3\)"):
        project_points(torch.zeros(2, 0, 3), nside=2)
    with pytest.raises(ValueError, match="positive width"):
        project_points(points, nside=2, width=0.0)


@pytest.mark.parametrize("potential", ["gaussian", "coulomb"])
@pytest.mark.parametrize("grid", GRIDS)
def test_carbon_monoxide(grid: dict[str, int], potential: str) -> None:
    """C sees one O: ``6·8·k(|x − p_O|)`` in the channel of oxygen, nothing in the others."""
    p = torch.tensor([[[0.0, 0, 0], [0.3, 0.4, 1.0], [9.0, 9, 9]]], dtype=torch.float64)
    found = project_molecule(p, torch.tensor([[6, 8, 0]]), radius=0.5, potential=potential, **grid)
    n = directions(grid)
    for i, j, channel in ((0, 1, 3), (1, 0, 1)):
        r = (p[0, i] + 0.5 * n - p[0, j]).norm(dim=-1)
        kernel = torch.exp(-r * r / 2) if potential == "gaussian" else 1 / r
        assert torch.allclose(found[0, i, channel], 48 * kernel)
        assert float(found[0, i].abs().sum() - found[0, i, channel].abs().sum()) == 0
    assert float(found[0, 2].abs().max()) == 0


def test_molecules_turn_and_atoms_change_places() -> None:
    generator = torch.Generator().manual_seed(0)
    p = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64) * 2
    z = torch.tensor([[6, 1, 1, 8, 0], [7, 6, 16, 1, 1]])
    g = SO3.random_element(generator)
    found = project_molecule(p, z, nside=16)
    turned = project_molecule(p @ g.mT, z, nside=16)
    assert float((rotate_healpix(found, g) - turned).norm() / turned.norm()) < 1e-8
    assert torch.allclose(project_molecule(p.flip(1), z.flip(1), nside=16), found.flip(1))
    with pytest.raises(ValueError, match=r"got \[17\]"):
        project_molecule(p, z + (z == 16), nside=2)
    with pytest.raises(ValueError, match="Pad short"):
        project_molecule(p, z[:, :4], nside=2)
    with pytest.raises(ValueError, match="'yukawa'"):
        project_molecule(p, z, nside=2, potential="yukawa")

"""Meshes as they come: stray vertices, open surfaces, several objects in one file."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from equivlab.data import load_shapes
from equivlab.data.shapes.meshes import Mesh
from equivlab.data.shapes.reading import read_shape

CORNERS = """v 0 0 0
v 2 0 0
v 2 4 0
v 0 4 0
v 0 0 6
v 2 0 6
v 2 4 6
v 0 4 6
"""
FACES = ["f 4 3 2 1", "f 5 6 7 8", "f 1 2 6 5", "f 2 3 7 6", "f 3 4 8 7", "f 4 1 5 8"]


@pytest.fixture
def box(tmp_path: Path) -> Path:
    pytest.importorskip("trimesh")
    path = tmp_path / "box.obj"
    path.write_text(CORNERS + "\n".join(FACES) + "\n")
    return path


def test_obj_is_read(box: Path) -> None:
    mesh = read_shape(box)
    assert isinstance(mesh, Mesh)
    assert len(mesh.faces) == 12
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grid = load_shapes(box, size=24).x[0, 0]
    sides = [int((grid.amax(axes) > 0.5).sum()) for axes in ((0, 1), (0, 2), (1, 2))]
    scale = 11 / 14**0.5  # half the grid, but for a margin of one voxel, by half the diagonal
    for side, length in zip(sides, (2, 4, 6), strict=True):
        assert abs(side - scale * length) <= 1.5
    found = load_shapes(box.parent, "points", points=50)  # a folder finds it, too
    assert found.x.shape == (1, 50, 3)


def test_several_objects_are_one_shape_and_materials_are_left_alone(box: Path) -> None:
    other = "".join(f"v {x + 9} {y} {z}\n" for x, y, z in np.ndindex(2, 2, 2))
    quads = ("1 2 4 3", "5 7 8 6", "1 5 6 2", "3 4 8 7", "1 3 7 5", "2 6 8 4")
    quads = tuple(" ".join(str(int(n) + 8) for n in quad.split()) for quad in quads)
    text = f"mtllib /nowhere/a.mtl\no a\nusemtl x\n{box.read_text()}o b\nusemtl y\n{other}"
    box.write_text(text + "".join(f"f {quad}\n" for quad in quads))
    mesh = read_shape(box)
    assert isinstance(mesh, Mesh)
    assert len(mesh.faces) == 24


@pytest.mark.parametrize("stray", [900.0, np.nan])
def test_a_vertex_that_no_face_uses_does_not_count(box: Path, stray: float) -> None:
    """It shrank a box of 216 voxels to half a voxel."""
    mesh = read_shape(box)
    assert isinstance(mesh, Mesh)
    more = torch.cat([mesh.vertices, torch.full((1, 3), stray, dtype=torch.float64)])
    np.savez(box.with_name("stray.npz"), vertices=more, faces=mesh.faces)
    for kind in ("voxels", "points"):
        wanted = load_shapes(box, kind, size=12, points=50).x
        assert torch.equal(
            load_shapes(box.with_name("stray.npz"), kind, size=12, points=50).x, wanted
        )


@pytest.mark.parametrize("suffix", ["obj", "stl", "ply", "off"])
def test_an_open_mesh_is_named_as_hollow(box: Path, suffix: str) -> None:
    import trimesh

    shut = trimesh.load_mesh(box)
    opened = trimesh.Trimesh(shut.vertices, shut.faces[2:], process=False)
    path = box.with_name(f"open.{suffix}")
    opened.export(path)
    shut.export(box.with_name(f"shut.{suffix}"))
    with pytest.warns(UserWarning, match=rf"hollow surface: .*open\.{suffix}. Close them"):
        grid = load_shapes(path, size=16).x
    assert grid[0, 0, 8, 8, 8] == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_shapes(box.with_name(f"shut.{suffix}"), size=16).x[0, 0, 8, 8, 8] == 1
        load_shapes(path, "points", points=10)  # of a surface nothing else was promised


def test_a_hole_narrower_than_a_voxel_closes_by_itself(box: Path) -> None:
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=4)
    torn = Mesh(torch.from_numpy(ball.vertices), torch.from_numpy(ball.faces[1:].astype(np.int64)))
    assert not torn.is_hollow(8)
    assert float(torn.voxels(8)[4, 4, 4]) == 1
    cut = Mesh(torn.vertices, torn.faces[len(torn.faces) // 2 :])
    assert cut.is_hollow(16)


def test_one_open_part_beside_a_closed_one_is_named(box: Path) -> None:
    mesh = read_shape(box)
    assert isinstance(mesh, Mesh)
    faces = torch.cat([mesh.faces, mesh.faces[2:] + len(mesh.vertices)])
    both = Mesh(torch.cat([mesh.vertices, mesh.vertices + 5]), faces)
    assert both.is_hollow(48)
    assert not mesh.is_hollow(48)

"""Meshes, clouds and grids from files; what is broken is refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from equivlab.data import load_shapes
from equivlab.data.shapes.meshes import Mesh, grid_cloud, resize_grid
from equivlab.data.shapes.reading import read_shape
from equivlab.data.shapes.solids import Box, Solid


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


BOX = """OFF
8 6 12
0 0 0
2 0 0
2 4 0
0 4 0
0 0 6
2 0 6
2 4 6
0 4 6
4 0 3 2 1
4 4 5 6 7
4 0 1 5 4
4 1 2 6 5
4 2 3 7 6
4 3 0 4 7
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The same box, 2×4×6, in every format."""
    trimesh = pytest.importorskip("trimesh")
    (tmp_path / "box.off").write_text(BOX)
    mesh = trimesh.load(tmp_path / "box.off")
    mesh.export(tmp_path / "box.ply")
    mesh.export(tmp_path / "box.stl")
    mesh.export(tmp_path / "ascii.stl", file_type="stl_ascii")
    np.savez(tmp_path / "box.npz", vertices=mesh.vertices, faces=mesh.faces)
    return tmp_path


@pytest.mark.parametrize("name", ["box.off", "box.ply", "box.stl", "ascii.stl", "box.npz"])
def test_a_box_from_each_format(folder: Path, name: str) -> None:
    wanted = Solid((Box((0, 0, 0), (1, 2, 3)),)).voxels(24)
    found, labels, classes = load_shapes(folder / name, size=24)
    assert found.shape == (1, 1, 24, 24, 24)
    assert (labels.tolist(), classes) == ([0], ())
    # Voxels that the surface touches count as filled, so it is thicker by up to half a voxel.
    assert 1 <= float(found.sum() / wanted.sum()) < 1.3
    assert bool((found[0, 0] >= wanted - 1e-6).all())
    inner = Solid((Box((0, 0, 0), (1, 2, 3)),)).voxels(24, radius=14**0.5 * 11 / 11.5)
    assert not bool((found[0, 0] > (inner > 0)).any())
    cloud = load_shapes(folder / name, "points", points=6000).x[0]
    radius = math.sqrt(1 + 4 + 9)
    scaled = (cloud.double() * radius).abs() / torch.tensor([1.0, 2, 3]).double()
    assert torch.allclose(scaled.amax(1), torch.ones(6000).double(), atol=1e-5)
    shares = torch.bincount(scaled.argmax(1), minlength=3) / 6000  # faces by their areas
    assert torch.allclose(shares, torch.tensor([6.0, 3, 2]) / 11, atol=0.02)


def test_a_head_without_a_line_break_as_in_modelnet(folder: Path) -> None:
    (folder / "glued.off").write_text(BOX.replace("OFF\n", "OFF"))
    assert torch.equal(load_shapes(folder / "glued.off").x, load_shapes(folder / "box.off").x)


def test_an_open_surface_stays_hollow() -> None:
    shut = Mesh(*octahedron())
    opened = Mesh(shut.vertices, shut.faces[1:])
    assert float(shut.voxels(16).sum()) > 1.5 * float(opened.voxels(16).sum())
    assert float(shut.voxels(16, fill=False).sum()) > float(opened.voxels(16).sum())
    volume = 4 / 3 * 7**3
    assert volume < float(shut.voxels(16).sum()) < 1.35 * volume


def octahedron() -> tuple[torch.Tensor, torch.Tensor]:
    vertices = torch.cat([torch.eye(3), -torch.eye(3)]).double()
    faces = [[a, b, c] for a in (0, 3) for b in (1, 4) for c in (2, 5)]
    return vertices, torch.tensor(faces)


def test_clouds_and_grids_become_one_another(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    spots = np.random.default_rng(0).normal(size=(200, 3))
    trimesh.PointCloud(spots).export(tmp_path / "cloud.ply")
    np.savez(tmp_path / "cloud.npz", points=spots)
    for name in ("cloud.ply", "cloud.npz"):
        assert torch.allclose(read_shape(tmp_path / name), torch.from_numpy(spots), atol=1e-5)
        cloud = load_shapes(tmp_path / name, "points", points=150).x[0]
        assert cloud.norm(dim=1).max() <= 1 + 1e-6
        assert len({tuple(p) for p in cloud.tolist()}) == 150
    again = load_shapes(tmp_path / "cloud.npz", "points", points=300).x[0]
    assert len({tuple(p) for p in again.tolist()}) == 200
    grid = load_shapes(tmp_path / "cloud.npz", size=16).x[0, 0]
    assert set(grid.unique().tolist()) == {0.0, 1.0}

    block = np.zeros((10, 10, 10), dtype=np.uint8)
    block[2, 3:6, 1:9] = 1  # longest along the last axis: x
    np.savez(tmp_path / "grid.npz", voxels=block)
    assert np.array_equal(load_shapes(tmp_path / "grid.npz", size=10).x[0, 0].numpy(), block)
    extent = grid_cloud(torch.from_numpy(block)).abs().amax(0)
    assert extent.argsort().tolist() == [2, 1, 0]
    half = resize_grid(torch.from_numpy(block), 5)
    assert float(half.sum() * 8) == pytest.approx(float(block.sum()))
    assert resize_grid(torch.from_numpy(block), 20).shape == (20, 20, 20)


def test_a_folder_of_classes(folder: Path) -> None:
    for name, kind in (("box.off", "b/train"), ("box.stl", "a"), ("box.npz", "b/test")):
        (folder / "set" / kind).mkdir(parents=True)
        (folder / "set" / kind / name).write_bytes((folder / name).read_bytes())
    (folder / "set" / "notes.txt").write_text("not a shape")
    found = load_shapes(folder / "set", "points", points=10)
    assert found.classes == ("a", "b")
    assert found.y.tolist() == [0, 1, 1]
    assert found.x.shape == (3, 10, 3)
    assert torch.equal(found.x, load_shapes(folder / "set", "points", points=10).x)
    flat = load_shapes(folder, size=8)
    assert flat.classes == ()
    several = load_shapes([folder / "box.off", folder / "box.stl"], size=8)
    assert torch.equal(several.x[0], several.x[1])


@pytest.mark.parametrize("name", ["box.off", "box.ply", "box.stl", "ascii.stl", "box.npz"])
@pytest.mark.parametrize("share", [0, 0.3, 0.6, 0.95])
def test_files_that_are_cut_short(folder: Path, name: str, share: float) -> None:
    content = (folder / name).read_bytes()
    broken = folder / f"broken{Path(name).suffix}"
    broken.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"empty|cut short|no shape"):
        load_shapes(broken)


@pytest.mark.parametrize("suffix", [".off", ".ply", ".stl", ".npz"])
def test_foreign_files(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("trimesh")
    for content in (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, b"hello\nworld\n"):
        (tmp_path / f"a{suffix}").write_bytes(content)
        with pytest.raises(ValueError, match=rf"a\{suffix} is (cut short|no shape)"):
            load_shapes(tmp_path / f"a{suffix}")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": np.zeros(3)}, "is no shape: it holds a float64. Give an .npz file with voxels"),
        ({"points": np.zeros((0, 3))}, r"A cloud has points \(N, 3\); .* has \(0, 3\)"),
        ({"points": np.zeros((5, 2))}, r"has \(5, 2\)"),
        ({"points": np.zeros((5, 3))}, "all of its 5 points are in one place"),
        ({"points": np.full((5, 3), np.nan)}, "has NaN or infinity"),
        ({"voxels": np.zeros((4, 4, 4))}, "holds an empty grid: no voxel is filled"),
        ({"voxels": np.zeros((4, 4, 5))}, r"A grid has voxels \(D, D, D\); .* has \(4, 4, 5\)"),
        ({"vertices": np.eye(3), "faces": np.array([[0, 1, 3]])}, "faces .* that number them"),
        ({"points": np.array(["a", "b"])}, "its array points cannot be read: it holds str32"),
    ],
)
def test_archives_that_are_no_shape(
    tmp_path: Path, arrays: dict[str, np.ndarray], words: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=words):
        load_shapes(tmp_path / "a.npz")


def test_a_surface_without_area(tmp_path: Path) -> None:
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    np.savez(tmp_path / "a.npz", vertices=vertices, faces=np.array([[0, 1, 2]]))
    with pytest.raises(ValueError, match="without area"):
        load_shapes(tmp_path / "a.npz", "points")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no shape file"):
        load_shapes(tmp_path / "a.off")
    with pytest.raises(FileNotFoundError, match=r"holds no shapes: no file in it ends in .npz"):
        load_shapes(tmp_path)
    with pytest.raises(FileNotFoundError, match="got an empty list"):
        load_shapes([])
    with pytest.raises(ValueError, match="kind='images'"):
        load_shapes(tmp_path, "images")
    (tmp_path / "a.gltf").write_text("{}")
    with pytest.raises(ValueError, match=r"from .npz, .obj, .off, .ply, .stl files; got a.gltf"):
        load_shapes(tmp_path / "a.gltf")


def test_without_trimesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "box.off").write_text(BOX)
    monkeypatch.setitem(__import__("sys").modules, "trimesh", None)
    with pytest.raises(ImportError, match=r"needs 'trimesh'.*equivlab\[data\]"):
        load_shapes(tmp_path / "box.off")

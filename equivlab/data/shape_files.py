"""Shapes from files, meshes and clouds and grids alike, made into voxels or into points.

>>> import tempfile
>>> from pathlib import Path
>>> import numpy as np
>>> folder = Path(tempfile.mkdtemp())
>>> np.savez(folder / "box.npz", voxels=np.pad(np.ones((4, 4, 4)), 6))
>>> load_shapes(folder / "box.npz", "voxels", size=16).x.shape
torch.Size([1, 1, 16, 16, 16])
>>> load_shapes(folder / "box.npz", "points", points=100).x.shape
torch.Size([1, 100, 3])
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equivlab.data.archives import read_arrays
from equivlab.data.meshes import Mesh, cloud_voxels, grid_cloud, resize_grid, unit_ball
from equivlab.data.shapes_procedural import LabelledShapes

__all__ = ["load_shapes", "read_shape"]

MESHES = (".off", ".ply", ".stl")
SUFFIXES = (".npz", *MESHES)
KINDS = ("voxels", "points")
ARRAYS = "voxels (D, D, D), or points (N, 3), or vertices (V, 3) and faces (F, 3)"


def load_shapes(
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    kind: str = "voxels",
    *,
    size: int = 32,
    points: int = 1024,
    seed: int = 0,
) -> LabelledShapes:
    """Shapes from ``.npz``, ``.off``, ``.ply`` or ``.stl`` files, all of one kind.

    Meshes are filled or sampled, clouds and grids turned into each other; each shape is moved
    to the origin by the middle of its bounding box and scaled to the ball that fits into the
    grid, or to the unit ball. A grid that has the right `size` already stays as it is.

    Args:
        source: a file; several; or a folder, whose subfolders are then the classes.
        kind: ``'voxels'`` or ``'points'``.
        size: voxels along each edge of a grid.
        points: in each cloud.
        seed: of the points.

    Returns:
        Grids ``(N, 1, size, size, size)``, axes ``z y x``, of the filled part of each voxel; or
        clouds ``(N, points, 3)``; with labels and classes (all 0 and none without subfolders).

    Raises:
        FileNotFoundError: no such file or folder, or a folder without shapes.
        ImportError: meshes need trimesh.
        ValueError: a file of another kind, empty, cut short or foreign; or another `kind`.
    """
    if kind not in KINDS:
        raise ValueError(f"Shapes come as kind='voxels' or kind='points'; got kind={kind!r}.")
    files, labels, classes = _files(source)
    generator = torch.Generator().manual_seed(seed)
    shapes = []
    for file in files:
        shape = read_shape(file)
        if kind == "voxels":
            shapes.append(_as_grid(shape, size)[None])
        else:
            shapes.append(_as_cloud(shape, points, generator))
    return LabelledShapes(torch.stack(shapes), torch.tensor(labels), classes)


def _files(source: Any) -> tuple[list[Path], list[int], tuple[str, ...]]:
    """The files with their labels, and the names of the labels."""
    if not isinstance(source, str | os.PathLike):
        files = [Path(one) for one in source]
        if not files:
            raise FileNotFoundError("load_shapes takes at least one file; got an empty list.")
        return files, [0] * len(files), ()
    path = Path(source)
    if not path.is_dir():
        return [path], [0], ()
    inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not inside:
        raise FileNotFoundError(
            f"{path} holds no shapes: no file in it ends in {', '.join(SUFFIXES)}."
        )
    parts = [file.relative_to(path).parts for file in inside]
    if any(len(part) == 1 for part in parts):  # files beside the folders: no classes
        return inside, [0] * len(inside), ()
    classes = tuple(sorted({part[0] for part in parts}))
    return inside, [classes.index(part[0]) for part in parts], classes


def read_shape(path: str | os.PathLike[str]) -> Mesh | Tensor:
    """What a file holds: a `Mesh`, a cloud ``(N, 3)``, or a grid ``(D, D, D)``, axes ``z y x``.

    Args:
        path: ``.off``, ``.ply`` or ``.stl``, read by trimesh; or ``.npz`` with the arrays
            ``voxels``, or ``points``, or ``vertices`` and ``faces``.

    Raises:
        FileNotFoundError, ImportError, ValueError: as `load_shapes`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no shape file {path}.")
    if path.suffix.lower() == ".npz":
        return _from_archive(path)
    if path.suffix.lower() not in MESHES:
        raise ValueError(
            f"Shapes come from {', '.join(SUFFIXES)} files; got {path.name}. Convert it with "
            "trimesh: trimesh.load(path).export('shape.off')"
        )
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty. {_remedy(path)}")
    return _from_trimesh(path)


def _remedy(path: Path) -> str:
    return f"Fetch it again, or leave it out; a {path.suffix} file was wanted."


def _from_trimesh(path: Path) -> Mesh | Tensor:
    try:
        import trimesh  # late: it is an extra
    except ImportError as error:
        raise ImportError(
            f"{path.suffix} files are read by trimesh, which is not installed. Install it: "
            "pip install trimesh"
        ) from error
    try:
        found: Any = trimesh.load(path, process=False)
    except Exception as error:  # a broken file fails in many ways, all with one remedy
        raise ValueError(
            f"{path} is cut short or no {path.suffix} file: {error}. {_remedy(path)}"
        ) from error
    vertices, faces = getattr(found, "vertices", None), getattr(found, "faces", None)
    if vertices is None or len(vertices) == 0:  # trimesh takes a broken .stl for an empty scene
        raise ValueError(f"{path} is cut short, foreign or holds no shape. {_remedy(path)}")
    vertices = torch.from_numpy(np.array(vertices, dtype=np.float64))
    if faces is None:
        return _checked_cloud(vertices, path)
    if path.suffix.lower() == ".off" and not _off_is_complete(path):
        raise ValueError(
            f"{path} is cut short: it has fewer vertices and faces than its head announces. "
            f"{_remedy(path)}"
        )
    return _checked_mesh(vertices, torch.from_numpy(np.array(faces, dtype=np.int64)), path)


def _off_is_complete(path: Path) -> bool:
    """Whether an ``.off`` file has a line for each vertex and face of its head.

    trimesh does not count, and gives what there is of a file that was cut.
    """
    lines = [line.split("#")[0].split() for line in path.read_text("ascii", "replace").splitlines()]
    tokens = [line for line in lines if line]
    if tokens[0] == ["OFF"]:
        tokens = tokens[1:]
    # ModelNet has files whose first line is "OFF" and the counts in one.
    vertices, faces = (int(count) for count in " ".join(tokens[0]).removeprefix("OFF").split()[:2])
    if len(tokens) < 1 + vertices + faces:
        return False
    last = tokens[vertices + faces]
    return faces == 0 or len(last) >= 1 + int(last[0])


def _from_archive(path: Path) -> Mesh | Tensor:
    instead = f"Give an .npz file with {ARRAYS}."
    arrays = read_arrays(path, None, "shape", instead=instead)
    tensors = {
        name: torch.from_numpy(arrays[name].astype(np.float64))
        for name in ("voxels", "points", "vertices", "faces")
        if name in arrays and arrays[name].dtype.kind in "buif"
    }
    if "voxels" in tensors:
        return _checked_grid(tensors["voxels"], path)
    if "points" in tensors:
        return _checked_cloud(tensors["points"], path)
    if "vertices" in tensors and "faces" in tensors:
        return _checked_mesh(tensors["vertices"], tensors["faces"].long(), path)
    held = ", ".join(f"{name} {array.dtype}" for name, array in arrays.items()) or "nothing"
    raise ValueError(f"{path} is no shape: it holds {held}. {instead}")


def _checked_mesh(vertices: Tensor, faces: Tensor, path: Path) -> Mesh:
    in_range = faces.numel() > 0 and 0 <= int(faces.min()) <= int(faces.max()) < len(vertices)
    if vertices.shape[1:] != (3,) or faces.shape[1:] != (3,) or not in_range:
        raise ValueError(
            f"A mesh has vertices (V, 3) and faces (F, 3) that number them; {path} has "
            f"{tuple(vertices.shape)} and {tuple(faces.shape)}. {_remedy(path)}"
        )
    _check_finite(vertices, path)
    return Mesh(vertices, faces)


def _checked_cloud(points: Tensor, path: Path) -> Tensor:
    if points.dim() != 2 or points.shape[1] != 3 or len(points) == 0:
        raise ValueError(f"A cloud has points (N, 3); {path} has {tuple(points.shape)}.")
    _check_finite(points, path)
    return points


def _checked_grid(grid: Tensor, path: Path) -> Tensor:
    if grid.dim() != 3 or len(set(grid.shape)) != 1 or grid.shape[0] < 2:
        raise ValueError(f"A grid has voxels (D, D, D); {path} has {tuple(grid.shape)}.")
    _check_finite(grid, path)
    if not bool((grid > 0).any()):
        raise ValueError(f"{path} holds an empty grid: no voxel is filled. Leave it out.")
    return grid.float()


def _check_finite(values: Tensor, path: Path) -> None:
    if not bool(torch.isfinite(values).all()):
        raise ValueError(f"{path} has NaN or infinity. {_remedy(path)}")


def _as_grid(shape: Mesh | Tensor, size: int) -> Tensor:
    if isinstance(shape, Mesh):
        return shape.voxels(size)
    return cloud_voxels(shape, size) if shape.dim() == 2 else resize_grid(shape, size)


def _as_cloud(shape: Mesh | Tensor, count: int, generator: torch.Generator) -> Tensor:
    if isinstance(shape, Mesh):
        return shape.points(count, generator)
    spots = unit_ball(shape)[0] if shape.dim() == 2 else grid_cloud(shape)
    if len(spots) >= count:
        return spots[torch.randperm(len(spots), generator=generator)[:count]].float()
    again = torch.randint(len(spots), (count - len(spots),), generator=generator)
    return torch.cat([spots, spots[again]]).float()  # too few: some points come twice

"""One shape from one file: a mesh, a cloud or a grid; what is broken is refused by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equivlab.data.archives import array_headers, read_arrays
from equivlab.data.arrays import MOST_BYTES, in_words
from equivlab.data.paths import check_file
from equivlab.data.shapes.meshes import Mesh
from equivlab.imports import needs_extra

__all__ = ["SUFFIXES", "read_shape"]

MESHES = (".obj", ".off", ".ply", ".stl")
SUFFIXES = (".npz", *MESHES)
ARRAYS = "voxels (D, D, D), or points (N, 3), or vertices (V, 3) and faces (F, 3)"
MOST_TEXT = 2**28  # bytes of a mesh file: trimesh takes many times that


def read_shape(path: str | os.PathLike[str]) -> Mesh | Tensor:
    """What a file holds: a `Mesh`, a cloud ``(N, 3)``, or a grid ``(D, D, D)``, axes ``z y x``.

    Args:
        path: ``.obj``, ``.off``, ``.ply`` or ``.stl``, read by trimesh; or ``.npz`` with the arrays
            ``voxels``, or ``points``, or ``vertices`` and ``faces``.

    Raises:
        FileNotFoundError, ImportError, ValueError: as `load_shapes`.
    """
    path = Path(path)
    check_file(path, "shape")
    if path.suffix.lower() == ".npz":
        return _from_archive(path)
    if path.suffix.lower() not in MESHES:
        raise ValueError(
            f"Shapes come from {', '.join(SUFFIXES)} files; got {path.name}. Convert it with "
            "trimesh: trimesh.load(path).export('shape.off')"
        )
    if path.stat().st_size > MOST_TEXT:
        raise ValueError(
            f"{path} has {in_words(path.stat().st_size)}; {in_words(MOST_TEXT)} are allowed. Make "
            "a coarser mesh: trimesh.load(path).simplify_quadric_decimation"
        )
    return _from_trimesh(path)


def _remedy(path: Path) -> str:
    return f"Fetch it again, or leave it out; a {path.suffix} file was wanted."


def _from_trimesh(path: Path) -> Mesh | Tensor:
    with needs_extra("data", f"A {path.suffix} file"):
        import trimesh
    found: Any
    try:
        with path.open("rb") as stream:  # and no path: nothing beside the file is opened
            found = trimesh.load(stream, process=False, **_how(path.suffix.lower()))
            found = found.to_mesh() if hasattr(found, "to_mesh") else found  # several in one file
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


def _how(suffix: str) -> dict[str, Any]:
    """Arguments of `trimesh.load`; colours and textures are of no use here."""
    plain = {"skip_materials": True, "group_material": False} if suffix == ".obj" else {}
    return {"file_type": suffix[1:]} | plain


def _off_is_complete(path: Path) -> bool:
    """Whether an ``.off`` file has a line for each vertex and face of its head.

    trimesh does not count, and gives what there is of a file that was cut.
    """
    lines = [line.split("#")[0].split() for line in path.read_text("ascii", "replace").splitlines()]
    tokens = [line for line in lines if line]
    if tokens[0] == ["OFF"]:
        tokens = tokens[1:]
    try:
        # ModelNet has files whose first line is "OFF" and the counts in one.
        head = " ".join(tokens[0]).removeprefix("OFF").split()
        vertices, faces = int(head[0]), int(head[1])
        last = tokens[vertices + faces]
        return faces == 0 or len(last) >= 1 + int(last[0])
    except (ValueError, IndexError):
        return False


def _from_archive(path: Path) -> Mesh | Tensor:
    instead = f"Give an .npz file with {ARRAYS}."
    held = array_headers(path, "shape", instead=instead)

    def arrays(*names: str) -> list[Tensor]:
        found = read_arrays(path, names, "shape", instead=instead, most_bytes=MOST_BYTES)
        return [torch.from_numpy(found[name].astype(np.float64, copy=False)) for name in names]

    if "voxels" in held:
        return _checked_grid(arrays("voxels")[0], path)
    if "points" in held:
        return _checked_cloud(arrays("points")[0], path)
    if "vertices" in held and "faces" in held:
        vertices, faces = arrays("vertices", "faces")
        return _checked_mesh(vertices, faces.long(), path)
    those = ", ".join(
        f"{name} {found if isinstance(found, str) else found.dtype.name}"
        for name, found in held.items()
    )
    raise ValueError(f"{path} is no shape: it holds {those or 'nothing'}. {instead}")


def _checked_mesh(vertices: Tensor, faces: Tensor, path: Path) -> Mesh:
    in_range = faces.numel() > 0 and 0 <= int(faces.min()) <= int(faces.max()) < len(vertices)
    if vertices.shape[1:] != (3,) or faces.shape[1:] != (3,) or not in_range:
        raise ValueError(
            f"A mesh has vertices (V, 3) and faces (F, 3) that number them; {path} has "
            f"{tuple(vertices.shape)} and {tuple(faces.shape)}. {_remedy(path)}"
        )
    _check_finite(vertices[faces], path)
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

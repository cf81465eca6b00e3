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
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from equivlab.data.paths import is_visible
from equivlab.data.shapes.meshes import Mesh, cloud_voxels, grid_cloud, resize_grid, unit_ball
from equivlab.data.shapes.procedural import LabelledShapes
from equivlab.data.shapes.reading import SUFFIXES, read_shape

__all__ = ["load_shapes"]

KINDS = ("voxels", "points")
NAMED = 10  # files in a message


def load_shapes(
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    kind: str = "voxels",
    *,
    size: int = 32,
    points: int = 1024,
    seed: int = 0,
) -> LabelledShapes:
    """Shapes from ``.npz``, ``.obj``, ``.off``, ``.ply`` or ``.stl`` files, all of one kind.

    Closed meshes are filled, or surfaces sampled, clouds and grids turned into each other; each
    shape is moved to the origin by the middle of its bounding box and scaled to the ball that
    fits into the grid, or to the unit ball. A grid that has the right `size` already stays as it
    is. Of an open mesh the surface alone can be had: a warning names each that is hollow.

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
    shapes, hollow = [], []
    for file in files:
        shape = read_shape(file)
        try:
            if kind == "voxels":
                shapes.append(_as_grid(shape, size)[None])
                if isinstance(shape, Mesh) and shape.is_hollow(size):
                    hollow.append(str(file))
            else:
                shapes.append(_as_cloud(shape, points, generator))
        except ValueError as error:
            raise ValueError(f"{file} cannot be made into {kind}: {error}") from error
    if hollow:
        warnings.warn(_hollow_message(hollow), stacklevel=2)
    return LabelledShapes(torch.stack(shapes), torch.tensor(labels), classes)


def _hollow_message(files: list[str]) -> str:
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return (
        f"Open meshes have no inside to fill, so their voxels are a hollow surface: "
        f"{', '.join(files[:NAMED])}{more}. Close them, for example with "
        "trimesh.repair.fill_holes, or leave them out."
    )


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
    inside = [p for p in inside if all(map(is_visible, p.relative_to(path).parts))]
    if not inside:
        raise FileNotFoundError(
            f"{path} holds no shapes: no file in it ends in {', '.join(SUFFIXES)}."
        )
    parts = [file.relative_to(path).parts for file in inside]
    if any(len(part) == 1 for part in parts):  # files beside the folders: no classes
        return inside, [0] * len(inside), ()
    classes = tuple(sorted({part[0] for part in parts}))
    return inside, [classes.index(part[0]) for part in parts], classes


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

"""Voxel shapes with labels: ModelNet10, and the 3-D sets of MedMNIST.

As everywhere in equivlab x runs along the last axis of a grid ``(D, H, W)``, y along the middle
one and z, which points up, along the first.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equivlab.data.archives import read_arrays
from equivlab.data.download import fetch

__all__ = ["MODELNET10_CLASSES", "adrenal_mnist", "medmnist3d", "modelnet10"]

MODELNET10_CLASSES = (
    "bathtub", "bed", "chair", "desk", "dresser",
    "monitor", "night_stand", "sofa", "table", "toilet",
)  # fmt: skip
"""The classes of ModelNet10, in the order of their labels."""

MODELNET10_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
WITHOUT_MODELNET10 = (
    "ModelNet10 may be had for research only, so equivlab does not download it. Give path=... or "
    "point EQUIVLAB_MODELNET10 at an .npz file with the voxel grids x_train and x_test "
    "(N, D, D, D) and the labels y_train and y_test, or use the built-in shapes: "
    "equivlab.data.furniture()"
)

MEDMNIST_URL = "https://zenodo.org/records/10519652/files/"
#: MD5 of each set's 28³ file: its authors publish no other checksum.
MEDMNIST_FILES = {
    "adrenal": "bbd3c5a5576322bc4cdfea780653b1ce",
    "fracture": "6aa7b0143a6b42da40027a9dda61302f",
    "nodule": "8755a7e9e05a4d9ce80a24c3e7a256f3",
    "organ": "a0c5a1ff56af4f155c46d46fbb45a2fe",
    "synapse": "1235b78a3cd6280881dd7850a78eadb6",
    "vessel": "b41fd4f7e7e2feedddb201585ecafa1b",
}
MEDMNIST_SIDE = 28


def modelnet10(path: str | os.PathLike[str] | None = None) -> dict[str, Tensor]:
    """ModelNet10 as voxels, official split, without its broken and its leaked grids.

    Empty grids go from both halves, and a test grid that equals a training grid bit for bit
    goes from the test half. Of the 30³ grids that are passed around (3991 and 908) that
    leaves 3984 for training and 836 for testing.

    Args:
        path: an ``.npz`` file with ``x_train``, ``x_test`` ``(N, D, D, D)`` and ``y_train``,
            ``y_test`` ``(N,)``; else ``$EQUIVLAB_MODELNET10``. Its grids have the axes
            ``x y z`` with z up, as the voxels of 3D ShapeNets do.

    Returns:
        The four arrays, `torch.uint8`, the grids with the axes ``z y x``; labels count through
        `MODELNET10_CLASSES`.

    Raises:
        FileNotFoundError: neither a path nor the variable names a file.
        ValueError: a file that is not ModelNet10.

    Source:
        Wu et al., *3D ShapeNets*, CVPR 2015.
    """
    source = path or os.environ.get("EQUIVLAB_MODELNET10")
    if not source:
        raise FileNotFoundError(f"No file of ModelNet10 was named. {WITHOUT_MODELNET10}")
    arrays = read_arrays(Path(source), MODELNET10_ARRAYS, "ModelNet10", instead=WITHOUT_MODELNET10)
    for half in ("train", "test"):
        _check_half(arrays[f"x_{half}"], arrays[f"y_{half}"], half)
    full = {half: arrays[f"x_{half}"].any((1, 2, 3)) for half in ("train", "test")}
    seen = {grid.tobytes() for grid in arrays["x_train"][full["train"]]}
    full["test"] &= np.array([grid.tobytes() not in seen for grid in arrays["x_test"]], dtype=bool)
    found = {}
    for name in MODELNET10_ARRAYS:
        kept = arrays[name][full[name[2:]]]
        kept = kept.transpose(0, 3, 2, 1) if name.startswith("x") else kept
        found[name] = torch.from_numpy(np.ascontiguousarray(kept, dtype=np.uint8))
    return found


def _check_half(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], half: str) -> None:
    cubes = x.ndim == 4 and len(x) > 0 and len(set(x.shape[1:])) == 1
    if not cubes or y.shape != x.shape[:1] or x.dtype.kind not in "bui" or y.dtype.kind not in "ui":
        raise ValueError(
            f"ModelNet10's x_{half} is (N, D, D, D) and y_{half} (N,), of integers; got {x.shape} "
            f"of {x.dtype} and {y.shape} of {y.dtype}. {WITHOUT_MODELNET10}"
        )
    if int(y.min()) < 0 or int(y.max()) >= len(MODELNET10_CLASSES):
        raise ValueError(
            f"ModelNet10's labels are 0 to {len(MODELNET10_CLASSES) - 1}; y_{half} goes from "
            f"{y.min()} to {y.max()}. {WITHOUT_MODELNET10}"
        )


def adrenal_mnist(path: str | os.PathLike[str] | None = None) -> dict[str, Tensor]:
    """AdrenalMNIST3D: masks of 1584 adrenal glands, normal (0) or with a mass (1).

    1188 to train, 98 to validate, 298 to test. Arguments, result and errors as `medmnist3d`.
    """
    return medmnist3d("adrenal", path)


def medmnist3d(name: str, path: str | os.PathLike[str] | None = None) -> dict[str, Tensor]:
    """A 3-D set of MedMNIST v2, 28³ voxels, downloaded once and checked.

    Args:
        name: ``'adrenal'``, ``'fracture'``, ``'nodule'``, ``'organ'``, ``'synapse'``, ``'vessel'``.
        path: the file ``<name>mnist3d.npz`` if it is already here; else that file in the folder
            ``$EQUIVLAB_MEDMNIST``; else the download.

    Returns:
        ``x_train``, ``x_val``, ``x_test`` ``(N, 28, 28, 28)`` and ``y_train``, ``y_val``,
        ``y_test`` ``(N,)``, all `torch.uint8`. The axes are the scanner's.

    Raises:
        ConnectionError: no network, and nothing cached.
        FileNotFoundError: a path that names no file.
        ValueError: no such set, or a file that is none of MedMNIST's.

    Source:
        Yang et al., *MedMNIST v2*, Scientific Data 2023; CC BY 4.0.
    """
    if name not in MEDMNIST_FILES:
        raise ValueError(f"MedMNIST's 3-D sets are {', '.join(MEDMNIST_FILES)}; got {name!r}.")
    file = f"{name}mnist3d.npz"
    instead = (
        f"Download {MEDMNIST_URL}{file} where there is a network and give path=..., or put it "
        "into a folder and point EQUIVLAB_MEDMNIST at that; or use the built-in shapes: "
        "equivlab.data.furniture()"
    )
    folder = os.environ.get("EQUIVLAB_MEDMNIST")
    if path is not None or folder:
        source = Path(folder or "", file) if path is None else Path(path)
    else:
        source = fetch(MEDMNIST_URL + file, f"md5:{MEDMNIST_FILES[name]}", instead=instead)
    parts = ("train", "val", "test")
    names = [f"{part}_{kind}" for part in parts for kind in ("images", "labels")]
    arrays = read_arrays(source, names, f"{name.capitalize()}MNIST3D", instead=instead)
    found = {}
    for part in parts:
        grids, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        if grids.shape != (labels.size, *3 * (MEDMNIST_SIDE,)) or grids.dtype != np.uint8:
            raise ValueError(
                f"{part}_images of {file} is (N, 28, 28, 28) of uint8, a shape for each label; "
                f"got {grids.shape} of {grids.dtype} and {labels.size} labels. {instead}"
            )
        found[f"x_{part}"] = torch.from_numpy(grids)
        found[f"y_{part}"] = torch.from_numpy(labels.reshape(-1).astype(np.uint8))
    return found

"""Images from an ``.npz`` archive of arrays, as MedMNIST's are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equivlab.data.archives import read_arrays
from equivlab.data.sets.classes import class_labels

__all__ = ["MOST_BYTES", "PARTS", "Entry", "from_archive"]

PARTS = {"train": ("train",), "validate": ("validate", "validation", "valid", "val"),
         "test": ("test",)}  # fmt: skip
MOST_BYTES = 4 * 10**9
MOST_CHANNELS = 4  # of an array that may have them in front
INSTEAD = (
    "Save train_images (N, H, W) or (N, H, W, C), and train_labels (N,) as numbers: of names, "
    "np.unique(names, return_inverse=True)[1]."
)
Entry = tuple[str, Tensor, int]  # name, image, label
Numbers = NDArray[Any]


def from_archive(path: Path, broken: list[str]) -> tuple[dict[str, list[Entry]], tuple[str, ...]]:
    """The images of each part, and the names of the classes, ``'0'``, ``'1'``, ...

    Args:
        path: an archive with ``train_images`` and ``train_labels``; ``val_`` and ``test_`` too.
        broken: gets a line for each image with NaN or infinity, which is left out.

    Raises:
        ValueError: other arrays, channels in front, or labels that are no classes.
    """
    arrays = read_arrays(path, None, "image", most_bytes=MOST_BYTES, instead=INSTEAD)
    entries: dict[str, list[Entry]] = {}
    for part, names in PARTS.items():
        for name in names:
            if f"{name}_images" in arrays and f"{name}_labels" in arrays:
                pixels, labels = arrays[f"{name}_images"], arrays[f"{name}_labels"]
                entries[part] = _of_arrays(f"{name}_images", pixels, labels, broken)
    if "train" not in entries:
        raise ValueError(f"{path} holds {', '.join(arrays)}; train_images and train_labels go in.")
    learnt = {label for _, _, label in entries["train"]}
    for part, found in entries.items():
        unknown = sorted({label for _, _, label in found} - learnt)
        if unknown:
            raise ValueError(
                f"The part {part} has the class {unknown[0]}, and train_labels has "
                f"{', '.join(map(str, sorted(learnt)))}. Number the classes in the same way."
            )
    missing = sorted(set(range(max(learnt, default=0))) - learnt)
    if missing:
        raise ValueError(
            f"train_labels has no {missing[0]}, and {max(learnt)} is the largest; classes count "
            "from 0 without gaps: np.unique(labels, return_inverse=True)[1]."
        )
    return entries, tuple(map(str, range(len(learnt))))


def _of_arrays(name: str, pixels: Numbers, labels: Numbers, broken: list[str]) -> list[Entry]:
    if pixels.ndim not in (3, 4):
        raise ValueError(f"{name} is (N, H, W) or (N, H, W, C); got {pixels.shape}.")
    if pixels.ndim == 4 and pixels.shape[1] <= MOST_CHANNELS < pixels.shape[3]:
        raise ValueError(
            f"{name} is (N, H, W, C), channels last; got {pixels.shape}. Save "
            "np.moveaxis(images, 1, -1)."
        )
    whole = torch.as_tensor(pixels).float()
    if pixels.dtype.kind == "u":  # as pictures
        whole = whole / float(np.iinfo(pixels.dtype).max)
    whole = whole[:, None] if whole.dim() == 3 else whole.movedim(-1, 1)
    chosen = class_labels(torch.as_tensor(labels), len(whole)).tolist()
    finite = whole.isfinite().flatten(1).all(1).tolist()
    broken += [
        f"{name}[{n}] has NaN or infinity in it; fill the gaps." for n, is_fine in enumerate(finite)
        if not is_fine
    ]  # fmt: skip
    return [
        (f"{name}[{n}]", image, label)
        for n, (image, label) in enumerate(zip(whole, chosen, strict=True))
        if finite[n]
    ]

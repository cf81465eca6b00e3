"""Bring your own images: a folder for each class, with .npy, picture or FITS files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

__all__ = ["FolderImages", "read_image"]

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
FITS = (".fits", ".fit", ".fits.gz")
SUFFIXES = (".npy", *PICTURES, *FITS)


class FolderImages(Dataset[tuple[Tensor, int]]):
    """Images in one folder for each class: ``<root>/<class>/<any name>``.

    This is the layout of ML4SCI's DeepLense sets (``<root>/<split>/<class>/*.npy``: give
    ``root/split``). Files are read when asked for, so a set may be larger than memory.

    Args:
        root: the folder of classes; their names, sorted, are the labels 0, 1, ...
        transform: applied to each image ``(C, H, W)``. Sizes may differ; a batch wants one:
            ``transform=lambda x: crop_centre(x, 64)``.
        classes: the names in another order, or some of them.

    Raises:
        FileNotFoundError: no such folder, or no images in a class.

    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Tensor], Tensor] | None = None,
        classes: tuple[str, ...] | None = None,
    ) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise FileNotFoundError(f"There is no folder {self.root}. Give <root>/<split>.")
        self.transform = transform
        found = sorted(path.name for path in self.root.iterdir() if path.is_dir())
        self.classes = tuple(found) if classes is None else tuple(classes)
        if not self.classes:
            raise FileNotFoundError(
                f"{self.root} has no folders, one for each class, such as {self.root / 'no_sub'}."
            )
        self.files: list[tuple[Path, int]] = []
        for label, name in enumerate(self.classes):
            folder = self.root / name
            files = sorted(folder.iterdir()) if folder.is_dir() else []
            images = [path for path in files if path.name.lower().endswith(SUFFIXES)]
            if not images:
                raise FileNotFoundError(
                    f"The class {name!r} has no images in {folder}; it has the folders "
                    f"{', '.join(found) or 'none'}. Images end in {', '.join(SUFFIXES)}."
                )
            self.files += [(path, label) for path in images]

    def __len__(self) -> int:
        return len(self.files)

    def labels(self) -> Tensor:
        """All labels, ``(N,)``."""
        return torch.tensor([label for _, label in self.files])

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.files[index]
        image = read_image(path)
        return image if self.transform is None else self.transform(image), label

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The images ``(B, C, H, W)`` with these numbers, and their labels ``(B,)``.

        Raises:
            ValueError: their sizes differ.
        """
        images, labels = zip(*(self[index] for index in indices), strict=True)
        sizes = {tuple(image.shape) for image in images}
        if len(sizes) > 1:
            raise ValueError(
                f"A batch wants images of one size; {self.root} has {sorted(sizes)[:3]}. Crop "
                "them: FolderImages(root, transform=lambda x: crop_centre(x, 64))."
            )
        return torch.stack(images), torch.tensor(labels)


def read_image(path: str | os.PathLike[str]) -> Tensor:
    """One image file as ``(C, H, W)`` in float32.

    ``.npy`` and FITS keep their numbers, pictures become 0 to 1. An array ``(H, W)`` gets one
    channel; ``(H, W, C)`` with 1, 3 or 4 channels at the end is taken as such.

    Raises:
        ValueError: a pickled or otherwise unreadable file, or one that is no image.
        ModuleNotFoundError: FITS without astropy.
    """
    path = Path(path)
    name = path.name.lower()
    if name.endswith(".npy"):
        array = _npy(path)
    elif name.endswith(FITS):
        array = _fits(path)
    else:
        array = _picture(path)
    if array.ndim == 2:
        array = array[None]
    elif array.ndim == 3 and array.shape[2] in (1, 3, 4) and array.shape[0] not in (1, 3, 4):
        array = np.moveaxis(array, -1, 0)
    if array.ndim != 3:
        raise ValueError(f"{path} is no image: it has the shape {array.shape}.")
    # astype also brings FITS' big-endian numbers into the machine's order.
    return torch.from_numpy(np.ascontiguousarray(array.astype(np.float32)))


def _npy(path: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise ValueError(
            f"{path} is cut short or holds pickled objects, which can run code when they are "
            "opened (ML4SCI's axion files hold a pair of image and mass). Where you trust it, "
            "convert it once: numpy.save(new, numpy.load(old, allow_pickle=True)[0])."
        ) from error
    return array


def _fits(path: Path) -> np.ndarray:
    fits = import_module("astropy.io.fits")  # late: it is an extra

    with fits.open(path, memmap=False) as units:
        for unit in units:
            if unit.data is not None and getattr(unit.data, "ndim", 0) >= 2:
                return np.asarray(unit.data)
    raise ValueError(f"{path} holds no image, only tables or headers.")


def _picture(path: Path) -> np.ndarray:
    from PIL import Image  # comes with matplotlib

    try:
        with Image.open(path) as picture:
            known = picture.mode in ("L", "RGB", "RGBA", "F", "I", "I;16", "I;16B")
            array = np.asarray(picture if known else picture.convert("RGB"))
    except OSError as error:
        raise ValueError(f"{path} is no picture that Pillow can read: {error}.") from error
    if array.dtype.kind == "u":
        array = array / np.float32(np.iinfo(array.dtype).max)
    return np.moveaxis(array, -1, 0) if array.ndim == 3 else array

"""Bring your own images: a folder for each class, with .npy, picture or FITS files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from equivlab.data.arrays import MOST_BYTES
from equivlab.data.paths import check_file, is_visible
from equivlab.data.sets.reading import ENDINGS, Plane, is_image, read_image

__all__ = ["FolderImages"]


class FolderImages(Dataset[tuple[Tensor, int]]):
    """Images in one folder for each class: ``<root>/<class>/<any name>``.

    This is the layout of ML4SCI's DeepLense sets (``<root>/<split>/<class>/*.npy``: give
    ``root/split``). Files are read when asked for, so a set may be larger than memory. Hidden
    files and folders are not looked at.

    Args:
        root: the folder of classes; their names, sorted, are the labels 0, 1, ...
        transform: applied to each image ``(C, H, W)``. Sizes may differ; a batch wants one:
            ``transform=lambda x: crop_center(x, 64)``.
        classes: the names in another order, or some of them.
        plane: which image of arrays of more axes, as `read_image`.
        most_bytes: what one image may take, as `read_image`.

    Raises:
        FileNotFoundError: no such folder, or no images in a class.
        ValueError: a class twice, or something with the name of an image that is no file.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Tensor], Tensor] | None = None,
        classes: Sequence[str] | None = None,
        *,
        plane: Plane = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise FileNotFoundError(f"There is no folder {self.root}. Give <root>/<split>.")
        self.transform = transform
        self.plane = plane
        self.most_bytes = most_bytes
        inside = (path for path in self.root.iterdir() if path.is_dir())
        found = sorted(path.name for path in inside if is_visible(path.name))
        self.classes: tuple[str, ...] = tuple(found if classes is None else classes)
        if not self.classes:
            raise FileNotFoundError(
                f"{self.root} has no folders, one for each class, such as {self.root / 'no_sub'}."
            )
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"FolderImages takes each class once; got {', '.join(self.classes)}.")
        self.files: list[tuple[Path, int]] = []
        for label, name in enumerate(self.classes):
            images = _images_in(self.root / name)
            if not images:
                raise FileNotFoundError(
                    f"The class {name!r} has no images in {self.root / name}; {self.root} has the "
                    f"folders {', '.join(found) or 'none'}. Images end in {ENDINGS}."
                )
            self.files += [(path, label) for path in images]

    def __len__(self) -> int:
        return len(self.files)

    def labels(self) -> Tensor:
        """All labels, ``(N,)``."""
        return torch.tensor([label for _, label in self.files])

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.files[index]
        image = read_image(path, self.plane, most_bytes=self.most_bytes)
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
                "them: FolderImages(root, transform=lambda x: crop_center(x, 64))."
            )
        return torch.stack(images), torch.tensor(labels)


def _images_in(folder: Path) -> list[Path]:
    """The image files of one class, sorted by name."""
    if not folder.is_dir():
        return []
    inside = sorted(path for path in folder.iterdir() if is_visible(path.name))
    images = [path for path in inside if is_image(path.name)]
    for path in images:
        if not path.is_file():
            check_file(path, "image")  # says what it is instead
    return images

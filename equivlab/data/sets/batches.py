"""Sets of images that are asked for whole batches, in memory or on disk, and parts of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from equivlab.data.sets.base import Batch, ImageSet
from equivlab.data.sets.classes import class_labels, class_names

__all__ = ["Batches", "ImageSet", "TensorImages", "stratified"]


class TensorImages:
    """Images in memory, as an `ImageSet`.

    Args:
        images: ``(N, C, H, W)``.
        labels: ``(N,)`` integers.
        classes: the names of the classes, in the order of their numbers.

    Raises:
        ValueError: another number of labels than images, or a label without a name.
    """

    def __init__(
        self, images: Tensor, labels: Tensor, classes: Sequence[str] | None = None
    ) -> None:
        if len(images) != len(labels):
            raise ValueError(
                f"TensorImages takes as many labels as images; got {len(images)} images and "
                f"{len(labels)} labels."
            )
        self.images = images
        self.classes = None if classes is None else tuple(classes)
        known = None if self.classes is None else len(self.classes)
        self._labels = class_labels(labels, len(images), known)

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Sequence[int]) -> Batch:
        these = torch.as_tensor(indices)
        return self.images[these], self._labels[these]

    def labels(self) -> Tensor:
        return self._labels


class Batches(Dataset[Batch]):
    """An `ImageSet`, or some of it, that is asked for whole batches.

    Args:
        images: the set.
        indices: which of its images; all by default.

    Attributes:
        classes: the names of the set's classes, or None.
    """

    def __init__(self, images: ImageSet, indices: Tensor | None = None) -> None:
        self.images = images
        self.classes = class_names(images)
        self.indices = torch.arange(len(images)) if indices is None else indices

    def __len__(self) -> int:
        return len(self.indices)

    def labels(self) -> Tensor:
        """The labels of its images, ``(N,)``."""
        return self.images.labels()[self.indices]

    def __getitem__(self, places: Sequence[int]) -> Batch:
        if not len(places):  # a set may not know how to give no images
            images, labels = self.images.batch(self.indices[:1].tolist())
            return images[:0], labels[:0]
        return self.images.batch(self.indices[torch.as_tensor(places)].tolist())


def stratified(labels: Tensor, fraction: float, seed: int = 0) -> Tensor:
    """Indices of a share of every class; a larger share of the same seed contains a smaller.

    Args:
        labels: ``(N,)``.
        fraction: 0 to 1; at least one image of each class is taken.
        seed: of the choice.

    Raises:
        ValueError: a fraction out of range.

    >>> stratified(torch.tensor([0, 1] * 10), 0.2).shape
    torch.Size([4])
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"stratified takes a fraction above 0 and up to 1; got {fraction}.")
    generator = torch.Generator().manual_seed(seed)
    chosen = []
    for label in labels.unique().tolist():
        members = (labels == label).nonzero()[:, 0]
        order = torch.randperm(len(members), generator=generator)
        chosen.append(members[order[: max(1, round(fraction * len(members)))]])
    return torch.cat(chosen).sort().values

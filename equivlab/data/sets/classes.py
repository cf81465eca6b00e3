"""What images are called: their labels checked, and the names of classes matched by name.

Sets number their classes as they like: folders in the order of the alphabet, shards as they were
written. The number of a class means nothing outside its set; its name does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from equivlab.data.sets.base import Batch, ImageSet

__all__ = ["Renumbered", "class_labels", "class_names", "in_order"]


def class_labels(labels: Tensor, count: int, classes: int | None = None) -> Tensor:
    """Labels as ``(N,)`` int64, whole numbers from 0; a column ``(N, 1)`` is squeezed.

    Args:
        labels: ``(N,)`` or ``(N, 1)``, of any dtype that holds whole numbers.
        count: ``N``, how many images there are.
        classes: how many classes there are; any number by default.

    Raises:
        ValueError: another shape or number, one-hot rows, or a label that is no class.

    >>> class_labels(torch.tensor([[2.0], [0.0]]), 2)
    tensor([2, 0])
    """
    flat = labels[:, 0] if labels.dim() == 2 and labels.shape[1] == 1 else labels
    if flat.dim() != 1 or len(flat) != count:
        hint = ""
        if labels.dim() == 2 and len(labels) == count:
            hint = " One-hot rows become labels by labels.argmax(1)."
        raise ValueError(
            f"Labels are whole numbers (N,), one for each of the {count} images; got "
            f"{tuple(labels.shape)}.{hint}"
        )
    whole = flat.long()
    # Compared in their own type: torch does not mix uint16 and larger ones with others.
    wrong = (whole.to(flat.dtype) != flat) | (whole < 0)
    if classes is not None:
        wrong |= whole >= classes
    if bool(wrong.any()):
        wanted = "0, 1, ..." if classes is None else f"0 to {classes - 1}"
        places = wrong.nonzero()[:, 0]
        raise ValueError(
            f"Labels are the numbers of classes, {wanted}; got {flat[places[0]].item()} and "
            f"{len(places) - 1} more that are none."
        )
    return whole


def class_names(images: Any) -> tuple[str, ...] | None:
    """The names of a set's classes, in the order of its labels; None where it has none."""
    names = getattr(images, "classes", None)
    return tuple(map(str, names)) if names else None


class Renumbered:
    """An `ImageSet` whose labels count its classes in another order.

    Args:
        images: a set with the names of its classes.
        classes: the same names in the order wanted.

    Raises:
        ValueError: other names; both lists are shown.
    """

    def __init__(self, images: ImageSet, classes: Sequence[str]) -> None:
        names = class_names(images) or ()
        if sorted(names) != sorted(classes):
            raise ValueError(
                f"The classes have other names: {', '.join(names)} in {type(images).__name__}, "
                f"and {', '.join(classes)} were wanted. Rename the folders, or give the set its "
                "names with classes=."
            )
        self.images = images
        self.classes = tuple(classes)
        self._number = torch.tensor([self.classes.index(name) for name in names])

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Images ``(B, C, H, W)``, and their labels ``(B,)`` in the order of `classes`."""
        images, labels = self.images.batch(indices)
        return images, self._renumber(labels)

    def labels(self) -> Tensor:
        """All labels, ``(N,)``, in the order of `classes`."""
        return self._renumber(self.images.labels())

    def _renumber(self, labels: Tensor) -> Tensor:
        return self._number.to(labels.device)[labels.long()]  # uint8 would be taken for a mask


def in_order(images: ImageSet, classes: Sequence[str] | None) -> ImageSet:
    """The set with its classes in this order, matched by name.

    A set or an order without names is taken as it is: then the numbers must be right.

    Raises:
        ValueError: both have names, and they differ.
    """
    names = class_names(images)
    if classes is None or names is None or names == tuple(classes):
        return images
    return Renumbered(images, classes)

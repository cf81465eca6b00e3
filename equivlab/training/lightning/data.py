"""What a run learns from and is judged by: two sets of images that name the same classes."""

from __future__ import annotations

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from equivlab.data.sets.batches import Batches, ImageSet
from equivlab.data.sets.classes import class_labels, class_names, in_order
from equivlab.training.batches import EpochBatches, loader
from equivlab.training.lightning.classifier import ImageClassifier

__all__ = ["ImageData", "agreed"]

Part = ImageSet | Batches


class ImageData(L.LightningDataModule):
    """Two image sets as Lightning wants them; each process loads its share of every batch."""

    def __init__(
        self, train: Batches, validate: Batches, batch_size: int, seed: int, workers: int = 0
    ) -> None:
        super().__init__()
        self.parts = {"train": train, "validate": validate}
        self.batch_size = batch_size
        self.seed = seed
        self.workers = workers

    def _loader(self, name: str, seed: int | None) -> DataLoader[tuple[Tensor, Tensor]]:
        part, trainer = self.parts[name], self.trainer
        rank, world = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        batches = EpochBatches(len(part), self.batch_size, seed, rank, world)
        return loader(part, batches, self.workers, torch.cuda.is_available())

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """The training images, in an order of their own each epoch."""
        return self._loader("train", self.seed)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """The validation images."""
        return self._loader("validate", None)


def agreed(classifier: ImageClassifier, train: Part, validate: Part) -> tuple[Batches, Batches]:
    """Both sets with their classes in the classifier's order, matched by name.

    A classifier without names takes those of the training images.

    Args:
        classifier: its `classes` are set.
        train: images to learn from.
        validate: images to be judged by.

    Raises:
        ValueError: names that differ, as many names as the network has no scores for, labels
            that are no classes, or a class without validation images.
    """
    names = classifier.classes or class_names(train) or class_names(validate)
    if names is not None and len(names) != classifier.count:
        raise ValueError(
            f"The network gives scores of {classifier.count} classes, but the images have "
            f"{len(names)}: {', '.join(names)}. Build it with classes={len(names)}."
        )
    parts = []
    for what, given in (("training", train), ("validation", validate)):
        part = given if isinstance(given, Batches) else Batches(given)
        try:
            part = Batches(in_order(part.images, names), part.indices)
            labels = class_labels(part.labels(), len(part), classifier.count)
        except ValueError as error:
            raise ValueError(f"The {what} images do not fit: {error}") from error
        counts = labels.bincount(minlength=classifier.count)
        missing = [names[k] if names else str(k) for k in (counts == 0).nonzero()[:, 0].tolist()]
        if what == "validation" and missing:
            raise ValueError(
                f"There is no validation image of the class {', '.join(missing)}, and so no AUC to "
                "choose an epoch by. Add some, or leave the class out of the training."
            )
        parts.append(part)
    classifier.classes = names
    return parts[0], parts[1]

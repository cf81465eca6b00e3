"""Which images make up a batch: from the seed and the epoch alone, on any number of devices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

__all__ = ["Batches", "EpochBatches", "ImageSet", "TensorImages", "loader", "stratified"]

Batch = tuple[Tensor, Tensor]


class ImageSet(Protocol):
    """What the loaders want of a set of images: `ShardedImages`, `FolderImages`, `TensorImages`."""

    def __len__(self) -> int: ...

    def batch(self, indices: Sequence[int]) -> Batch:
        """Images ``(B, C, H, W)`` and labels ``(B,)``."""

    def labels(self) -> Tensor:
        """All labels, ``(N,)``."""


class TensorImages:
    """Images in memory, as an `ImageSet`.

    Args:
        images: ``(N, C, H, W)``.
        labels: ``(N,)`` integers.

    Raises:
        ValueError: another number of labels than images.
    """

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        if len(images) != len(labels):
            raise ValueError(
                f"TensorImages takes as many labels as images; got {len(images)} images and "
                f"{len(labels)} labels."
            )
        self.images = images
        self._labels = labels

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
    """

    def __init__(self, images: ImageSet, indices: Tensor | None = None) -> None:
        self.images = images
        self.indices = torch.arange(len(images)) if indices is None else indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, places: Sequence[int]) -> Batch:
        return self.images.batch(self.indices[torch.as_tensor(places)].tolist())


class EpochBatches(Sampler[list[int]]):
    """Places in batches, in an order that follows from the seed and the epoch.

    With several processes each takes its share of the *same* batches, so the mean of their
    gradients is the gradient of one process with the whole batch.

    Args:
        count: how many images.
        batch_size: images in a batch of all processes together.
        seed: of the order; None keeps the order of the set, and its last, smaller batch.
        rank: number of this process.
        processes: how many there are.

    Raises:
        ValueError: no images, or a batch that the processes cannot share equally.
    """

    def __init__(
        self, count: int, batch_size: int, seed: int | None, rank: int = 0, processes: int = 1
    ) -> None:
        if count < 1 or batch_size < 1 or batch_size % processes:
            raise ValueError(
                "EpochBatches takes one image or more and a batch_size that the processes share "
                f"equally; got {count} images, batch_size={batch_size}, processes={processes}."
            )
        self.count = count
        self.batch_size = min(batch_size, count // processes * processes)
        self.seed = seed
        self.rank = rank
        self.processes = processes
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning says which epoch begins."""
        self.epoch = epoch

    def __len__(self) -> int:
        whole = self.count // self.batch_size
        return whole if self.seed is not None else -(-self.count // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.arange(self.count)
        if self.seed is not None:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
            order = torch.randperm(self.count, generator=generator)
        for batch in order.split(self.batch_size)[: len(self)]:
            yield batch[self.rank :: self.processes].tolist()


def loader(
    part: Batches, batches: EpochBatches, workers: int = 0, pin_memory: bool = False
) -> DataLoader[Batch]:
    """A `DataLoader` that fetches whole batches, with `workers` processes."""
    return DataLoader(
        part,
        batch_size=None,
        sampler=batches,
        num_workers=workers,
        pin_memory=pin_memory,
        persistent_workers=workers > 0,
    )


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

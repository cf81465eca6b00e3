"""Which images make up a batch: from the seed and the epoch alone, on any number of devices."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from equivlab.data.sets.batches import Batches
from equivlab.training.seeds import generator_of

__all__ = ["EpochBatches", "loader"]


class EpochBatches(Sampler[list[int]]):
    """Places in batches, in an order that follows from the seed and the epoch.

    With several processes each takes its share of the *same* batches: image `n` of
    the whole order goes to process ``n % processes``. Every process has as many batches as the
    others. Only the last batch may be shared unequally, and, without a seed, a process may find
    no image for itself in it.

    Args:
        count: how many images.
        batch_size: images in a batch of all processes together.
        seed: of the order, whose last, smaller batch is left out; None keeps the order of the
            set, and its last batch.
        rank: number of this process.
        processes: how many there are.

    Raises:
        ValueError: no images, a batch that the processes cannot share equally, or fewer images
            to learn from than processes.
    """

    def __init__(
        self, count: int, batch_size: int, seed: int | None, rank: int = 0, processes: int = 1
    ) -> None:
        if count < 1 or batch_size < 1 or batch_size % processes:
            raise ValueError(
                "EpochBatches takes one image or more and a batch_size that the processes share "
                f"equally; got {count} images, batch_size={batch_size}, processes={processes}."
            )
        if seed is not None and count < processes:
            raise ValueError(
                f"{processes} processes cannot learn from {count} images: each wants one of every "
                f"batch. Take devices={count} or fewer."
            )
        self.count = count
        self.batch_size = min(batch_size, count)
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
            order = torch.randperm(self.count, generator=generator_of(self.seed, self.epoch))
        for batch in order.split(self.batch_size)[: len(self)]:
            yield batch[self.rank :: self.processes].tolist()


def loader(
    part: Batches, batches: EpochBatches, workers: int = 0, pin_memory: bool = False
) -> DataLoader[tuple[Tensor, Tensor]]:
    """A `DataLoader` that fetches whole batches, with `workers` processes."""
    return DataLoader(
        part,
        batch_size=None,
        sampler=batches,
        num_workers=workers,
        pin_memory=pin_memory,
        persistent_workers=workers > 0,
    )

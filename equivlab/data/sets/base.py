"""What every set of images can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

__all__ = ["Batch", "ImageSet"]

Batch = tuple[Tensor, Tensor]


class ImageSet(Protocol):
    """What the loaders want of a set of images: `ShardedImages`, `FolderImages`, `TensorImages`."""

    def __len__(self) -> int: ...

    def batch(self, indices: Sequence[int]) -> Batch:
        """Images ``(B, C, H, W)`` and labels ``(B,)``."""

    def labels(self) -> Tensor:
        """All labels, ``(N,)``."""

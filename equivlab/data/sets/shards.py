"""Image sets that do not fit in memory: memory-mapped shards with a manifest.

A set is a folder of ``images-00000.npy``, ``labels-00000.npy``, ... and a ``manifest.json`` with
what they were made of and their checksums. Every file is written beside its place and moved
there when it is whole, so after a kill at any moment the same call goes on and ends in the same
bytes. Nothing is pickled, and ``numpy.load(file, mmap_mode="r")`` opens every file.
"""

from __future__ import annotations

import math
import mmap
import os
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from equivlab.data.arrays import native, read_header
from equivlab.data.sets.manifest import (
    check_header,
    class_names,
    damaged_files,
    read_labels,
    read_manifest,
    refuse_damage,
)

__all__ = ["ShardedImages"]

Batch = tuple[Tensor, Tensor]


class ShardedImages(Dataset[Batch]):
    """Images on disk, of which only the batch asked for comes into memory.

    Args:
        folder: where `write_shards` put them.
        transform: applied to each batch ``(B, C, H, W)``, for example `scale_each`.
        mapped_mb: megabytes of shards that are mapped into the address space; all others are
            read image by image, which is slower. Mapped pages are the system's cache, which
            takes them back at will, but they are counted as memory of the process. By default
            all, as long as they are no more than a quarter of the files that a process may have
            open, and none where the address space is limited.

    Raises:
        FileNotFoundError: there is no set.
        ValueError: it is unfinished, or files are missing or cut short; each is named.
            Altered bytes are found by `verify_shards`.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        transform: Callable[[Tensor], Tensor] | None = None,
        mapped_mb: float | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.transform = transform
        self.manifest = read_manifest(self.folder)
        self.shard_size: int = self.manifest["shard_size"]
        self._open: dict[int, _Shard] = {}
        self._mappable = _mappable_bytes() if mapped_mb is None else mapped_mb * 1e6
        self._most_open = _most_open()
        if not self.manifest["shards"]:
            raise ValueError(
                f"{self.folder} is unfinished: its writing was interrupted. Make the same call "
                "again; it goes on where it stopped."
            )
        refuse_damage(self.folder, damaged_files(self.folder, self.manifest, checksums=False))

    def __len__(self) -> int:
        count: int = self.manifest["count"]
        return count

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}  # each process maps for itself

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image, ``(C, H, W)``."""
        return tuple(self.manifest["shape"])

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels 0, 1, ..., as the manifest has them; empty where it has none."""
        return class_names(self.manifest)

    def labels(self) -> Tensor:
        """All labels, ``(N,)``."""
        shards = range(len(self.manifest["shards"]))
        parts = [read_labels(self.folder, n, self._rows(n)) for n in shards]
        return torch.from_numpy(np.concatenate(parts)).long()

    def _rows(self, number: int) -> int:
        """How many images a shard has."""
        return min(self.shard_size, len(self) - number * self.shard_size)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        images, labels = self.batch([index])
        return images[0], labels[0]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        return self.batch(indices)

    @staticmethod
    def collate(batch: Batch) -> Batch:
        """For `DataLoader(collate_fn=...)`: the batch is one already."""
        return batch

    def batch(self, indices: Sequence[int]) -> Batch:
        """The images ``(B, C, H, W)`` with these numbers, and their labels ``(B,)``.

        Raises:
            IndexError: there are not so many.
            ValueError: a file is cut short, or not what the manifest says.
        """
        where = np.asarray(indices, np.int64)
        if len(where) and not (where.min() >= 0 and where.max() < len(self)):
            raise IndexError(
                f"{self.folder} has the images 0 to {len(self) - 1}; got {where.min()} to "
                f"{where.max()}."
            )
        images = np.empty((len(where), *self.shape), self.manifest["dtype"])
        labels = np.empty(len(where), np.int64)
        memory = images.reshape(len(where), math.prod(self.shape)).view(np.uint8)  # (B, bytes)
        shards, rows = (part.tolist() for part in np.divmod(where, self.shard_size))
        for place, (number, row) in enumerate(zip(shards, rows, strict=True)):
            shard = self._open.get(number) or self._open_shard(number)
            shard.read(row, memory[place])
            labels[place] = shard.labels[row]
        stack = torch.from_numpy(native(images))
        return stack if self.transform is None else self.transform(stack), torch.from_numpy(labels)

    def _open_shard(self, number: int) -> _Shard:
        """Open one shard."""
        used = sum(one.size for one in self._open.values() if one.mapped is not None)
        self._open[number] = _Shard(
            self.folder,
            number,
            shape=(self._rows(number), *self.shape),
            dtype=self.manifest["dtype"],
            mappable=self._mappable - used,
            keep_open=len(self._open) < self._most_open,
        )
        return self._open[number]


class _Shard:
    """A file of images and its labels; kept open, or mapped if it has at most `mappable` bytes.

    Raises:
        ValueError: the file is not what `shape` and `dtype`, of the manifest, say.
    """

    def __init__(
        self,
        folder: Path,
        number: int,
        *,
        shape: tuple[int, ...],
        dtype: str,
        mappable: float,
        keep_open: bool,
    ) -> None:
        self.path = folder / f"images-{number:05d}.npy"
        self.labels = read_labels(folder, number, shape[0])
        self.mapped: NDArray[np.uint8] | None = None
        self._handle: int | None = None
        with self.path.open("rb") as stream:
            try:
                header = read_header(stream)
            except ValueError as error:
                raise ValueError(f"{self.path}: {error}. Make the set again.") from error
            check_header(self.path, header, shape, dtype)
            self.start, self.size = header.start, header.start + header.bytes
            if os.fstat(stream.fileno()).st_size < self.size:
                raise self._cut()
            if keep_open and self.size <= mappable:  # a map holds its file open
                self._map = mmap.mmap(stream.fileno(), self.size, access=mmap.ACCESS_READ)
                rows = np.frombuffer(self._map, np.uint8, header.bytes, header.start)
                self.mapped = rows.reshape(shape[0], -1)
            elif keep_open and hasattr(os, "preadv"):  # not on Windows
                self._handle = os.dup(stream.fileno())
                weakref.finalize(self, os.close, self._handle)

    def read(self, row: int, into: NDArray[np.uint8]) -> None:
        """Copy the bytes of one image into the memory given."""
        if self.mapped is not None:
            # To touch a page behind the end of a mapped file kills the process.
            if self._map.size() < self.size:
                raise self._cut()
            into[:] = self.mapped[row]
            return
        at = self.start + row * len(into)
        if self._handle is not None:
            # The place comes with the call, so processes can share the open file after a fork.
            done = os.preadv(self._handle, [into.data], at)
        else:
            with self.path.open("rb", buffering=0) as stream:
                stream.seek(at)
                done = stream.readinto(into)  # type: ignore[arg-type]
        if done != len(into):
            raise self._cut()

    def _cut(self) -> ValueError:
        return ValueError(f"{self.path} was cut short while it was read. Make the set again.")


def _most_open() -> int:
    """How many files are kept open, as opening one takes longer than reading an image.

    A quarter of what a process may have: 256 of 1024 on Linux, 64 of 256 on macOS.
    """
    try:
        import resource  # not on Windows
    except ModuleNotFoundError:
        return 100
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 4096 if limit == resource.RLIM_INFINITY else min(4096, max(1, limit // 4))


def _mappable_bytes() -> float:
    """How much may be mapped: nothing where the address space is limited, else everything."""
    try:
        import resource  # not on Windows
    except ModuleNotFoundError:
        return math.inf
    limited = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    return 0.0 if limited else math.inf

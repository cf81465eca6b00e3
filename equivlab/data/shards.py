"""Image sets that do not fit in memory: memory-mapped shards with a manifest.

A set is a folder of ``images-00000.npy``, ``labels-00000.npy``, ... and a ``manifest.json`` with
what they were made of and their checksums. Every file is written beside its place and moved
there when it is whole, so after a kill at any moment the same call goes on and ends in the same
bytes. Nothing is pickled, and ``numpy.load(file, mmap_mode="r")`` opens every file.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

__all__ = ["ShardedImages", "verify_shards"]

FORMAT = "equivlab-shards-1"
OPEN_FILES = 100  # kept open, as opening a file takes longer than reading an image; macOS has 256
Batch = tuple[Tensor, Tensor]


def sha256_of(path: Path) -> str:
    """The checksum of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a small file, whole or not at all."""
    temporary = path.with_name(f".{path.name}-{os.getpid()}.part")
    with temporary.open("w") as stream:
        stream.write(json.dumps(content, indent=1) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a set of shards.

    Raises:
        FileNotFoundError: the folder has none.
        ValueError: it is of another kind.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no set of shards in {folder}: it has no manifest.json. Write one with "
            "equivlab.data.write_shards or simulate_to_shards."
        )
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
        known = manifest["format"] == FORMAT
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise ValueError(
            f"{path} is no manifest of {FORMAT}. Delete the folder and write it again."
        )
    return manifest


def _files(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {name: file for shard in manifest["shards"] for name, file in shard["files"].items()}


def damaged_files(folder: Path, manifest: Mapping[str, Any], checksums: bool) -> dict[str, str]:
    """What is wrong, by file name: missing, cut short, or (with `checksums`) altered."""
    damage = {}
    for name, file in _files(manifest).items():
        path = folder / name
        if not path.is_file():
            damage[name] = "missing"
        elif path.stat().st_size != file["bytes"]:
            damage[name] = f"{path.stat().st_size:,} bytes instead of {file['bytes']:,}"
        elif checksums and sha256_of(path) != file["sha256"]:
            damage[name] = "altered (another checksum)"
    return damage


def _refuse(folder: Path, damage: Mapping[str, str]) -> None:
    if damage:
        named = "; ".join(f"{name}: {what}" for name, what in damage.items())
        raise ValueError(
            f"{folder} has {len(damage)} damaged files: {named}. Delete them and make the set "
            "again with the same call: whole shards are kept."
        )


def verify_shards(folder: str | os.PathLike[str]) -> int:
    """Read every file of a set and compare its checksum.

    Returns:
        The number of files compared.

    Raises:
        FileNotFoundError: there is no set.
        ValueError: files are missing, cut short or altered; the message names each.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    _refuse(folder, damaged_files(folder, manifest, checksums=True))
    return len(_files(manifest))


class ShardedImages(Dataset[Batch]):
    """Images on disk, of which only the batch asked for comes into memory.

    Args:
        folder: where `write_shards` put them.
        transform: applied to each batch ``(B, C, H, W)``, for example `scale_each`.
        mapped_mb: megabytes of shards that are mapped into the address space; all others are
            read image by image, which is slower. Mapped pages are the system's cache, which
            takes them back at will, but they are counted as memory of the process. By default
            all, and none where the address space is limited.

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
        wanted = -(-self.manifest["count"] // self.shard_size)
        if len(self.manifest["shards"]) != wanted:
            raise ValueError(
                f"{self.folder} is unfinished: its writing was interrupted. Make the same call "
                "again; it goes on where it stopped."
            )
        _refuse(self.folder, damaged_files(self.folder, self.manifest, checksums=False))

    def __len__(self) -> int:
        count: int = self.manifest["count"]
        return count

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}  # each process maps for itself

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image, ``(C, H, W)``."""
        return tuple(self.manifest["shape"])

    def labels(self) -> Tensor:
        """All labels, ``(N,)``."""
        shards = range(len(self.manifest["shards"]))
        parts = [np.load(self.folder / f"labels-{n:05d}.npy", allow_pickle=False) for n in shards]
        return torch.from_numpy(np.concatenate(parts)).long()

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
        stack = torch.from_numpy(images)
        return stack if self.transform is None else self.transform(stack), torch.from_numpy(labels)

    def _open_shard(self, number: int) -> _Shard:
        """Open one shard."""
        used = sum(one.size for one in self._open.values() if one.mapped is not None)
        few = len(self._open) < OPEN_FILES
        self._open[number] = _Shard(self.folder, number, self._mappable - used, few)
        return self._open[number]


class _Shard:
    """A file of images, mapped if it has no more than `mappable` bytes, and its labels."""

    def __init__(self, folder: Path, number: int, mappable: float, keep_open: bool) -> None:
        self.path = folder / f"images-{number:05d}.npy"
        self.labels = np.load(folder / f"labels-{number:05d}.npy", allow_pickle=False)
        self.size = self.path.stat().st_size
        self.mapped: NDArray[np.uint8] | None = None
        self._handle: int | None = None
        if self.size <= mappable:
            mapped = np.load(self.path, mmap_mode="r", allow_pickle=False)
            rows = mapped.reshape(len(mapped), -1).view(np.uint8)
            self.mapped = np.ndarray(rows.shape, rows.dtype, rows)  # memmap slices slowly
        elif keep_open and hasattr(os, "preadv"):  # not on Windows
            self._handle = os.open(self.path, os.O_RDONLY)
            weakref.finalize(self, os.close, self._handle)

    def read(self, row: int, into: NDArray[np.uint8]) -> None:
        """Copy the bytes of one image into the memory given."""
        if self.mapped is not None:
            into[:] = self.mapped[row]
            return
        at = self.size - (len(self.labels) - row) * len(into)  # the last image ends the file
        if self._handle is not None:
            # The place comes with the call, so processes can share the open file after a fork.
            done = os.preadv(self._handle, [into.data], at)
        else:
            with self.path.open("rb", buffering=0) as stream:
                stream.seek(at)
                done = stream.readinto(into)  # type: ignore[arg-type]
        if done != len(into):
            raise ValueError(f"{self.path} was cut short while it was read. Make the set again.")


def _mappable_bytes() -> float:
    """How much may be mapped: nothing where the address space is limited, else everything."""
    try:
        import resource  # not on Windows
    except ModuleNotFoundError:
        return math.inf
    limited = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    return 0.0 if limited else math.inf

"""One shard written: made in pieces, each checked, on a disk that is asked for room first."""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from equivlab.data.arrays import in_words, native
from equivlab.data.sets.manifest import damaged_files, sha256_of, write_json

__all__ = ["Job", "write_one"]

PIECE = 32  # images made at a time: what a worker holds in memory
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Job:
    """What a worker needs for any shard; it travels to another process.

    Attributes:
        folder: of the set.
        make: gives images and labels for numbers.
        classes: names of the labels, or none.
        shape: of one image.
        dtype: of all images, in the machine's byte order.
    """

    folder: Path
    make: Callable[[Sequence[int]], tuple[Any, Any]]
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def probed(
        cls,
        folder: Path,
        make: Callable[[Sequence[int]], tuple[Any, Any]],
        classes: tuple[str, ...],
    ) -> Job:
        """A job with the shape and dtype of image 0."""
        images, _ = make([0])
        shape, dtype = np.shape(images)[1:], str(native(np.asarray(images)[:0]).dtype)
        job = cls(folder, make, classes, shape, dtype)
        job.check([0], images, np.zeros(1, np.int64))
        return job

    def made(self, numbers: Sequence[int]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The images with these numbers and their labels, checked, in native byte order."""
        images, labels = self.make(numbers)
        self.check(numbers, images, labels)
        return native(images), np.ascontiguousarray(labels, np.int64)

    def check(self, numbers: Sequence[int], images: Any, labels: Any) -> None:
        """Refuse what would not come back as it was made.

        Raises:
            TypeError: no arrays, or a masked one.
            ValueError: another number, shape or kind of images or labels.
        """
        for what, array in (("images", images), ("labels", labels)):
            if isinstance(array, np.ma.MaskedArray):
                raise TypeError(
                    f"make gave a masked array of {what}; a set keeps no masks. Fill it: "
                    ".filled(0), and keep the mask as a channel if it matters."
                )
            if not isinstance(array, np.ndarray):
                raise TypeError(
                    f"make gives NumPy arrays; its {what} are {type(array).__name__}. "
                    "Use .numpy() or numpy.array."
                )
        here = f"{len(numbers)} images from number {numbers[0]}"
        if images.dtype.kind == "c":
            raise ValueError(
                f"make gave complex images ({images.dtype}). Give what you mean: .real, abs(), or "
                "real and imaginary parts as two channels."
            )
        if images.dtype.kind not in "buif" or images.dtype.itemsize > 8:
            raise ValueError(f"make gives images of numbers; it gave {images.dtype}.")
        wanted = (len(numbers), *self.shape)
        if images.shape != wanted or native(images[:0]).dtype != np.dtype(self.dtype):
            raise ValueError(
                f"make was asked for {here}, {wanted} of {self.dtype} as image 0; it gave "
                f"{images.shape} of {images.dtype}."
            )
        if labels.shape != wanted[:1] or labels.dtype.kind not in "bui":
            raise ValueError(
                f"make was asked for {here}, and so for whole labels {wanted[:1]}; it gave "
                f"{labels.shape} of {labels.dtype}."
            )
        if labels.min() < 0:
            raise ValueError(f"Labels are the numbers of classes, 0, 1, ...; got {labels.min()}.")
        if self.classes and labels.max() >= len(self.classes):
            raise ValueError(
                f"The classes {', '.join(self.classes)} have the labels 0 to "
                f"{len(self.classes) - 1}; make gave {labels.min()} to {labels.max()}."
            )


def write_one(job: Job, number: int, span: tuple[int, int]) -> int:
    """One shard: images, labels, and last the note that makes it count.

    Raises:
        OSError: no room; nothing of this shard is left.
    """
    start, stop = span
    names = {kind: f"{kind}-{number:05d}.npy" for kind in ("images", "labels")}
    draft = uuid.uuid4().hex  # processes of two containers may have one number
    parts = {kind: job.folder / f".{name}-{draft}.part" for kind, name in names.items()}
    try:
        with parts["images"].open("wb") as images, parts["labels"].open("wb") as labels:
            _begin(images, (stop - start, *job.shape), job.dtype)
            _begin(labels, (stop - start,), "int64")
            known = _copy_known(job, number, span, images, labels)
            for at in range(known, stop, PIECE):
                pixels, classes = job.made(range(at, min(at + PIECE, stop)))
                images.write(np.ascontiguousarray(pixels).data)
                labels.write(classes.data)
            for stream in (images, labels):
                stream.flush()
                os.fsync(stream.fileno())
        files = {
            names[kind]: {"bytes": part.stat().st_size, "sha256": sha256_of(part)}
            for kind, part in parts.items()
        }
        for kind, part in parts.items():
            os.replace(part, job.folder / names[kind])
        write_json(job.folder / f"shard-{number:05d}.json", {"span": [start, stop], "files": files})
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        wanted = (stop - start) * (int(np.prod(job.shape)) * np.dtype(job.dtype).itemsize + 8)
        raise OSError(
            error.errno,
            f"there is no room for shard {number} in {job.folder}: it takes {in_words(wanted)}, "
            f"and {in_words(shutil.disk_usage(job.folder).free)} are free ({error.strerror}). "
            "What is whole stays: make room and make the same call again",
        ) from error
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return stop - start


def _copy_known(
    job: Job, number: int, span: tuple[int, int], images: IO[bytes], labels: IO[bytes]
) -> int:
    """Copy the images of a shard that was the last of a smaller set; the first still to be made."""
    start, stop = span
    note = job.folder / f"shard-{number:05d}.json"
    if not note.is_file():
        return start
    said = json.loads(note.read_text())
    end: int = said["span"][1]
    if end >= stop or damaged_files(job.folder, {"shards": [said]}, checksums=True):
        return start
    for kind, stream in (("images", images), ("labels", labels)):
        there = np.load(job.folder / f"{kind}-{number:05d}.npy", "r", allow_pickle=False)
        for at in range(0, len(there), PIECE):
            stream.write(np.ascontiguousarray(there[at : at + PIECE]).data)
    return end


def _begin(stream: IO[bytes], shape: tuple[int, ...], dtype: str) -> None:
    """Write the header, and ask for the room of all that follows."""
    kind = np.dtype(dtype)
    said = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, said)
    stream.flush()
    if hasattr(os, "posix_fallocate"):
        try:
            size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
            os.posix_fallocate(stream.fileno(), stream.tell(), size)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            # A file system that cannot promise room will tell when it is written.

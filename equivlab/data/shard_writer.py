"""Write a set of shards: in parallel, with a progress bar, resumable after a kill."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equivlab.data.shards import (
    FORMAT,
    ShardedImages,
    damaged_files,
    read_manifest,
    sha256_of,
    write_json,
)

__all__ = ["write_shards"]

Make = Callable[[Sequence[int]], tuple[NDArray[Any], NDArray[np.int64]]]
PIECE = 32  # images made at a time: what a worker holds in memory


@dataclass(frozen=True)
class _Job:
    """What a worker needs for one shard; it travels to another process."""

    folder: Path
    make: Make
    shape: tuple[int, ...]
    dtype: str


def write_shards(
    folder: str | os.PathLike[str],
    make: Make,
    count: int,
    about: Mapping[str, Any],
    *,
    shard_size: int = 1024,
    workers: int = 1,
    progress: bool = True,
) -> ShardedImages:
    """Make `count` images and write them as shards; go on where an earlier call stopped.

    The bytes do not depend on `workers`, nor on kills in between, as long as `make` gives the
    same image for the same number.

    Args:
        folder: where to; made if needed.
        make: ``make(numbers) -> images (B, C, H, W), labels (B,)``; with several workers a
            function of a module (or a `functools.partial` of one), as it travels to them.
        count: how many images.
        about: what they are made of, kept in the manifest; a resumed call must have the same.
        shard_size: images in a file.
        workers: processes; 1 works in this one.
        progress: show a bar.

    Returns:
        The finished set.

    Raises:
        ValueError: no images, or the folder holds a set of something else.
        OSError: the disk is full or read-only; what is whole stays.
    """
    if count < 1 or shard_size < 1 or workers < 1:
        raise ValueError(
            "write_shards takes count, shard_size and workers of 1 or more; got "
            f"{count}, {shard_size} and {workers}."
        )
    folder = Path(folder)
    first, _ = make([0])
    plan = {
        "format": FORMAT,
        "count": count,
        "shard_size": shard_size,
        "shape": list(first.shape[1:]),
        "dtype": str(first.dtype),
        "about": dict(about),
        "shards": [],
    }
    if _take_up(folder, plan):
        _forget(folder)
        return ShardedImages(folder)
    job = _Job(folder, make, first.shape[1:], str(first.dtype))
    spans = [(n, min(n + shard_size, count)) for n in range(0, count, shard_size)]
    notes = [folder / f"shard-{n:05d}.json" for n in range(len(spans))]
    todo = [n for n, note in enumerate(notes) if not _is_whole(folder, note)]
    kept = sum(spans[n][1] - spans[n][0] for n in range(len(spans)) if n not in set(todo))
    from tqdm.auto import tqdm  # late: it is an extra

    with tqdm(total=count, initial=kept, unit="image", disable=not progress) as bar:
        for made in _run(job, todo, spans, workers):
            bar.update(made)
    shards = [_note(note) for note in notes]
    write_json(folder / "manifest.json", plan | {"shards": shards})
    _forget(folder)
    return ShardedImages(folder)


def _take_up(folder: Path, plan: Mapping[str, Any]) -> bool:
    """Begin a set, or check that the one in the folder is the same; is it finished?"""
    folder.mkdir(parents=True, exist_ok=True)
    for part in folder.glob(".*.part"):  # what a kill left
        part.unlink(missing_ok=True)
    if not (folder / "manifest.json").exists():
        if any(folder.glob("*.npy")):
            raise ValueError(f"{folder} holds other .npy files. Give an empty folder.")
        write_json(folder / "manifest.json", plan)
        return False
    found = read_manifest(folder)
    wanted = json.loads(json.dumps(plan))  # tuples become lists, as in the file
    other = [key for key in wanted if key != "shards" and found.get(key) != wanted[key]]
    if other:
        raise ValueError(
            f"{folder} holds another set: {', '.join(other)} differ, for example "
            f"{other[0]}={found.get(other[0])!r} there and {wanted[other[0]]!r} here. Give "
            "another folder, or delete it."
        )
    if not found["shards"]:
        return False
    damage = damaged_files(folder, found, checksums=False)
    if not damage:
        return True
    for number, shard in enumerate(found["shards"]):  # finished once: whole shards are kept
        if not any(name in damage for name in shard["files"]):
            write_json(folder / f"shard-{number:05d}.json", shard)
    write_json(folder / "manifest.json", plan)
    return False


def _forget(folder: Path) -> None:
    """Remove the notes of single shards: the manifest has them all."""
    for note in folder.glob("shard-*.json"):
        note.unlink(missing_ok=True)


def _note(path: Path) -> dict[str, Any]:
    note: dict[str, Any] = json.loads(path.read_text())
    return note


def _is_whole(folder: Path, note: Path) -> bool:
    return note.is_file() and not damaged_files(folder, {"shards": [_note(note)]}, checksums=False)


def _run(
    job: _Job, todo: Sequence[int], spans: Sequence[tuple[int, int]], workers: int
) -> Iterator[int]:
    """Write the shards `todo`; the number of images in each as it is done."""
    if workers == 1 or len(todo) < 2:
        for number in todo:
            yield _write_one(job, number, spans[number])
        return
    # A fresh process, not a fork: forking a process with threads can lock up.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _follow_parent, (os.getpid(),))
    with pool:
        futures = [pool.submit(_write_one, job, n, spans[n]) for n in todo]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _follow_parent(parent: int) -> None:
    """End this worker when the process that started it is gone, killed or not."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _write_one(job: _Job, number: int, span: tuple[int, int]) -> int:
    """One shard: images, labels, and last the note that makes it count."""
    start, stop = span
    names = {kind: f"{kind}-{number:05d}.npy" for kind in ("images", "labels")}
    parts = {kind: job.folder / f".{name}-{os.getpid()}.part" for kind, name in names.items()}
    shape = (stop - start, *job.shape)
    images = np.lib.format.open_memmap(parts["images"], "w+", job.dtype, shape)
    labels = np.lib.format.open_memmap(parts["labels"], "w+", np.int64, shape[:1])
    for at in range(start, stop, PIECE):
        here = slice(at - start, min(at + PIECE, stop) - start)
        images[here], labels[here] = job.make(range(at, min(at + PIECE, stop)))
    images.flush()  # to the disk
    labels.flush()
    del images, labels
    files = {
        names[kind]: {"bytes": part.stat().st_size, "sha256": sha256_of(part)}
        for kind, part in parts.items()
    }
    for kind, part in parts.items():
        os.replace(part, job.folder / names[kind])
    write_json(job.folder / f"shard-{number:05d}.json", {"span": [start, stop], "files": files})
    return stop - start

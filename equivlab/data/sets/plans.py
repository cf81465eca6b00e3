"""What a set of shards is to be, and what of it lies in the folder: begun, taken up, finished."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equivlab.data.sets.manifest import FORMAT, damaged_files, read_manifest, write_json
from equivlab.data.sets.pieces import Job

__all__ = [
    "Make",
    "Source",
    "Workers",
    "drop_drafts",
    "finish",
    "planned",
    "spans_of",
    "take_up",
    "to_do",
]

Make = Callable[[Sequence[int]], tuple[NDArray[Any], NDArray[np.int64]]]
Plan = dict[str, Any]
Workers = int | Executor


@dataclass(frozen=True)
class Source:
    """An endless set of images, of which `write_part` writes the first.

    Attributes:
        make: ``make(numbers) -> images (B, C, H, W), labels (B,)``.
        about: what they are made of.
        classes: the names of the labels 0, 1, ...
    """

    make: Make
    about: Mapping[str, Any]
    classes: tuple[str, ...] = ()


def planned(
    folder: Path, source: Source, count: int, shard_size: int, workers: Workers
) -> tuple[Job, Plan]:
    """What the workers need, and the manifest of a set without its shards.

    Raises:
        TypeError: `about` is no JSON, or `make` gives no arrays, or masked ones.
        ValueError: no images, or names of classes that are not different texts.
    """
    count, shard_size = operator.index(count), operator.index(shard_size)
    if count < 1 or shard_size < 1 or (isinstance(workers, int) and workers < 1):
        raise ValueError(
            "write_shards takes count, shard_size and workers of 1 or more; got "
            f"{count}, {shard_size} and {workers}."
        )
    classes = tuple(source.classes)
    if len(set(classes)) < len(classes) or not all(isinstance(name, str) for name in classes):
        raise ValueError(f"write_shards takes different names of classes; got {classes}.")
    about = dict(source.about)
    try:
        json.dumps(about)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"about is kept as JSON, so it takes texts, numbers, lists and dictionaries ({error}). "
            "Of NumPy's values take .item() or .tolist()."
        ) from error
    job = Job.probed(folder, source.make, classes)
    plan = {
        "format": FORMAT,
        "count": count,
        "shard_size": shard_size,
        "shape": list(job.shape),
        "dtype": job.dtype,
        "classes": list(classes),
        "about": about,
        "shards": [],
    }
    return job, plan


def spans_of(plan: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The first image of each shard, and the one after its last."""
    count, size = plan["count"], plan["shard_size"]
    return [(start, min(start + size, count)) for start in range(0, count, size)]


def take_up(folder: Path, plan: Plan) -> bool:
    """Begin a set, go on with it or let it grow; is it finished? The folder is locked meanwhile.

    A set grows where nothing but `count` is larger than it was: whole shards stay.

    Raises:
        ValueError: the folder holds something else, or a larger set.
    """
    if not (folder / "manifest.json").exists():
        if any(folder.glob("*.npy")):
            raise ValueError(f"{folder} holds other .npy files. Give an empty folder.")
        write_json(folder / "manifest.json", plan)
        return False
    found = read_manifest(folder)
    _refuse_another(folder, found, plan)
    grows = found["count"] < plan["count"]
    if not (grows or found["shards"]):
        return False
    damage = damaged_files(folder, found, checksums=False)
    if not (grows or damage):
        return True
    for number, shard in enumerate(found["shards"]):  # finished once: whole shards are kept
        if not any(name in damage for name in shard["files"]):
            write_json(_note_of(folder, number), shard)
    write_json(folder / "manifest.json", plan)
    return False


def _refuse_another(folder: Path, found: Mapping[str, Any], plan: Plan) -> None:
    wanted = json.loads(json.dumps(plan))  # tuples become lists, as in the file
    if "classes" not in found:  # written before sets had names of their own
        del wanted["classes"]
    other = [key for key in wanted if key != "shards" and found.get(key) != wanted[key]]
    if other == ["count"]:
        if found["count"] < wanted["count"]:
            return
        raise ValueError(
            f"{folder} holds the same set with {found['count']:,} images, more than "
            f"{wanted['count']:,}. Take the first of them, Batches(ShardedImages(folder), "
            f"torch.arange({wanted['count']})), or give another folder."
        )
    if other:
        raise ValueError(
            f"{folder} holds another set: {', '.join(other)} differ, for example "
            f"{other[0]}={found.get(other[0])!r} there and {wanted[other[0]]!r} here. Give "
            "another folder, or delete it."
        )


def to_do(folder: Path, plan: Plan) -> list[int]:
    """The shards that are not there, or not whole."""
    return [n for n, span in enumerate(spans_of(plan)) if not _is_whole(folder, n, span)]


def _is_whole(folder: Path, number: int, span: tuple[int, int]) -> bool:
    try:
        note = _read(_note_of(folder, number))
    except FileNotFoundError:
        return False
    return note["span"] == list(span) and not damaged_files(
        folder, {"shards": [note]}, checksums=False
    )


def finish(folder: Path, plan: Plan) -> None:
    """Write the manifest of all shards; the notes of single shards go."""
    notes = [_note_of(folder, number) for number in range(len(spans_of(plan)))]
    write_json(folder / "manifest.json", plan | {"shards": [_read(note) for note in notes]})
    forget(folder)


def forget(folder: Path) -> None:
    """Remove the notes of single shards: the manifest has them all."""
    for note in folder.glob("shard-*.json"):
        note.unlink(missing_ok=True)


def drop_drafts(folder: Path, numbers: Collection[int] | None = None) -> None:
    """Remove what a kill left of these shards, or of everything."""
    for part in folder.glob(".*-*.part"):
        named = re.match(r"\.(?:images|labels|shard)-(\d+)\.", part.name)
        if numbers is None or (named and int(named[1]) in numbers):
            part.unlink(missing_ok=True)


def _note_of(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05d}.json"


def _read(path: Path) -> dict[str, Any]:
    note: dict[str, Any] = json.loads(path.read_text())
    return note

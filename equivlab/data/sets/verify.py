"""Is every file of a set what it was when it was written? Each that is not is named."""

from __future__ import annotations

import os
from pathlib import Path

from equivlab.data.arrays import read_header
from equivlab.data.sets.folders import FolderImages
from equivlab.data.sets.manifest import (
    check_header,
    damaged_files,
    files_of,
    read_labels,
    read_manifest,
    refuse_damage,
)
from equivlab.data.sets.reading import read_image
from equivlab.data.sets.shards import ShardedImages

__all__ = ["verify_folder", "verify_shards"]

NAMED = 20  # files in a message


def verify_shards(folder: str | os.PathLike[str]) -> int:
    """Read every file of a set and compare its checksum, and its header with the manifest.

    Returns:
        The number of files compared.

    Raises:
        FileNotFoundError: there is no set.
        ValueError: it is unfinished, or files are missing, cut short, altered or of another
            shape, dtype, byte order or order of axes; the message names each.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    refuse_damage(folder, damaged_files(folder, manifest, checksums=True))
    images = ShardedImages(folder)  # says so where it is unfinished
    classes = images.classes
    for number, shard in enumerate(manifest["shards"]):
        rows = shard["span"][1] - shard["span"][0]
        labels = read_labels(folder, number, rows)
        if labels.min() < 0 or (classes and labels.max() >= len(classes)):
            raise ValueError(
                f"{folder} has the classes {', '.join(classes) or '0, 1, ...'}, and shard {number} "
                f"labels from {labels.min()} to {labels.max()}. Make the set again."
            )
        path = folder / f"images-{number:05d}.npy"
        with path.open("rb") as stream:
            check_header(path, read_header(stream), (rows, *images.shape), manifest["dtype"])
    return len(files_of(manifest))


def verify_folder(folder: str | os.PathLike[str]) -> str:
    """Verify a set of shards by its checksums, or a folder of classes by reading every image.

    Returns:
        A line that says what was found, for people.

    Raises:
        FileNotFoundError: there is neither.
        ValueError: something is damaged; the message names it.
    """
    folder = Path(folder)
    if (folder / "manifest.json").is_file():
        files = verify_shards(folder)
        images: ShardedImages | FolderImages = ShardedImages(folder)
        done = f"{files} files with the right checksums"
    else:
        images = FolderImages(folder)
        broken = []
        for path, _ in images.files:
            try:
                read_image(path)
            except ValueError as error:
                broken.append(str(error))
        if broken:
            more = f" and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
            raise ValueError(
                f"{folder} has {len(broken)} files that cannot be read: "
                f"{' '.join(broken[:NAMED])}{more}"
            )
        done = "every one could be read"
    counts = images.labels().bincount(minlength=len(images.classes)).tolist()
    names = images.classes or [f"class {n}" for n in range(len(counts))]
    each = ", ".join(f"{name} {count:,}" for name, count in zip(names, counts, strict=True))
    return f"{folder}: {len(images):,} images ({each}); {done}."

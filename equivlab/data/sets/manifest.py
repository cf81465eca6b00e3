"""The manifest of a set of shards: what it says, and whether the files are what it says."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equivlab.data.arrays import Header, read_header, read_numbers

__all__ = [
    "FORMAT",
    "class_names",
    "damaged_files",
    "files_of",
    "read_labels",
    "read_manifest",
    "refuse_damage",
    "sha256_of",
    "write_json",
]

FORMAT = "equivlab-shards-1"
LONGEST = 64_000_000  # bytes of a manifest: some hundred thousand shards


def sha256_of(path: Path) -> str:
    """The checksum of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a small file, whole or not at all."""
    temporary = path.with_name(f".{path.name}-{os.getpid()}.part")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(content, indent=1) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a set of shards.

    Raises:
        FileNotFoundError: the folder has none.
        ValueError: it is of another kind, or damaged.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no set of shards in {folder}: it has no manifest.json. Write one with "
            "equivlab.data.write_shards or simulate_to_shards."
        )
    try:
        if path.stat().st_size > LONGEST:
            raise ValueError("too long")
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = manifest["format"] == FORMAT and _is_sound(manifest)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        known = False
    if not known:
        raise ValueError(
            f"{path} is no manifest of {FORMAT}. Delete the folder and write it again."
        )
    return manifest


def _is_sound(manifest: Mapping[str, Any]) -> bool:
    """Whether all that is read from a manifest later is of the right kind."""
    count, size, shape = manifest["count"], manifest["shard_size"], manifest["shape"]
    numbers = all(type(n) is int and 1 <= n < 2**48 for n in (count, size, *shape))
    kind = np.dtype(manifest["dtype"])
    shards = manifest["shards"]
    if not (numbers and kind.kind in "buif" and isinstance(manifest["about"], dict)):
        return False
    if len(shards) not in (0, -(-count // size)):
        return False
    row = math.prod(shape) * kind.itemsize
    for number, shard in enumerate(shards):
        span, files = [number * size, min((number + 1) * size, count)], shard["files"]
        images, labels = (f"{what}-{number:05d}.npy" for what in ("images", "labels"))
        rows = span[1] - span[0]
        # A manifest that promises more than its files can hold would make readers take memory.
        held = files[images]["bytes"] > rows * row and files[labels]["bytes"] > rows * 8
        texts = all(isinstance(file["sha256"], str) for file in files.values())
        if shard["span"] != span or set(files) != {images, labels} or not (held and texts):
            return False
    return True


def class_names(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the labels 0, 1, ...; empty for a set without. Older sets: in `about`."""
    for found in (manifest.get("classes"), manifest["about"].get("classes")):
        if isinstance(found, list) and found and all(isinstance(name, str) for name in found):
            return tuple(found)
    return ()


def files_of(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Bytes and checksum of each file, by name."""
    return {name: file for shard in manifest["shards"] for name, file in shard["files"].items()}


def damaged_files(folder: Path, manifest: Mapping[str, Any], checksums: bool) -> dict[str, str]:
    """What is wrong, by file name: missing, cut short, or (with `checksums`) altered."""
    damage = {}
    for name, file in files_of(manifest).items():
        path = folder / name
        if not path.is_file():
            damage[name] = "missing"
        elif path.stat().st_size != file["bytes"]:
            damage[name] = f"{path.stat().st_size:,} bytes instead of {file['bytes']:,}"
        elif checksums and sha256_of(path) != file["sha256"]:
            damage[name] = "altered (another checksum)"
    return damage


def refuse_damage(folder: Path, damage: Mapping[str, str]) -> None:
    """Raise a `ValueError` that names each damaged file, if there are any."""
    if damage:
        named = "; ".join(f"{name}: {what}" for name, what in damage.items())
        raise ValueError(
            f"{folder} has {len(damage)} damaged files: {named}. Delete them and make the set "
            "again with the same call: whole shards are kept."
        )


def check_header(path: Path, header: Header, shape: tuple[int, ...], dtype: str) -> None:
    """Compare what a file says about itself with what the manifest says.

    Raises:
        ValueError: another shape, dtype, byte order, or order of axes.
    """
    if header.shape != shape or header.dtype != np.dtype(dtype) or header.fortran:
        order = "Fortran" if header.fortran else "C"
        raise ValueError(
            f"{path} holds {header.shape} of {header.dtype.str} in {order} order; its manifest "
            f"says {shape} of {np.dtype(dtype).str} in C order. Delete the file and make the set "
            "again with the same call: whole shards are kept."
        )


def read_labels(folder: Path, number: int, rows: int) -> NDArray[np.int64]:
    """The labels of one shard, ``(rows,)``.

    Raises:
        ValueError: the file is not what the manifest says.
    """
    path = folder / f"labels-{number:05d}.npy"
    try:
        with path.open("rb") as stream:
            header = read_header(stream)
            check_header(path, header, (rows,), "int64")
            return read_numbers(stream, header)
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path} is no file of labels: {error}. Make the set again.") from error

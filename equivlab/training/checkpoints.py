"""The checkpoints of a run: whole or not at all, with a checksum, the last two and the best.

``last.ckpt`` is the run after its newest epoch, ``previous.ckpt`` after the one before, and
``best.ckpt`` the epoch with the best validation AUC (of equal ones the one with the lowest loss).
Each is a file of `torch.save` without pickled code, so ``torch.load(path, weights_only=True)``
opens it; at its end, in the comment that the zip format has a place for, stands the SHA-256 of what
comes before.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import warnings
from pathlib import Path
from typing import Any

import torch

__all__ = ["newest", "read_checkpoint", "verify_run", "write_checkpoint"]

BEST, LAST, PREVIOUS = "best.ckpt", "last.ckpt", "previous.ckpt"
MARK = b"equivlab sha256 "
TAIL = len(MARK) + 64  # of the comment
Content = dict[str, Any]


def write_checkpoint(checkpoint: Content, path: Path, keep: Path | None = None) -> None:
    """Write beside `path`, to the disk, and only then take its place.

    Args:
        checkpoint: tensors, numbers and names.
        path: the file.
        keep: where the one before goes, if it is to stay.

    Raises:
        OSError: it could not be written; what was there before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}-{os.getpid()}.part")
    content = io.BytesIO()  # to a full disk `torch.save` would raise what says nothing of it
    torch.save(checkpoint, content)
    checksum = hashlib.sha256(content.getbuffer()).hexdigest()
    content.seek(-2, os.SEEK_END)  # the length of the comment, 0 until now
    content.write(TAIL.to_bytes(2, "little") + MARK + checksum.encode())
    try:
        with part.open("wb") as stream:
            stream.write(content.getbuffer())
            stream.flush()
            os.fsync(stream.fileno())
        if keep is not None and path.exists():
            os.replace(path, keep)
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise OSError(
            error.errno,
            f"Could not write the checkpoint {path}: {error.strerror}. Those of before are "
            "untouched. Free some space; the same call goes on.",
        ) from error


def read_checkpoint(path: Path) -> Content:
    """A checkpoint on the CPU.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is empty, cut short, or altered.
    """
    content = path.read_bytes()
    damage = _damage(content)
    if not damage:
        try:
            found: Content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # whatever a damaged file without a checksum leads to
            said = str(error).splitlines() or [type(error).__name__]
            damage = f"torch.load says {said[0][:120]}"
        else:
            if not isinstance(found, dict):
                damage = f"it holds a {type(found).__name__}, and no run"
    if damage:
        raise ValueError(f"{path} is damaged: {damage}.")
    return found


def _damage(content: bytes) -> str:
    """What is wrong with a file's bytes; nothing is known of one without our mark."""
    if not content:
        return "it is empty"
    if content[-TAIL : -TAIL + len(MARK)] != MARK:
        whole = content[-22:-18] == b"PK\x05\x06" and content[-2:] == b"\0\0"  # no comment
        return "" if whole else "it is cut short, or no checkpoint"
    bare = content[: -TAIL - 2] + b"\0\0"
    if hashlib.sha256(bare).hexdigest().encode() != content[-64:]:
        return "it was altered (another checksum)"
    return ""


def newest(folder: Path) -> tuple[Path, Content] | None:
    """The newest checkpoint of a run that can be read, or None for a new run.

    Raises:
        ValueError: there are checkpoints, but none can be read; each is named.
    """
    faults = []
    for path in (folder / LAST, folder / PREVIOUS):
        try:
            content = read_checkpoint(path)
        except FileNotFoundError:
            faults.append(f"{path} is missing.")
        except ValueError as error:
            faults.append(str(error))
        else:
            if faults:
                warnings.warn(f"{faults[0]} The run goes on from {path}.", stacklevel=3)
            return path, content
    if all(fault.endswith("is missing.") for fault in faults):
        return None
    raise ValueError(
        f"{' '.join(faults)} So the run cannot go on: copy one of them from where it is whole, or "
        f"delete {folder} to begin anew."
    )


def verify_run(folder: Path) -> str:
    """Read every checkpoint of a run and compare its checksum.

    Returns:
        A line that says what was found, for people.

    Raises:
        FileNotFoundError: the folder has none.
        ValueError: some are damaged; each is named.
    """
    found, faults = {}, []
    for path in (folder / name for name in (LAST, PREVIOUS, BEST)):
        try:
            found[path.name] = read_checkpoint(path)
        except FileNotFoundError:
            continue
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise ValueError(f"{' '.join(faults)} Whole: {', '.join(found) or 'none'}.")
    if not found:
        raise FileNotFoundError(f"There is no run in {folder}: it has no {LAST}.")
    epochs = ", ".join(f"{name} of epoch {one.get('epoch', 0) + 1}" for name, one in found.items())
    return f"{folder}: {len(found)} checkpoints with the right checksums ({epochs})."

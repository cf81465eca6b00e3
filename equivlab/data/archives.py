"""The one way in which equivlab reads an ``.npz`` archive that it did not write itself."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from equivlab.data.arrays import Header, in_words, kind_of, read_header, read_numbers
from equivlab.data.paths import check_file

__all__ = ["MOST_IN_ALL", "array_headers", "read_arrays"]

MOST_IN_ALL = 2**29
"""What the arrays asked for may take together: 537 MB."""

ZIP = b"PK\x03\x04"


def array_headers(path: Path, what: str, *, instead: str) -> dict[str, Header | str]:
    """What an ``.npz`` file holds, by name: a header, or why an array cannot be read.

    Args and errors as `read_arrays`; no array is read.
    """
    with _opened(path, what, instead) as archive:
        found: dict[str, Header | str] = {}
        for name, member in _members(archive).items():
            try:
                with archive.open(member) as stream:
                    found[name] = read_header(stream)
            except ValueError as reason:
                found[name] = str(reason)
        return found


def read_arrays(
    path: Path,
    names: Iterable[str] | None,
    what: str,
    *,
    instead: str,
    most_bytes: int = MOST_IN_ALL,
) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays `names` of an ``.npz`` file; nothing in it is ever unpickled.

    Shapes, dtypes and sizes are read from the headers before memory is taken, as a file of a
    few megabytes can announce, and unpack to, any size.

    Args:
        path: the file.
        names: of the arrays that must be there, and that are read; None for all there are.
        what: what the file should hold, for the message, for example ``'ModelNet10'``.
        instead: what the user can do, for the message.
        most_bytes: of all these arrays together.

    Returns:
        The arrays, in the machine's byte order.

    Raises:
        FileNotFoundError: no such file.
        ValueError: empty, cut short, not an archive, one without these arrays, or with arrays
            that are too large or no plain numbers.
    """
    with _opened(path, what, instead) as archive:
        members = _members(archive)
        wanted = list(members) if names is None else list(names)
        missing = [name for name in wanted if name not in members]
        if missing:
            raise ValueError(
                f"it holds {', '.join(members) or 'nothing'}, not {', '.join(missing)}"
            )
        total, found = 0, {}
        for name in wanted:
            with archive.open(members[name]) as stream:
                header = _checked_header(stream, members[name], name)
            total += header.bytes
            if total > most_bytes:
                raise ValueError(
                    f"its array {name} is {header.shape} of {header.dtype.name}, and with it the "
                    f"arrays take {in_words(total)}; {in_words(most_bytes)} are allowed"
                )
        for name in wanted:
            with archive.open(members[name]) as stream:
                found[name] = read_numbers(stream, read_header(stream))
                stream.read(1)  # at its end the archive checks what it has read
        return found


def _checked_header(stream: Any, member: zipfile.ZipInfo, name: str) -> Header:
    try:
        header = read_header(stream)
    except ValueError as reason:
        raise ValueError(f"its array {name} cannot be read: {reason}") from reason
    there = member.file_size - header.start
    if there != header.bytes:
        raise ValueError(
            f"its array {name} announces {header.bytes:,} bytes and has {there:,}: it is cut short"
        )
    return header


@contextmanager
def _opened(path: Path, what: str, instead: str) -> Iterator[zipfile.ZipFile]:
    """The archive; whatever goes wrong in it is told with its name and the remedy."""
    try:
        check_file(path, what)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error} {instead}") from error
    except ValueError as error:
        raise ValueError(f"{str(error).replace(' file: ', ' archive: ')} {instead}") from error
    try:
        with path.open("rb") as stream:
            beginning = stream.read(len(ZIP))
            if beginning != ZIP:
                raise ValueError(f"it is {kind_of(beginning)}, whatever its name says")
            with zipfile.ZipFile(stream) as archive:
                yield archive
    except Exception as error:  # a broken archive fails in many ways, all with one remedy
        raise ValueError(f"{path} is no {what} archive: {error}. {instead}") from error


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The arrays by name."""
    members = {}
    for member in archive.infolist():
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{member.filename} is compressed in a way that NumPy does not use")
        if member.flag_bits & 1:
            raise ValueError(f"{member.filename} is locked by a password")
        if member.filename.endswith(".npy"):
            members[member.filename.removesuffix(".npy")] = member
    return members

"""Arrays in NumPy's own format, read with care: the header first, nothing unpickled.

What a file *says* it holds costs nothing to write, so shape, dtype and size are read from the
header and checked before memory is taken. Reasons are phrases ("it is cut short ..."), to which
the caller adds the file's name and what can be done.
"""

from __future__ import annotations

import ast
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MOST_BYTES",
    "Header",
    "check_size",
    "in_words",
    "kind_of",
    "native",
    "read_header",
    "read_npy",
    "read_numbers",
]

MAGIC = b"\x93NUMPY"
LONGEST_HEADER = 10_000  # NumPy's own limit: more could stall the parser
LONGEST_NAME = 255
PIECE = 1 << 20  # bytes read at a time
MOST_BYTES = 2**28
"""What one image, or one shape, may take: 268 MB, for example 8192² numbers of float32."""

KINDS = (
    (MAGIC, "an .npy file"),
    (b"PK\x03\x04", "a zip archive, as .npz files are"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"BM", "a BMP picture"),
    (b"SIMPLE  =", "a FITS file"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"BZh", "compressed by bzip2"),
    (b"\x80", "a pickle"),
)


@dataclass(frozen=True)
class Header:
    """What an ``.npy`` file says about itself.

    Attributes:
        shape: of the array.
        dtype: of its numbers, byte order included.
        fortran: whether the first axis runs fastest.
        start: where the numbers begin, in bytes.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    start: int

    @property
    def values(self) -> int:
        """How many numbers."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Of all the numbers."""
        return self.values * self.dtype.itemsize


def in_words(count: int | float) -> str:
    """A number of bytes for people.

    >>> in_words(999), in_words(9_600_000_000)
    ('999 bytes', '9.6 GB')
    """
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:,} bytes"


def kind_of(beginning: bytes) -> str:
    """What a file looks like by its first bytes, for a message."""
    for magic, kind in KINDS:
        if beginning.startswith(magic):
            return kind
    if beginning.isascii() and beginning.decode().isprintable():
        return "a text"
    return "something else"


def read_header(stream: IO[bytes]) -> Header:
    """The header of an ``.npy`` stream, which is left at the first number.

    Raises:
        ValueError: empty, cut, foreign, or no plain real numbers; the message is the reason.
    """
    beginning = stream.read(10)
    if not beginning:
        raise ValueError("it is empty")
    if not beginning.startswith(MAGIC):
        raise ValueError(f"it is {kind_of(beginning)}, whatever its name says")
    version = beginning[6:8]
    rest = {b"\x01\x00": 0, b"\x02\x00": 2, b"\x03\x00": 2}.get(version)
    if rest is None:
        raise ValueError("its header cannot be read")
    length = beginning[8:] + stream.read(rest)
    if len(length) != 2 + rest:
        raise ValueError("it is cut short within its header")
    (size,) = struct.unpack("<I" if rest else "<H", length)
    if size > LONGEST_HEADER:
        raise ValueError(f"its header has {size:,} bytes, of which {LONGEST_HEADER:,} are allowed")
    text = stream.read(size)
    if len(text) != size:
        raise ValueError("it is cut short within its header")
    try:
        said = ast.literal_eval(
            text.decode("utf-8" if version == b"\x03\x00" else "latin1").strip(" \n")
        )
        if set(said) != {"descr", "fortran_order", "shape"}:
            raise ValueError("other entries")
        shape, order = said["shape"], said["fortran_order"]
        dtype = np.lib.format.descr_to_dtype(said["descr"])
    except Exception as error:  # a broken header fails in many ways, all with one remedy
        raise ValueError("its header cannot be read") from error
    whole = isinstance(shape, tuple) and all(type(n) is int and 0 <= n < 2**63 for n in shape)
    if not whole or len(shape) > 32 or not isinstance(order, bool):
        raise ValueError("its header cannot be read")
    _check_dtype(dtype)
    return Header(shape, dtype, order, 8 + len(length) + size)


def _check_dtype(dtype: np.dtype[Any]) -> None:
    if dtype.hasobject:
        raise ValueError("it holds pickled objects, which can run code when they are opened")
    if dtype.names:
        raise ValueError(
            f"it holds named fields ({', '.join(dtype.names)[:LONGEST_NAME]}); save one of them: "
            f"numpy.save(new, numpy.load(old)[{dtype.names[0][:LONGEST_NAME]!r}])"
        )
    if dtype.kind == "c":
        raise ValueError(
            "it holds complex numbers; save what you mean: the real part, the modulus, or real "
            "and imaginary parts as two channels"
        )
    if dtype.kind not in "buif":
        raise ValueError(f"it holds {dtype.name or dtype}, and no numbers")


def read_numbers(stream: IO[bytes], header: Header) -> NDArray[Any]:
    """The numbers that `header` announces, in the machine's byte order and in C order.

    Raises:
        ValueError: there are fewer; the message is the reason.
    """
    flat = np.empty(header.values, header.dtype)
    if header.values:
        memory = flat.view(np.uint8).data
        done = 0
        while done < len(memory):
            piece = stream.read(min(PIECE, len(memory) - done))
            if not piece:
                raise ValueError(
                    f"it is cut short: it has {done:,} of the {len(memory):,} bytes of numbers "
                    f"that its header announces, {header.shape} of {header.dtype.name}"
                )
            memory[done : done + len(piece)] = piece
            done += len(piece)
    array = flat.reshape(header.shape, order="F" if header.fortran else "C")
    return np.ascontiguousarray(native(array)).reshape(header.shape)


def native(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in the machine's own byte order: FITS files are big-endian."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def read_npy(path: Path, most_bytes: int = MOST_BYTES) -> NDArray[Any]:
    """The array of an ``.npy`` file.

    Raises:
        ValueError: it is none, or larger than `most_bytes`; the message is the reason.
    """
    with path.open("rb") as stream:
        header = read_header(stream)
        there = os.fstat(stream.fileno()).st_size - header.start
        check_size(header.shape, header.dtype, most_bytes)
        if there < header.bytes:
            raise ValueError(
                f"it is cut short: it has {there:,} of the {header.bytes:,} bytes of numbers that "
                f"its header announces, {header.shape} of {header.dtype.name}"
            )
        return read_numbers(stream, header)


def check_size(shape: tuple[int, ...], dtype: np.dtype[Any], most_bytes: int) -> None:
    """Refuse what would take more memory than is allowed, as stored or as float32.

    Raises:
        ValueError: it would; the message is the reason.
    """
    wanted = math.prod(shape) * max(4, dtype.itemsize)
    if wanted > most_bytes:
        raise ValueError(
            f"it announces {shape} of {dtype.name}, which take {in_words(wanted)}; "
            f"{in_words(most_bytes)} are allowed"
        )

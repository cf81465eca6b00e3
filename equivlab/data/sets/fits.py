"""Images in FITS files, telescopes' own format (Wells, Greisen & Harten, 1981)."""

from __future__ import annotations

import bz2
import gzip
import io
import re
import warnings
from importlib import import_module
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from equivlab.data.arrays import PIECE, check_size, in_words, kind_of, native
from equivlab.imports import needs_extra

__all__ = ["is_fits", "read_fits"]

NAME = re.compile(r"\.(fits|fit|fts)(\.(gz|bz2|fz))?$", re.IGNORECASE)
BEGINNING = b"SIMPLE  ="
HEADERS = 2880 * 1000  # bytes of headers and small tables that a compressed file may have beside
BITS = (8, 16, 32, 64, -32, -64)


def is_fits(name: str) -> bool:
    """Whether a file is called as FITS files are: ``.fits``, ``.fit``, ``.fts``, perhaps packed.

    >>> [is_fits(name) for name in ("a.FTS", "a.fits.fz", "a.fit.bz2", "a.png", "fits")]
    [True, True, True, False, False]
    """
    return NAME.search(name) is not None


def read_fits(path: Path, most_bytes: int) -> NDArray[Any]:
    """The first image of a FITS file, of two axes or more, in the machine's byte order.

    Raises:
        ModuleNotFoundError: astropy is not installed.
        ValueError: there is none, or it is broken, complex or too large; the message is the
            reason.
    """
    with needs_extra("data", f"The FITS file {path}"):
        fits = import_module("astropy.io.fits")
    with path.open("rb") as stream, warnings.catch_warnings():
        # What astropy warns of (a file that is cut, a card that is odd) fails below or is harmless.
        warnings.simplefilter("ignore")
        source = _unpacked(stream, most_bytes)
        with fits.open(source, memmap=False, lazy_load_hdus=True) as units:
            for unit in units:
                if unit.is_image and len(unit.shape) >= 2:
                    _check(unit, source, most_bytes)
                    return _numbers(unit.data)
    raise ValueError("it holds no image, only tables or headers")


def _unpacked(stream: IO[bytes], most_bytes: int) -> IO[bytes]:
    """The file itself, or what gzip or bzip2 unpack from it, up to a size."""
    beginning = stream.read(len(BEGINNING))
    stream.seek(0)
    if beginning == BEGINNING:
        return stream
    if beginning.startswith(b"\x1f\x8b"):
        packed: IO[bytes] = cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
    elif beginning.startswith(b"BZh"):
        packed = bz2.BZ2File(stream)
    else:
        raise ValueError(f"it is {kind_of(beginning)}, whatever its name says")
    with packed:
        whole = io.BytesIO()
        while piece := packed.read(PIECE):
            whole.write(piece)
            if whole.tell() > most_bytes + HEADERS:
                raise ValueError(
                    f"it unpacks to more than {in_words(most_bytes + HEADERS)}, which are allowed"
                )
    whole.seek(0)
    if not whole.getbuffer()[: len(BEGINNING)] == BEGINNING:
        raise ValueError("what is packed in it is no FITS file")
    return whole


def _check(unit: Any, stream: IO[bytes], most_bytes: int) -> None:
    """The size that the header announces, that of a tile if it has tiles, and what is there."""
    bits = unit.header.get("BITPIX")
    if bits not in BITS:
        raise ValueError(f"its header has BITPIX = {bits!r}, which FITS does not know")
    if any(type(n) is not int or n < 1 for n in unit.shape):
        raise ValueError(f"its image has the shape {unit.shape}")
    stored = np.dtype(f"u{abs(bits) // 8}")
    check_size(tuple(unit.shape), stored, most_bytes)
    check_size(tuple(getattr(unit, "tile_shape", ())), stored, most_bytes)
    there = stream.seek(0, io.SEEK_END) - unit.fileinfo()["datLoc"]
    if there < unit.size:
        raise ValueError(f"it is cut short: it has {there:,} of {unit.size:,} bytes of its image")


def _numbers(data: Any) -> NDArray[Any]:
    if data is None:
        raise ValueError("its image is empty")
    array = np.asarray(data)
    if array.dtype.kind not in "buif":
        raise ValueError(f"it holds {array.dtype.name}, and no real numbers")
    return native(array)

"""The bytes of a widget's state made small for a page, without losing one of them.

Maps are smooth and frames alike, so differences between neighbors are small numbers, which pack
well: a third of the bytes of a picture's atlas remain. ``page/packing.js`` undoes it.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

__all__ = ["packed", "row_lengths"]

SMALL = 4096  # bytes, of which nothing is gained
TRIED = 1 << 20  # bytes by which the way is chosen


def packed(data: str, rows: list[int]) -> dict[str, Any]:
    """Some bytes, packed if that makes them smaller.

    Args:
        data: the bytes in base64.
        rows: lengths in bytes that a row of pixels may have.

    Returns:
        ``{"data": base64}`` as it was, or packed with ``"lags"``: at these distances, one after
        the other, a byte is the difference from the one before, modulo 256.
    """
    raw = np.frombuffer(base64.b64decode(data), np.uint8)
    if len(raw) < SMALL:
        return {"data": data}
    ways = [[], [1], *([1, row] for row in rows if 1 < row < len(raw))]
    head = raw[:TRIED]
    lags = min(ways, key=lambda way: len(zlib.compress(_differences(head, way), 1)))
    small = zlib.compress(_differences(raw, lags), 6)
    if len(small) >= len(raw):
        return {"data": data}
    return {"data": base64.b64encode(small).decode(), "lags": lags}


def row_lengths(values: Mapping[str, Any], most: int = 12) -> list[int]:
    """The numbers in a widget's values that may be the length of a row, the first `most`."""
    return list(dict.fromkeys(each for each in _numbers(values) if 8 <= each <= 512))[:most]


def _numbers(value: object) -> Iterator[int]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _numbers(each)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value


def _differences(raw: np.ndarray[Any, np.dtype[np.uint8]], lags: list[int]) -> bytes:
    for lag in lags:
        raw = np.concatenate([raw[:lag], raw[lag:] - raw[:-lag]])
    return raw.tobytes()

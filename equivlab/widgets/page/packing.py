"""The bytes of a widget's state made small for a page, without losing one of them.

Maps are smooth and frames alike, so differences between neighbors are small numbers, which pack
well: a third of the bytes of a plain network's atlas remain. Of an equivariant one most frames
follow from others, so that a twentieth remains. ``page/packing.js`` undoes it.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from equivlab.widgets.page.foretelling import foretold

__all__ = ["packed", "row_lengths"]

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
SMALL = 4096  # bytes, of which nothing is gained
TRIED = 1 << 20  # bytes by which the way is chosen


def packed(data: str, rows: list[int], spec: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Some bytes, packed if that makes them smaller.

    Args:
        data: the bytes in base64.
        rows: lengths in bytes that a row of pixels may have.
        spec: of an atlas, which kinds of frames it has; see `foretold`.

    Returns:
        ``{"data": base64}`` as it was, or packed with ``"lags"``: at these distances, one after
        the other, a byte is the difference from the one before, modulo 256; and with ``"turns"``
        where frames are differences from what others foretell.
    """
    raw = np.frombuffer(base64.b64decode(data), np.uint8)
    if len(raw) < SMALL:
        return {"data": data}
    kinds: list[tuple[Bytes, dict[str, Any]]] = [(raw, {})]
    if spec and (found := foretold(raw, spec)):
        kinds.insert(0, (found[0], {"turns": found[1]}))  # first: it may gain nothing at the start
    lags = [[], [1], *([1, row] for row in rows if 1 < row < len(raw))]
    ways = [(bytes_, {"lags": one, **known}) for bytes_, known in kinds for one in lags]
    tried = [len(zlib.compress(_differences(one[:TRIED], way["lags"]), 1)) for one, way in ways]
    bytes_, way = ways[tried.index(min(tried))]
    small = zlib.compress(_differences(bytes_, way["lags"]), 6)
    if len(small) >= len(raw):
        return {"data": data}
    return {"data": base64.b64encode(small).decode(), **way}


def row_lengths(values: Mapping[str, Any], most: int = 12) -> list[int]:
    """The numbers in a widget's values that may be the length of a row, the first `most`."""
    return list(dict.fromkeys(each for each in _numbers(values) if 8 <= each <= 512))[:most]


def _numbers(value: object) -> Iterator[int]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _numbers(each)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value


def _differences(raw: Bytes, lags: list[int]) -> bytes:
    for lag in lags:
        raw = np.concatenate([raw[:lag], raw[lag:] - raw[:-lag]])
    return raw.tobytes()

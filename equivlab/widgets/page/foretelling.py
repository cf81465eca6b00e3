"""Frames that follow from others: where the law holds exactly, a quarter turn adds nothing new.

The maps of an equivariant network for a picture turned by 90° more are those before, turned, in
other places. So of 72 frames 18 say it all, and the others are left with their small differences
from what is foretold, nearly always 0; mirrored frames as well. ``page/packing.js`` undoes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["foretold"]

Bytes = NDArray[np.uint8]


def foretold(raw: Bytes, spec: Mapping[str, Any]) -> tuple[Bytes, dict[str, Any]] | None:
    """The bytes of an atlas less what the frames a quarter turn before, or unmirrored, foretell.

    Args:
        raw: maps in the order image, mirror, step, channel, orientation, row, column.
        spec: says how many of each there are.

    Returns:
        As many bytes, and what a page must know to undo it; None where they are no such atlas.
    """
    shape = _shape(len(raw), spec)
    if shape is None:
        return None
    maps = raw.reshape(shape)  # (N, M, T, C, G, h, h)
    quarter = shape[2] // 4
    turned = np.rot90(maps, 1, (-2, -1))[:, 0]
    to = _places(maps[:1, 0, quarter : 2 * quarter], turned[:1, :quarter])
    left = maps.copy()
    left[:, 0, quarter:] -= turned[:, :-quarter][:, :, :, to]
    known: dict[str, Any] = {"shape": shape, "quarter": to}
    if shape[1] == 2:
        before = -np.arange(shape[2]) % shape[2]  # a mirror turns the sense of rotation round
        flipped = maps[:, 0, before, ..., ::-1]
        known["mirror"] = to = _places(maps[:1, 1], flipped[:1])
        left[:, 1] -= flipped[:, :, :, to]
    return left.ravel(), known


def _shape(size: int, spec: Mapping[str, Any]) -> list[int] | None:
    names = ("images", "mirrors", "steps", "orientations", "side")
    if spec.get("hexagons") or not all(isinstance(spec.get(name), int) for name in names):
        return None
    images, mirrors, steps, orientations, side = (int(spec[name]) for name in names)
    one = images * mirrors * steps * orientations * side**2
    if steps % 4 or mirrors > 2 or not one or size % one:
        return None
    return [images, mirrors, steps, size // one, orientations, side, side]


def _places(wanted: Bytes, given: Bytes) -> list[int]:
    """For each orientation of `wanted` that of `given` which is most like it, ``(…, G, h, h)``."""
    count = wanted.shape[-3]

    def off(one: int, other: int) -> int:
        pair = wanted[..., one, :, :].astype(np.int16), given[..., other, :, :]
        return int(np.abs(pair[0] - pair[1]).sum())

    return [min(range(count), key=lambda other: off(one, other)) for one in range(count)]

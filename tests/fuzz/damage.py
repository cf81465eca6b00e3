"""Damage to files: what disks, networks and people with bad intentions do to them."""

from __future__ import annotations

import re
import struct

import numpy as np

EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**62, 2**64 - 1)
WORDS = (
    b"-1",
    b"0",
    b"99999999",
    b"4000000000",
    b"9" * 25,
    b"nan",
    b"1e999",
    b"()",
    b"'O'",
    b"True",
)


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """The file after one to four accidents."""
    for _ in range(int(rng.integers(1, 5))):
        content = ACCIDENTS[int(rng.integers(len(ACCIDENTS)))](content, rng)
    return content


def _place(content: bytes, rng: np.random.Generator) -> int:
    """Any place; headers, which decide what is done, more often."""
    reach = len(content) if rng.random() < 0.5 else min(len(content), 400)
    return int(rng.integers(reach)) if reach else 0


def _flip(content: bytes, rng: np.random.Generator) -> bytes:
    if not content:
        return content
    at = _place(content, rng)
    return content[:at] + bytes([content[at] ^ (1 << int(rng.integers(8)))]) + content[at + 1 :]


def _cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: _place(content, rng)]


def _lose(content: bytes, rng: np.random.Generator) -> bytes:
    at = _place(content, rng)
    return content[:at] + content[at + int(rng.integers(1, 64)) :]


def _insert(content: bytes, rng: np.random.Generator) -> bytes:
    at = _place(content, rng)
    return content[:at] + rng.bytes(int(rng.integers(1, 64))) + content[at:]


def _zeros(content: bytes, rng: np.random.Generator) -> bytes:
    at, size = _place(content, rng), int(rng.integers(1, 512))
    return content[:at] + bytes(min(size, len(content) - at)) + content[at + size :]


def _repeat(content: bytes, rng: np.random.Generator) -> bytes:
    at, size = _place(content, rng), int(rng.integers(1, 512))
    return content[: at + size] + content[at:]


def _number(content: bytes, rng: np.random.Generator) -> bytes:
    """An extreme number in binary."""
    at = _place(content, rng)
    size = int(rng.choice([1, 2, 4, 8]))
    order = "<>"[int(rng.integers(2))]
    value = EXTREMES[int(rng.integers(len(EXTREMES)))] % 2 ** (8 * size)
    number = struct.pack(order + {1: "B", 2: "H", 4: "I", 8: "Q"}[size], value)
    return content[:at] + number + content[at + size :]


def _word(content: bytes, rng: np.random.Generator) -> bytes:
    """Another number in a text, of the same width where it fits."""
    spots = [m.span() for m in re.finditer(rb"\d+", content[:4000])]
    if not spots:
        return _flip(content, rng)
    start, end = spots[int(rng.integers(len(spots)))]
    word = WORDS[int(rng.integers(len(WORDS)))]
    if rng.random() < 0.5 and content[end : end + 30].isspace():
        end += min(30, len(word))
    return content[:start] + word + content[end:]


ACCIDENTS = (_flip, _flip, _cut, _lose, _insert, _zeros, _repeat, _number, _number, _word, _word)

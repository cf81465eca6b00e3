"""How many fields a twin has where the plain network has channels.

With ``C`` channels and a group of order ``n``: ``'fields'`` takes ``C`` fields, each channel a
field; ``'width'`` takes ``C/n``, as many maps; ``'parameters'`` about ``C/√n``, since a layer from
``I`` to ``O`` fields has ``n·I·O`` filters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from equivlab.transfer.twin.reading import Call, Reading

__all__ = ["Match", "Widths", "constraints", "last_layers"]

Match = Literal["parameters", "width", "fields"]
MIXING = ("Conv2d", "ConvTranspose2d", "Linear", "conv2d", "conv_transpose2d", "linear", "Conv1d")


@dataclass(frozen=True)
class Widths:
    """Fields for channels.

    Attributes:
        scale: fields for each channel, before they are rounded.
        multiples: by which the fields for a number of channels are to be divided.
        pieces: of numbers of channels that are cut into equal pieces, how large these are.
    """

    scale: float
    multiples: dict[int, int] = field(default_factory=dict)
    pieces: dict[int, int] = field(default_factory=dict)

    def __call__(self, channels: int) -> int:
        """Fields that stand for so many channels: at least one."""
        piece = self.pieces.get(channels)
        if piece is not None:
            return channels // piece * self(piece)
        whole = self.multiples.get(channels, 1)
        return max(1, round(self.scale * channels / whole)) * whole


def mixes(call: Call, reading: Reading) -> bool:
    """Whether a call makes new channels; a depthwise convolution keeps each by itself."""
    if call.name not in MIXING or not call.refs():
        return False
    ins = reading.shape(call.refs()[0])[1]
    return not (groups_of(call) == ins == call.shapes[0][1] and ins > 1)


def groups_of(call: Call) -> int:
    """Blocks of channels that a convolution keeps apart."""
    if call.layer is not None:
        return int(getattr(call.layer, "groups", 1))
    place = {"conv2d": 6, "conv_transpose2d": 6}.get(call.name, 99)
    return int(call.kwargs.get("groups", call.args[place] if len(call.args) > place else 1))


def constraints(reading: Reading) -> tuple[dict[int, int], dict[int, int]]:
    """By what fields must be divided, and into which equal pieces they are cut.

    For grouped convolutions, norms of blocks, and chunks.
    """
    multiples: dict[int, int] = {}
    pieces: dict[int, int] = {}

    def want(channels: int, divisor: int) -> None:
        multiples[channels] = math.lcm(multiples.get(channels, 1), divisor)

    for call in reading.calls:
        refs = call.refs()
        if not refs or len(reading.shape(refs[0])) < 2:
            continue
        ins, outs = reading.shape(refs[0])[1], call.shapes[0][1:2]
        groups, blocks = groups_of(call), getattr(call.layer, "num_groups", 1)
        if 1 < groups < ins and outs:
            want(ins, groups)
            want(outs[0], groups)
        if 1 < blocks < ins:
            want(ins, blocks)
        cuts = call.name in ("chunk", "split", "tensor_split") and len({*call.shapes}) == 1
        if cuts and outs and outs[0] < ins and ins % outs[0] == 0:
            pieces[ins] = outs[0]
    for whole in sorted(pieces, reverse=True):
        count, piece = whole // pieces[whole], pieces[whole]
        divisor = multiples.get(whole, 1)
        want(piece, divisor // math.gcd(divisor, count))
    return multiples, pieces


def last_layers(reading: Reading) -> set[int]:
    """The calls that make what the network gives, of which no other channels are made any more.

    Their channels are kept, as class scores. What is added to something that has to have another
    width is none of them.
    """
    mixing = {n for n, call in enumerate(reading.calls) if mixes(call, reading)}
    later = [False] * len(reading.calls)
    for n in reversed(range(len(reading.calls))):
        for ref in reading.calls[n].refs():
            if ref.call >= 0 and (n in mixing or later[n]):
                later[ref.call] = True
    last = {n for n in mixing if not later[n]}
    origins: list[set[int]] = []
    for n, call in enumerate(reading.calls):
        parts = [origins[ref.call] if ref.call >= 0 else set[int]() for ref in call.refs()]
        origins.append({n} if n in mixing else set().union(*parts))
    for _ in reading.calls:
        before = len(last)
        for n, call in enumerate(reading.calls):
            together = len(call.refs()) > 1 and n not in mixing
            if together and origins[n] - last:
                last -= origins[n]
        if len(last) == before:
            break
    return last

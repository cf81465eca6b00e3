"""Where the kernel is faster than the ordinary convolution: bounds that were read off tables.

It spares products, and pays for gathering and for butterflies; against a convolution with vectors
of 512 bits (the tables of one such machine) few fields do not come out even. Where processor and
torch have vectors of 256 bits, nearly all layers do. ``docs/notes/compiled-kernel.md`` has both.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from equivlab.fields import RegularMaps, ScalarMaps
from equivlab.groups import PointGroup
from equivlab.nn.planar.compiled.finer import finer
from equivlab.nn.planar.compiled.library import load

__all__ = ["Layer", "pays"]


class Layer(Protocol):
    """What is asked of a layer here."""

    out_channels: int
    kernel_size: int
    stride: int
    margins: tuple[int, int]
    reach: int

    @property
    def in_field(self) -> ScalarMaps | RegularMaps:
        """What the layer takes."""


class Sizes(NamedTuple):
    """A convolution as the kernel sees it.

    Attributes:
        mirrors: whether the group is P4M, else P4.
        copies: how many fields of that one of a finer group is.
        kernel_size: side of the filters.
        stride: step in pixels.
        batch: images.
        fields: of the input or of the output, whichever has fewer; of an image's, the output.
        channels: of an image; else fields of the input.
        pixels: of an output map.
        work: multiplications of the ordinary way.
        learning: with gradients more is to be done that is not multiplying.
    """

    mirrors: bool
    copies: int
    kernel_size: int
    stride: int
    batch: int
    fields: int
    channels: int
    pixels: int
    work: int
    learning: bool

    @property
    def maps(self) -> int:
        """Of the output of a layer that lifts: fields times orientations."""
        return self.fields * (8 if self.mirrors else 4)


def pays(layer: Layer, x: Tensor, learning: bool) -> bool:
    """Whether the kernel is faster, by what was measured on one thread.

    Args:
        layer: a planar convolution, of a group that the kernel knows.
        x: its maps.
        learning: with a record for gradients.
    """
    frame = (layer.stride, sum(layer.margins) - layer.reach)
    sizes = (layer.out_channels, layer.kernel_size, frame, learning)
    return _pays(layer.in_field.group, x.shape, *sizes, short_vectors())


@lru_cache(maxsize=1)
def short_vectors() -> bool:
    """Whether kernel and torch both have vectors of 256 bits, on a processor that has no longer."""
    found = load()
    longer = getattr(torch.cpu, "_is_avx512_supported", lambda: True)
    return found is not None and found.name == "avx2" and not longer()


@lru_cache(maxsize=1024)
def _pays(
    group: PointGroup,
    shape: tuple[int, ...],
    outs: int,
    kernel_size: int,
    frame: tuple[int, int],
    learning: bool,
    short: bool,
) -> bool:
    tables = finer(group)
    if tables is None:
        return False
    lifts = len(shape) == 4
    batch, ins, sizes = shape[0], shape[1] * (1 if lifts else tables.copies), shape[-2:]
    outs, order = outs * tables.copies, tables.order
    stride, margins = frame
    rows, columns = ((size + margins) // stride + 1 for size in sizes)
    pixels = rows * columns
    work = batch * pixels * ins * outs * kernel_size**2 * order * (1 if lifts else order)
    given = Sizes(
        order == 8,
        tables.copies,
        kernel_size,
        stride,
        batch,
        outs if lifts else min(ins, outs),
        ins,
        pixels,
        work,
        learning,
    )
    if lifts:
        return (_lifted_with_short_vectors if short else _lifted_with_long_vectors)(given)
    if tables.copies > 1:  # fewer filters are expanded
        return _copies_with_short_vectors(given) if short else _copies_with_long_vectors(given)
    return _with_short_vectors(given) if short else _with_long_vectors(given)


def _with_long_vectors(s: Sizes) -> bool:
    k = s.kernel_size
    if s.stride > 1:  # neighbours in the output are none in memory
        return s.mirrors and not s.learning and k > 1 and s.fields >= 32 and s.pixels >= 49
    if k == 1:  # filters of one tap have little to spare
        enough = s.mirrors or s.fields <= 16 or s.pixels >= 196
        many = s.batch >= 8 and s.pixels >= 25 and enough
        return many or (s.mirrors and not s.learning and s.work >= 1e7)
    if k > 3:  # in small maps most taps see only padding, which the ordinary way leaves out
        least = (k * k if s.mirrors else 196) * (2 if s.learning else 1)
        return s.pixels >= least and s.fields >= 4
    if s.mirrors:
        return s.work >= (1e6 if s.learning else 1e5)
    if not s.learning:
        return s.work >= 1e5 and s.batch * s.pixels >= 49
    if s.batch >= 8:  # small images are stacked, and fill the vectors
        return s.work >= 2e5 and (s.pixels >= 16 or s.fields <= 16)
    return s.pixels >= 49 and s.work >= 5e6


def _with_short_vectors(s: Sizes) -> bool:
    k, many = s.kernel_size, s.batch >= 8
    if k == 1:
        least = (8 if s.mirrors else 32) if s.learning else 8
        return s.stride == 1 and (many or s.fields >= least)
    if s.stride > 1:
        if not s.learning:
            return True
        if s.mirrors:
            return s.fields >= 8 and s.pixels >= 16
        return s.fields >= 8 and s.pixels >= (16 if many else 49)
    if k > 3 and 2 * s.pixels < k * k:
        return False
    return not s.learning or many or k > 3 or s.fields >= 4


def _copies_with_long_vectors(s: Sizes) -> bool:
    k = s.kernel_size
    if s.stride > 1:
        return _with_long_vectors(s)
    if k == 1:
        return False
    if not s.learning:
        if k <= 3:
            return s.work >= 1e6
        return s.fields >= 4 and s.pixels >= k * k + (0 if s.mirrors else 1)
    enough = s.pixels * s.fields >= (392 if s.mirrors else 1568) and (s.mirrors or s.pixels >= 196)
    return enough and (s.work >= (5e6 if s.mirrors else 1e7) if k <= 3 else s.fields >= 4)


def _copies_with_short_vectors(s: Sizes) -> bool:
    k = s.kernel_size
    if k == 1:
        return False
    if s.stride > 1:
        if s.mirrors:
            return s.fields >= 8 and s.pixels >= 16
        return (s.pixels >= 16 and s.fields >= 32) or (not s.learning and s.pixels >= 49)
    if k <= 3:
        if not s.learning:
            return s.work >= 1e6
        return s.work >= 1e6 and s.fields >= 8 if s.mirrors else s.work >= 7e6
    if s.learning and s.fields < 8:
        return False
    least = 196 if s.learning and not s.mirrors else k * k
    return s.pixels >= least + (0 if s.mirrors else 1)


def _lifted_with_long_vectors(s: Sizes) -> bool:
    if s.kernel_size < 5:
        return False
    if s.batch == 1:
        return True
    if not s.mirrors and s.copies == 1 and s.fields <= 8:
        return True
    # Of more images the ordinary way takes less for each, where maps are few or small.
    least = (400 if s.learning else 196) if s.channels >= 3 else 3136
    return s.pixels >= least and s.maps >= 64


def _lifted_with_short_vectors(s: Sizes) -> bool:
    if s.kernel_size < 5:  # mostly moving of numbers, which the ordinary way does as well
        return False
    if s.copies == 1:
        return s.fields >= 2
    if s.learning:
        return s.pixels >= 196 and s.fields >= 2 * s.copies
    return s.pixels >= 49 and s.batch * s.pixels * s.maps <= 250_000

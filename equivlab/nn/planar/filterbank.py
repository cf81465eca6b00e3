"""Filter banks: every filter in all its orientations, by one look-up.

The bank of a filter is its orbit: the copies ``act(g, filter)`` for all elements ``g``. On the
lattice of P4 and P4M the action only moves numbers about, so applying it once to the *positions*
0, 1, 2, … of a filter gives a list of indices, and the whole bank is one `torch.index_select`
through that list. Groups without a lattice turn coefficients instead:
`equivlab.nn.planar.steerable.bank`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

from equivlab.fields import RegularMaps, ScalarMaps

__all__ = [
    "Memo",
    "PixelOrbit",
    "channels_last_index",
    "expand_filters",
    "orbit_index",
]

Made = TypeVar("Made")


def orbit_index(field: ScalarMaps | RegularMaps, kernel_size: int) -> Tensor:
    """Where the numbers of a filter on `field` stand in its orientations.

    Args:
        field: what the filter looks at; a filter is as large as `kernel_size` pixels of it.
        kernel_size: side ``k`` of the square filter.

    Returns:
        Integers ``(G·I·A·k·k,)``, with ``A = 1`` on scalar and ``|G|`` on regular maps: one
        orientation after another, ``act(g, w).flatten() == w.flatten()[index.view(G, -1)[g]]``.
    """
    group = field.group
    axes = (group.order,) if isinstance(field, RegularMaps) else ()
    shape = (1, field.channels, *axes, kernel_size, kernel_size)
    positions = torch.arange(torch.Size(shape).numel()).view(shape)
    return torch.cat([field.act(g, positions).flatten() for g in group.elements])


def channels_last_index(index: Tensor, depth: int, kernel_size: int) -> Tensor:
    """The `orbit_index` of filters that are stored, and wanted, with their maps side by side.

    Args:
        index: positions ``(G·I·A·k·k,)`` in filters laid out as ``(I·A, k, k)``.
        depth: ``I·A``, the maps that a filter looks at.
        kernel_size: ``k``.

    Returns:
        Positions in filters laid out as ``(k, k, I·A)``, in that order, as many.
    """
    pixels = kernel_size**2
    place = torch.arange(depth * pixels, device=index.device).view(pixels, depth).T.flatten()
    return place[index].view(-1, depth, pixels).transpose(1, 2).flatten()


def expand_filters(weight: Tensor, index: Tensor, index_last: Tensor) -> Tensor:
    """The filter bank of `weight`, ready for `torch.nn.functional.conv2d`.

    Args:
        weight: filters ``(O, I·A, k, k)``.
        index: the `orbit_index` of the filters.
        index_last: their `channels_last_index`.

    Returns:
        ``(O·G, I·A, k, k)``; row ``o·|G| + g`` is filter ``o`` acted on by ``g``.
    """
    count, depth, side, _ = weight.shape
    if weight.is_contiguous():
        bank = weight.view(count, -1).index_select(1, index)  # (O, G·I·A·k·k)
        return bank.view(-1, depth, side, side)
    # Channels last, and the bank too, since the convolution wants both in one memory format:
    last = weight.permute(0, 2, 3, 1).flatten(1)  # (O, k·k·I·A)
    bank = last.index_select(1, index_last)  # (O, G·k·k·I·A)
    return bank.view(-1, side, side, depth).permute(0, 3, 1, 2)


class PixelOrbit:
    """Filters that have a number for each pixel, and groups that permute pixels.

    Args:
        field: what a filter looks at.
        kernel_size: side ``k`` of the square filters.

    Attributes:
        shape: of one filter's numbers, ``(I·A, k, k)``.
        names: of the tables, in the order in which `expand` takes them.
    """

    names = ("filter_index", "filter_index_last")

    def __init__(self, field: ScalarMaps | RegularMaps, kernel_size: int) -> None:
        depth = field.channels * (field.group.order if isinstance(field, RegularMaps) else 1)
        self.shape: tuple[int, ...] = (depth, kernel_size, kernel_size)
        self._field = field

    def tables(self) -> dict[str, Tensor]:
        """Where the numbers of a filter stand in its orientations."""
        depth, kernel_size, _ = self.shape
        index = orbit_index(self._field, kernel_size)
        last = channels_last_index(index, depth, kernel_size)
        return dict(zip(self.names, (index, last), strict=True))

    def expand(self, weight: Tensor, *tables: Tensor) -> Tensor:
        """The bank ``(O·G, I·A, k, k)`` of filters ``(O, I·A, k, k)``."""
        return expand_filters(weight, *tables)


class Memo(Generic[Made]):
    """Remembers what was made from the last weight seen, and cannot go stale.

    The key is the *content* of the weight: a bank of filters is used again only where that equals,
    number for number, the one that it was made from. An optimiser step, a `load_state_dict`, an
    edit of ``weight.data`` all change the content, so no hook and no flag has to notice them.
    Comparing costs a fraction of expanding, for it reads one orientation instead of all.
    """

    def __init__(self) -> None:
        # One attribute, replaced as a whole, so that threads never see half of it:
        # the weight and what was made from it.
        self._last: tuple[Tensor, Made] | None = None

    def recall(self, weight: Tensor, make: Callable[[Tensor], Made]) -> Made:
        """``make(weight)``, or what it gave last time for the same weight.

        Without gradient. Remembers on the CPU only: elsewhere comparing would wait for the device.
        A trace records how it is made, and so follows the weights.
        """
        if not weight.is_cpu or torch._C._get_tracing_state() is not None:
            return make(weight)
        last = self._last
        if last is not None and last[0].dtype is weight.dtype and last[0].equal(weight):
            return last[1]
        # Ordinary tensors even in inference_mode: what is kept may meet autograd later.
        with torch.inference_mode(False), torch.no_grad():
            seen = weight.detach().clone()
            made = make(seen)
        self._last = seen, made
        return made

    def __getstate__(self) -> dict[str, None]:
        return {"_last": None}  # a copy or a pickle starts empty

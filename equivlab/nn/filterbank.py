"""Filter banks: every filter in all its orientations, by one look-up.

The bank of a filter is its orbit: the copies ``act(g, filter)`` for all elements ``g``. The
action only moves numbers about, so applying it once to the *positions* 0, 1, 2, … of a filter
gives a list of indices, and the whole bank is one `torch.index_select` through that list.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from equivlab.fields import RegularMaps, ScalarMaps

__all__ = [
    "FilterBankMemo",
    "channels_last_index",
    "expand_filters",
    "is_channels_last",
    "orbit_index",
]


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


def is_channels_last(weight: Tensor) -> bool:
    """Are the filters stored with their maps side by side, and not also the usual way?"""
    return not weight.is_contiguous() and weight.is_contiguous(memory_format=torch.channels_last)


def expand_filters(
    weight: Tensor, bias: Tensor | None, filter_index: Tensor, bias_index: Tensor
) -> tuple[Tensor, Tensor | None]:
    """The filter bank of `weight` and its bias, ready for `torch.nn.functional.conv2d`.

    Args:
        weight: filters ``(O, I·A, k, k)``.
        bias: one number for each filter ``(O,)``, or None.
        filter_index: the `orbit_index` of the filters, in the memory format of `weight`.
        bias_index: that of the bias, each number ``G`` times: every orientation has the same.

    Returns:
        ``(O·G, I·A, k, k)`` and ``(O·G,)``; row ``o·|G| + g`` is filter ``o`` acted on by ``g``.
    """
    stacked = None if bias is None else bias.index_select(0, bias_index)
    if is_channels_last(weight):  # what the convolution wants then: it need not reorder
        last = weight.permute(0, 2, 3, 1)  # (O, k, k, I·A)
        bank = last.flatten(1).index_select(1, filter_index)  # (O, G·k·k·I·A)
        return bank.view(-1, *last.shape[1:]).permute(0, 3, 1, 2), stacked
    bank = weight.flatten(1).index_select(1, filter_index)  # (O, G·I·A·k·k)
    return bank.view(-1, *weight.shape[1:]), stacked


class FilterBankMemo:
    """Remembers the bank of the last weights seen, and cannot go stale.

    The key is the *content* of the weights: a bank is used again only where they equal, number
    for number, the ones it was made from. An optimiser step, a `load_state_dict`, an edit of
    ``weight.data`` all change the content, so no hook and no flag has to notice them.
    Comparing costs a fraction of expanding, for it reads one orientation instead of all.
    """

    def __init__(self) -> None:
        # One attribute, replaced as a whole, so that threads never see half of it:
        # the weight, the bias, and what was made from them.
        self._last: tuple[Tensor, Tensor | None, tuple[Tensor, Tensor | None]] | None = None

    def expand(
        self, weight: Tensor, bias: Tensor | None, filter_index: Tensor, bias_index: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """`expand_filters` of the same arguments, without gradient, perhaps from memory.

        Only on the CPU: elsewhere the comparison would wait for the device.
        """

        def make(weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
            return expand_filters(weight, bias, filter_index, bias_index)

        return self.recall(weight, bias, make)

    def recall(
        self,
        weight: Tensor,
        bias: Tensor | None,
        make: Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor | None]],
    ) -> tuple[Tensor, Tensor | None]:
        """``make(weight, bias)``, or what it gave last time for the same numbers."""
        if not weight.is_cpu:
            return make(weight, bias)
        last = self._last
        if last is not None and _same(last[0], weight) and _same(last[1], bias):
            return last[2]
        # Ordinary tensors even in inference_mode: what is kept may meet autograd later.
        with torch.inference_mode(False), torch.no_grad():
            seen = weight.detach().clone(), None if bias is None else bias.detach().clone()
            made = make(*seen)
        self._last = (*seen, made)
        return made

    def __getstate__(self) -> dict[str, None]:
        return {"_last": None}  # a copy or a pickle starts empty


def _same(a: Tensor | None, b: Tensor | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.dtype is b.dtype and torch.equal(a, b)

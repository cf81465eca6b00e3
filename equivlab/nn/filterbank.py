"""Filter banks: every filter in all its orientations, by one look-up.

The bank of a filter is its orbit: the copies ``act(g, filter)`` for all elements ``g``. The
action only moves numbers about, so applying it once to the *positions* 0, 1, 2, … of a filter
gives a list of indices, and the whole bank is one `torch.index_select` through that list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from equivlab.fields import RegularMaps, ScalarMaps

__all__ = [
    "FilterBankMemo",
    "channels_last_index",
    "expand_filters",
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


def expand_filters(
    weight: Tensor, bias: Tensor | None, index: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor | None]:
    """The filter bank of `weight` and its bias, ready for `torch.nn.functional.conv2d`.

    Args:
        weight: filters ``(O, I·A, k, k)``.
        bias: one number for each filter ``(O,)``, or None.
        index: where everything stands: ``filter_index`` is the `orbit_index` of the filters,
            ``filter_index_last`` their `channels_last_index`, and ``bias_index`` has each
            number ``G`` times, since every orientation has the same bias.

    Returns:
        ``(O·G, I·A, k, k)`` and ``(O·G,)``; row ``o·|G| + g`` is filter ``o`` acted on by ``g``.
    """
    stacked = None if bias is None else bias.index_select(0, index["bias_index"])
    count, depth, side, _ = weight.shape
    if weight.is_contiguous():
        bank = weight.view(count, -1).index_select(1, index["filter_index"])  # (O, G·I·A·k·k)
        return bank.view(-1, depth, side, side), stacked
    # Channels last, and the bank too, since the convolution wants both in one memory format:
    last = weight.permute(0, 2, 3, 1).flatten(1)  # (O, k·k·I·A)
    bank = last.index_select(1, index["filter_index_last"])  # (O, G·k·k·I·A)
    return bank.view(-1, side, side, depth).permute(0, 3, 1, 2), stacked


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

    def recall(
        self,
        weight: Tensor,
        bias: Tensor | None,
        make: Callable[..., tuple[Tensor, Tensor | None]],
        *how: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """``make(weight, bias, *how)``, or what it gave last time for the same weight and bias.

        Without gradient. Remembers on the CPU only: elsewhere comparing would wait for the device.
        """
        if not weight.is_cpu:
            return make(weight, bias, *how)
        last = self._last
        if last is not None:
            old_weight, old_bias, made = last
            if old_weight.dtype is weight.dtype and old_weight.equal(weight):
                if bias is None or old_bias is None:
                    if bias is old_bias:
                        return made
                elif old_bias.dtype is bias.dtype and old_bias.equal(bias):
                    return made
        # Ordinary tensors even in inference_mode: what is kept may meet autograd later.
        with torch.inference_mode(False), torch.no_grad():
            seen = weight.detach().clone(), None if bias is None else bias.detach().clone()
            made = make(*seen, *how)
        self._last = (*seen, made)
        return made

    def __getstate__(self) -> dict[str, None]:
        return {"_last": None}  # a copy or a pickle starts empty

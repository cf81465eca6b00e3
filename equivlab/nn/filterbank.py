"""Filter banks: every filter in all its orientations, by one gather.

The bank of a filter is its orbit: the copies ``act(g, filter)`` for all elements ``g``. The
action only moves numbers about, so applying it once to the *positions* 0, 1, 2, … of a filter
gives a table of indices, and the whole bank is one `torch.gather` through that table. The
gradient moves the numbers back and adds them up: one gather through the inverse table, instead
of the slow scatter that automatic differentiation would use.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equivlab.fields import RegularMaps, ScalarMaps

__all__ = ["FilterBankMemo", "expand_filters", "orbit_tables"]


def orbit_tables(field: ScalarMaps | RegularMaps, kernel_size: int) -> tuple[Tensor, Tensor]:
    """Index tables of the orbit of a filter on `field`, and of its undoing.

    Args:
        field: the field that the filter looks at; only its group and kind matter.
        kernel_size: side ``k`` of the square filter.

    Returns:
        Two integer tensors ``(G, S)`` with ``S`` the numbers of one filter: ``k·k`` on scalar
        maps, ``G·k·k`` on regular ones. ``act(g, w).flatten() == w.flatten()[first[g]]``, and
        ``second[g]`` is the inverse permutation.
    """
    group = field.group
    axes = (group.order,) if isinstance(field, RegularMaps) else ()
    size = group.order ** len(axes) * kernel_size**2
    positions = torch.arange(size).view(1, 1, *axes, kernel_size, kernel_size)
    orbit = torch.stack([field.act(g, positions).flatten() for g in group.elements])
    return orbit, orbit[group.inverse_table]


class _Orbit(torch.autograd.Function):
    """Filters ``(O, I, S)`` to their bank ``(O, G, I, S)``."""

    generate_vmap_rule = True

    @staticmethod
    def forward(filters: Tensor, orbit: Tensor, undo: Tensor) -> Tensor:
        return _spread(filters[:, None].expand(-1, len(orbit), -1, -1), orbit)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        orbit, undo = ctx.saved_tensors
        return _apply(_Fold, grads[0], orbit, undo), None, None


class _Fold(torch.autograd.Function):
    """The transpose of `_Orbit`: ``(O, G, I, S)`` to ``(O, I, S)``, orientations added up."""

    generate_vmap_rule = True

    @staticmethod
    def forward(bank: Tensor, orbit: Tensor, undo: Tensor) -> Tensor:
        return _spread(bank, undo).sum(1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        orbit, undo = ctx.saved_tensors
        return _apply(_Orbit, grads[0], orbit, undo), None, None


def _apply(function: type[torch.autograd.Function], *tensors: Tensor) -> Tensor:
    result: Tensor = function.apply(*tensors)
    return result


def _spread(bank: Tensor, table: Tensor) -> Tensor:
    """Pick ``bank[o, g, i, table[g, s]]`` for all ``(o, g, i, s)``."""
    return bank.gather(-1, table[:, None].expand(bank.shape))


def expand_filters(weight: Tensor, orbit: Tensor, undo: Tensor) -> Tensor:
    """The filter bank of `weight`, ready for `torch.nn.functional.conv2d`.

    Args:
        weight: filters ``(O, I·A, k, k)``, with ``A = 1`` on scalar and ``|G|`` on regular maps.
        orbit: the first of `orbit_tables`, ``(G, A·k·k)``.
        undo: the second.

    Returns:
        ``(O·G, I·A, k, k)``; row ``o·|G| + g`` is filter ``o`` acted on by ``g``.
    """
    out, axis_1, k, _ = weight.shape
    filters = weight.reshape(out, -1, orbit.shape[1])  # (O, I, S)
    bank = _apply(_Orbit, filters, orbit, undo)  # (O, G, I, S)
    return bank.view(out * len(orbit), axis_1, k, k)


class FilterBankMemo:
    """Remembers the bank of the last weights seen, and cannot go stale.

    The key is the *content* of the weights: a bank is used again only where they equal, number
    for number, the ones it was made from. An optimiser step, a `load_state_dict`, an edit of
    ``weight.data`` all change the content, so no hook and no flag has to notice them.
    Comparing costs a fraction of expanding, for it reads one orientation instead of all.
    """

    def __init__(self) -> None:
        self._last: tuple[Tensor, Tensor] | None = None

    def bank(self, weight: Tensor, orbit: Tensor, undo: Tensor) -> Tensor:
        """`expand_filters` of the same arguments, without gradient, perhaps from memory."""
        last = self._last
        if last is not None and last[0].dtype == weight.dtype and torch.equal(last[0], weight):
            return last[1]
        # Ordinary tensors even inside inference_mode: what is kept may meet autograd later.
        with torch.inference_mode(False), torch.no_grad():
            snapshot = weight.detach().clone()
            bank = expand_filters(snapshot, orbit, undo)
        self._last = (snapshot, bank)
        return bank

    def __getstate__(self) -> dict[str, None]:
        return {"_last": None}  # a copy or a pickle starts empty

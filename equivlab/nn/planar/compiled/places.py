"""Where the numbers of a filter stand, for the compiled kernel.

The taps of a filter turn with it, so they are looked up first: ``W'[d][u] = W[u](u·d)``, after
which the convolution over the group is the same for every tap ``d``, and in the basis of
irreducible representations it is block diagonal (Schur's lemma; Serre, *Linear Representations of
Finite Groups*, sections 2.2 and 2.6). ``weights.h`` does that; here are the tables it reads.

An image that is lifted has one map, seen from each orientation: taps that turns carry to each other
gather the same pixels, in another order. One of each orbit is enough, with all its numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equivlab.groups import P4, P4M
from equivlab.tables import remembered

__all__ = ["Places", "places"]


@dataclass(frozen=True)
class Places:
    """The tables for one group and one size of filters, int32 where the kernel reads them.

    Attributes:
        taps: ``(G, N)``, where tap ``d`` stands in the filter turned by ``h``; ``N = k·k``, or as
            many as there are orbits of an image's taps.
        turned: ``(N, G)``, where ``W'[d][u]`` stands in a filter ``W``; -1 where that is 0.
        opposite: ``(N, G)``, the same for the adjoint, whose filters are ``W[u⁻¹](−u⁻¹d)``:
            the convolution that is the gradient to the input. Not of an image.
        adjoint: ``(G·k·k,)`` int64, where the numbers of the adjoint's filters stand in ``W``.
    """

    taps: Tensor
    turned: Tensor
    opposite: Tensor
    adjoint: Tensor


@remembered()
def places(order: int, kernel_size: int, lifts: bool = False) -> Places:
    """The tables of P4 (4 orientations) or P4M (8), for filters of this size, perhaps on images."""
    group, area = {4: P4, 8: P4M}[order], kernel_size**2
    pixels = torch.arange(area).view(1, 1, kernel_size, kernel_size)
    taps = torch.stack([group.move(h, pixels).flatten().argsort() for h in group.elements])
    if lifts:
        taps = taps[:, taps.amin(0) == torch.arange(area)]  # the first tap of each orbit
        # A tap that several turns carry to the same place has its number there once.
        again = [(taps[:u] == taps[u]).any(0) for u in group.elements]
        turned = taps.masked_fill(torch.stack(again), -1).T
        read = [table.to(torch.int32).contiguous() for table in (taps, turned)]
        return Places(read[0], read[1], read[1], turned.flatten())
    turned = torch.stack([u * area + taps[u] for u in group.elements], 1)
    backwards = area - 1 - torch.arange(area)  # where −d is
    inverses = [group.inverse(u) for u in group.elements]
    adjoint = torch.cat([v * area + backwards[taps[v]] for v in inverses])
    read = [table.to(torch.int32).contiguous() for table in (taps, turned, adjoint[turned])]
    return Places(read[0], read[1], read[2], adjoint)

"""What the layers of a twin start with: the plain ones' numbers, or new ones as large."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from equivlab.transfer.starting import embedded

__all__ = ["Starter"]


class Starter:
    """Gives layers their first numbers.

    Args:
        keep: those of the plain layer, each filter looking at one orientation (`from_plain`).
        seed: of new ones.
    """

    def __init__(self, keep: bool, seed: int) -> None:
        self.keep = keep
        self.generator = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def start(self, layer: nn.Module, given: Mapping[str, Tensor | None]) -> str:
        """Fill a new layer; ``'kept'``, ``'fresh'``, or ``''`` where it has no numbers.

        New weights are normal, with the variance that gives as large an output as the plain
        layer's; a weight that is 0 there (the last norm of a residual branch) is 0 here. New
        biases are 0. What learns there, learns here.

        Args:
            layer: the new one.
            given: parameters and statistics of the plain one, by the names that they have here.
        """
        own = dict(layer.state_dict(keep_vars=True))
        if not own:
            return ""
        for name, value in own.items():
            kept = given.get(name)
            if kept is None:
                continue
            if self.keep:
                value.copy_(_fitted(value, kept))
            elif value.dim() > 1:
                value.copy_(self._drawn(value, kept))
            elif name in ("weight", "value"):
                value.fill_(float(kept.float().mean()))
            elif name == "bias":
                value.zero_()
            if isinstance(value, nn.Parameter):
                value.requires_grad_(kept.requires_grad)
        return "kept" if self.keep else "fresh"

    def _drawn(self, value: Tensor, kept: Tensor) -> Tensor:
        ratio = kept[0].numel() / value[0].numel()
        size = float(kept.float().square().mean().sqrt()) * math.sqrt(ratio)
        drawn = torch.randn(value.shape, generator=self.generator) * size
        return drawn.to(value)


def _fitted(value: Tensor, kept: Tensor) -> Tensor:
    """The numbers of a plain layer, in the shape that they have here."""
    return embedded(kept, value) if value.dim() == 4 else kept.to(value).reshape(value.shape)

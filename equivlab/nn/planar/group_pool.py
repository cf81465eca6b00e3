"""Pooling over the group: how a network forgets the orientation, and where it is."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from equivlab.fields import Invariant, RegularMaps, scalar_maps
from equivlab.groups import PointGroup
from equivlab.nn.base import FieldModule, integer
from equivlab.nn.planar.hexagons import cell_mean, largest

__all__ = ["GroupPool", "InvariantReadout"]

GroupPoolMode = Literal["max", "mean", "norm"]
GROUP_POOLS = ("max", "mean", "norm")


def _over_group(x: Tensor, mode: str) -> Tensor:
    """Maximum, mean or Euclidean norm over axis 2."""
    if mode == "max":
        return x.amax(2)  # not max(): among equals amax shares the gradient, as the law wants
    return x.mean(2) if mode == "mean" else torch.linalg.vector_norm(x, dim=2)


def _check_mode(mode: str, known: tuple[str, ...], name: str, label: str) -> None:
    if mode not in known:
        raise ValueError(f"{label}: {name} is one of {', '.join(known)}; got {mode!r}.")


class GroupPool(FieldModule):
    """Forget the orientation: maximum, mean or norm over the group at each pixel.

    ``out[c, x] = max_h f[c, h, x]`` (or the mean, or ``sqrt(Σ_h f²)``), so
    ``layer(act(g, f)) == act(g, layer(f))`` from regular to scalar maps, exactly
    (Cohen & Welling, ICML 2016, section 6.3).

    Args:
        group: `P4` or `P4M`; `P6` or `P6M` on hexagons.
        channels: fields ``C``.
        mode: ``'max'``, ``'mean'`` or ``'norm'``.

    Shape:
        ``(B, C, G, H, W)`` to ``(B, C, H, W)``.

    Raises:
        ValueError: an unknown mode, or a tensor of another kind.
    """

    in_field: RegularMaps

    def __init__(self, group: PointGroup, channels: int, mode: GroupPoolMode = "max") -> None:
        channels = integer(channels, "channels", type(self).__name__)
        super().__init__(RegularMaps(group, channels), scalar_maps(group, channels))
        _check_mode(mode, GROUP_POOLS, "mode", self.label)
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``(B, C, G, H, W)`` over ``G``."""
        return self.in_field.mask(_over_group(self.check(x), self.mode))

    def extra_repr(self) -> str:
        """The fields and the mode, for `print(model)`."""
        return f"{super().extra_repr()}, mode={self.mode!r}"


class InvariantReadout(FieldModule):
    """Forget orientation and position: one number per field that no turn changes.

    ``layer(act(g, f)) == layer(f)``, exactly: first over the group, then over space, which on
    hexagons are their cells.

    Args:
        group: `P4` or `P4M`; `P6` or `P6M` on hexagons.
        channels: fields ``C``.
        mode: over the group: ``'max'``, ``'mean'`` or ``'norm'``.
        space: over the pixels or cells: ``'mean'`` or ``'max'``.

    Shape:
        ``(B, C, G, H, W)`` to ``(B, C)``.

    Raises:
        ValueError: an unknown mode, or a tensor of another kind.
    """

    in_field: RegularMaps

    def __init__(
        self,
        group: PointGroup,
        channels: int,
        mode: GroupPoolMode = "max",
        space: Literal["mean", "max"] = "mean",
    ) -> None:
        channels = integer(channels, "channels", type(self).__name__)
        super().__init__(RegularMaps(group, channels), Invariant(group, channels))
        _check_mode(mode, GROUP_POOLS, "mode", self.label)
        _check_mode(space, ("mean", "max"), "space", self.label)
        self.mode = mode
        self.space = space

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``(B, C, G, H, W)`` over the group, then over space."""
        maps = _over_group(self.check(x), self.mode)  # (B, C, H, W)
        if self.in_field.on_hexagons:
            return cell_mean(maps) if self.space == "mean" else largest(maps)
        return maps.mean((-2, -1)) if self.space == "mean" else maps.amax((-2, -1))

    def extra_repr(self) -> str:
        """The fields and the modes, for `print(model)`."""
        return f"{super().extra_repr()}, mode={self.mode!r}, space={self.space!r}"

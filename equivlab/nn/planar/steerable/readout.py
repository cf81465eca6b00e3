"""How a network on representations of SO(2) halves its maps, and forgets directions and places."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from equivlab.fields import CircleIrreps, CircleMaps, Invariant
from equivlab.groups import SO2, CircleGroup
from equivlab.nn.base import FieldModule
from equivlab.nn.planar.pool import blur_and_step
from equivlab.nn.window import PADDING_MODES, Sides, one_side

__all__ = ["CircleDownsample2d", "CircleReadout"]


class CircleDownsample2d(FieldModule):
    """Blur, then keep every `stride`-th pixel: anti-aliased, and exact on *every* size.

    ``layer(act(g, f)) == act(g, layer(f))`` at quarter turns; the blur is that of
    `GroupDownsample2d`. A maximum over windows, channel by channel, obeys no law here.

    Args:
        irreps: what the channels are.
        stride: factor of the reduction.
        group: `SO2` or `O2`.
        padding_mode: ``'replicate'``, ``'zeros'``, ``'reflect'`` or ``'circular'``.

    Shape:
        ``(B, C, H, W)`` to ``(B, C, ⌈H/stride⌉, ⌈W/stride⌉)``.

    Raises:
        ValueError: a tensor of another kind, a stride below 1, or an unknown padding.
    """

    def __init__(
        self,
        irreps: str | CircleIrreps,
        stride: Sides = 2,
        group: CircleGroup = SO2,
        padding_mode: str = "replicate",
    ) -> None:
        super().__init__(CircleMaps(irreps, group), CircleMaps(irreps, group))
        self.stride = one_side(stride, 2, "stride", self.label)
        if padding_mode not in PADDING_MODES:
            modes = ", ".join(map(repr, PADDING_MODES))
            raise ValueError(f"{self.label}: padding_mode is one of {modes}; got {padding_mode!r}.")
        self.padding_mode = padding_mode

    def is_exact(self, size: int) -> bool:
        """True: the blur follows the size."""
        return True

    def forward(self, x: Tensor) -> Tensor:
        """Blur and subsample ``(B, C, H, W)``, each channel by itself."""
        return blur_and_step(self.check(x), self.stride, self.padding_mode)

    def extra_repr(self) -> str:
        """The field and the stride, for `print(model)`."""
        return f"{self.in_field}, stride={self.stride}, padding_mode={self.padding_mode!r}"


class CircleReadout(FieldModule):
    """Forget direction and place: one number per representation that no turn changes.

    ``layer(act(g, f)) == layer(f)``: scalars (``0``, of O(2) ``0e``) themselves and the lengths of
    all else at each pixel, then over space.

    Args:
        irreps: what the channels are.
        space: over the pixels: ``'mean'`` or ``'max'``.
        group: `SO2` or `O2`.

    Shape:
        ``(B, C, H, W)`` to ``(B, F)``, one number for each of the ``F`` representations.

    Raises:
        ValueError: an unknown mode, or a tensor of another kind.

    >>> CircleReadout("8x0 + 4x1")
    CircleReadout(CircleMaps(SO2, '8x0+4x1') -> Invariant(SO2, 12), space='mean')
    """

    in_field: CircleMaps

    def __init__(
        self,
        irreps: str | CircleIrreps,
        space: Literal["mean", "max"] = "mean",
        group: CircleGroup = SO2,
    ) -> None:
        field = CircleMaps(irreps, group)
        super().__init__(field, Invariant(field.group, field.irreps.num_irreps))
        if space not in ("mean", "max"):
            raise ValueError(f"{self.label} pools by one of mean, max; got {space!r}.")
        self.space = space
        self._blocks = [(count, irrep.dim, irrep == (0, 1)) for count, irrep in field.irreps]

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``(B, C, H, W)`` to ``(B, F)``."""
        parts = self.check(x).split([count * dim for count, dim, _ in self._blocks], 1)
        numbers = []
        for part, (count, dim, is_scalar) in zip(parts, self._blocks, strict=True):
            fields = part.unflatten(1, (count, dim))
            numbers.append(part if is_scalar else torch.linalg.vector_norm(fields, dim=2))
        invariants = torch.cat(numbers, 1)
        over_space: Tensor = (
            invariants.mean((-2, -1)) if self.space == "mean" else invariants.amax((-2, -1))
        )
        return over_space

    def extra_repr(self) -> str:
        """The fields and the mode, for `print(model)`."""
        return f"{super().extra_repr()}, space={self.space!r}"

"""Numbers that a group leaves alone: the same field for every group.

>>> from equivlab.groups import P4
>>> from equivlab.so3 import SO3
>>> Invariant(P4, 10), Invariant(SO3, 10)
(Invariant(P4, 10), Invariant(SO3, 10))
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from equivlab.fields.base import Field, G, Group
from equivlab.groups import CircleGroup, PointGroup

__all__ = ["Invariant"]


@dataclass(frozen=True, repr=False)
class Invariant(Field[G]):
    """Numbers that the group leaves alone, ``(B, C)``: class scores, pooled features.

    ``g·f = f`` for every element.

    Args:
        group: the group that acts: `P4`, `P4M`, `SO3`.
        channels: the size of axis 1, ``C``.
    """

    group: Group[G]
    channels: int

    def __repr__(self) -> str:
        return f"Invariant({self.group}, {self.channels})"

    @property
    def shape(self) -> str:
        return f"(B, {self.channels})"

    def act(self, g: G, x: Tensor) -> Tensor:
        self.group.check(g)
        return x.clone()

    def rotate(self, angle: float | Tensor, x: Tensor, mode: str = "bilinear") -> Tensor:
        """The same as `act`, with the arguments of `PlanarField.rotate`."""
        return x.clone()

    def _mismatch(self, x: Tensor) -> str | None:
        if x.dim() == 2:
            return self._wrong_channels(x)
        if x.dim() == 4 and isinstance(self.group, CircleGroup):
            return f"Make it invariant first: CircleReadout('{x.shape[1]}x0')"
        if x.dim() in (4, 5) and isinstance(self.group, PointGroup):
            return f"Make it invariant first: InvariantReadout({self.group}, {x.shape[1]})"
        if x.dim() == 5:
            return (
                f"Average over SO(3) first: SO3Integrate({x.shape[1]}, {x.shape[-1] // 2}); voxels "
                "by IrrepReadout."
            )
        return f"It wants 2 axes, not {x.dim()}: batch and channels."

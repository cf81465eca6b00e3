"""Arrows and places in space, as three numbers each: positions, forces, velocities.

>>> from equivlab.so3 import SO3
>>> p = torch.tensor([[1.0, 0.0, 0.0]])
>>> CartesianVectors().act(SO3.from_zyz(torch.pi / 2, 0, 0), p).round()
tensor([[0., 1., 0.]])
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from equivlab.fields.base import Field
from equivlab.so3 import SO3, RotationGroup

__all__ = ["CartesianVectors"]


@dataclass(frozen=True, repr=False)
class CartesianVectors(Field[Tensor]):
    """Vectors whose last axis is ``x y z``, ``(..., 3)``: positions of points, forces on them.

    ``g·p = R p``. Features in e3nn's order of components are `IrrepPoints` instead.
    """

    channels: int = field(default=3, init=False)
    group: RotationGroup = field(default=SO3, init=False)

    def __repr__(self) -> str:
        return "CartesianVectors()"

    @property
    def shape(self) -> str:
        return "(..., 3)"

    def act(self, g: Tensor, x: Tensor) -> Tensor:
        """The vectors turned by the rotation `g` ``(3, 3)``."""
        return torch.matmul(x, SO3.check(g).mT.to(x))

    def _mismatch(self, x: Tensor) -> str | None:
        if x.dim() >= 1 and x.shape[-1] == 3:
            return None
        return "The last axis holds x, y and z."

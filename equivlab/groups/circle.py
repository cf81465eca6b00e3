"""All turns of the plane, SO(2), and all turns and mirrors, O(2).

An element is a ``(2, 2)`` float64 matrix that acts on column vectors ``(x to the right, y
upwards)``, as the `matrix` of a point group's element does.

>>> quarter = SO2.from_angle(math.pi / 2)
>>> SO2.angle(SO2.compose(quarter, quarter)) == math.pi
True
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["O2", "SO2", "CircleGroup"]


@dataclass(frozen=True)
class CircleGroup:
    """The turns by any angle, and perhaps mirrors; use the instances `SO2` and `O2`.

    Attributes:
        name: ``'SO2'`` or ``'O2'``.
        has_mirror: whether there are mirrors too.
    """

    name: str
    has_mirror: bool

    def __repr__(self) -> str:
        return self.name

    def check(self, g: Tensor) -> Tensor:
        """Return `g` as float64 if it is an element, else raise.

        Raises:
            TypeError: `g` is no tensor.
            ValueError: not ``(2, 2)``, not orthogonal to 1e-4, or a mirror that the group has not.
        """
        make = f"Make one: {self.name}.from_angle(radians)"
        if not isinstance(g, Tensor):
            raise TypeError(
                f"An element of {self} is a (2, 2) tensor; got {type(g).__name__}. {make}"
            )
        if g.shape != (2, 2):
            raise ValueError(
                f"An element of {self} is a matrix (2, 2); got {tuple(g.shape)}. {make}"
            )
        g = g.double().cpu()
        off = float((g @ g.mT - torch.eye(2, dtype=g.dtype)).abs().amax())
        mirrored = bool(torch.linalg.det(g) < 0)
        if not off < 1e-4 or (mirrored and not self.has_mirror):
            raise ValueError(
                f"An element of {self} is orthogonal"
                + ("" if self.has_mirror else " with determinant 1")
                + f"; got a matrix that is off by {off:.1e}{', a mirror' if mirrored else ''}. "
                + make
            )
        return g

    @property
    def identity(self) -> Tensor:
        """The element that changes nothing."""
        return torch.eye(2, dtype=torch.float64)

    @property
    def quarter_turns(self) -> list[Tensor]:
        """The elements that map square pixels to themselves, 4, with mirrors 8."""
        mirrors = (False, True) if self.has_mirror else (False,)
        return [
            self.from_angle(r * math.pi / 2, mirror).round() for mirror in mirrors for r in range(4)
        ]

    def compose(self, g: Tensor, h: Tensor) -> Tensor:
        """The product ``g·h``: first `h`, then `g`."""
        return self.check(g) @ self.check(h)

    def inverse(self, g: Tensor) -> Tensor:
        """The element with ``g⁻¹·g = 1``."""
        return self.check(g).mT

    def random_element(self, generator: torch.Generator | None = None) -> Tensor:
        """An element drawn uniformly with `generator`."""
        angle, coin = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
        return self.from_angle(2 * math.pi * angle, self.has_mirror and coin < 0.5)

    def from_angle(self, angle: float, mirror: bool = False) -> Tensor:
        """The left-right mirror, if asked for, and then the turn by `angle` in radians."""
        if mirror and not self.has_mirror:
            raise ValueError(f"{self} has no mirrors; O2 has.")
        return _turn(angle) @ torch.diag(torch.tensor([-1.0 if mirror else 1.0, 1.0]).double())

    def split(self, g: Tensor) -> tuple[bool, float]:
        """Whether `g` mirrors first, and the angle in radians by which it turns, in [0, 2π)."""
        g = self.check(g)
        mirror = bool(torch.linalg.det(g) < 0)
        sign = -1.0 if mirror else 1.0
        angle = math.atan2(sign * float(g[1, 0]), sign * float(g[0, 0]))
        return mirror, angle % (2 * math.pi)

    def angle(self, g: Tensor) -> float:
        """The angle of the turn in `g`, in radians, in [0, 2π)."""
        return self.split(g)[1]

    def element_name(self, g: Tensor) -> str:
        """A name for people, such as ``'90°'`` or ``'mirror, 270°'``."""
        mirror, angle = self.split(g)
        return ("mirror, " if mirror else "") + f"{math.degrees(angle):.4g}°"

    def harmonic(self, g: Tensor, frequency: int) -> Tensor:
        """The ``(2, 2)`` matrix of `g` on ``(cos kφ, sin kφ)``, as `PointGroup.harmonic`."""
        mirror, angle = self.split(g)
        sign = 1.0 if frequency % 2 == 0 else -1.0
        flip = torch.tensor([sign, -sign] if mirror else [1.0, 1.0], dtype=torch.float64)
        return _turn(frequency * angle) * flip


def _turn(angle: float) -> Tensor:
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


SO2 = CircleGroup("SO2", has_mirror=False)
"""The turns by any angle."""

O2 = CircleGroup("O2", has_mirror=True)
"""The turns by any angle and all mirrors."""

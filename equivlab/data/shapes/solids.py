"""Solids put together from boxes and round posts: exact to turn, to fill and to sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from equivlab.so3 import SO3

__all__ = ["Box", "Post", "Solid", "grid_points"]

MARGIN = 1.0  # voxels left free around a solid, so that turning cuts nothing off
NEAR = 1e-6  # a point this near to a surface counts as on it
TRIES = 4  # points drawn for each one wanted: some fall where two parts meet


@dataclass(frozen=True)
class Box:
    """A box with faces along the axes: its middle and half its edges, ``(x, y, z)`` each."""

    middle: tuple[float, float, float]
    half: tuple[float, float, float]

    def holds(self, points: Tensor) -> Tensor:
        """Which of the points ``(..., 3)`` lie inside or on it."""
        return (
            (points - points.new_tensor(self.middle)).abs().le(points.new_tensor(self.half)).all(-1)
        )

    def corners(self) -> Tensor:
        """Points that span it, ``(8, 3)``."""
        signs = torch.cartesian_prod(*3 * [torch.tensor([-1.0, 1.0], dtype=torch.float64)])
        return torch.tensor(self.middle) + signs * torch.tensor(self.half, dtype=torch.float64)

    @property
    def area(self) -> float:
        x, y, z = self.half
        return 8 * (x * y + y * z + z * x)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Points ``(count, 3)`` uniform on its surface."""
        half = torch.tensor(self.half, dtype=torch.float64)
        faces = torch.stack([half[1] * half[2], half[2] * half[0], half[0] * half[1]])
        axis = torch.multinomial(faces, count, replacement=True, generator=generator)
        q = 2 * torch.rand(count, 3, generator=generator, dtype=torch.float64) - 1
        side = q.gather(1, axis[:, None]).sign()
        return torch.tensor(self.middle) + half * q.scatter(1, axis[:, None], side)


@dataclass(frozen=True)
class Post:
    """A round post along z, perhaps tapered: the middle, two radii and half the height."""

    middle: tuple[float, float, float]
    bottom: float
    top: float
    half: float

    def holds(self, points: Tensor) -> Tensor:
        """Which of the points ``(..., 3)`` lie inside or on it."""
        x, y, z = (points - points.new_tensor(self.middle)).unbind(-1)
        radius = self.bottom + (self.top - self.bottom) * (z / self.half + 1) / 2
        return (x * x + y * y <= radius * radius) & (z.abs() <= self.half)

    def corners(self) -> Tensor:
        """Points that span it, ``(32, 3)``: 16 on each rim."""
        turn = torch.arange(16, dtype=torch.float64) * (2 * math.pi / 16)
        rim = torch.stack([turn.cos(), turn.sin(), torch.zeros_like(turn)], 1)
        up = torch.tensor([0.0, 0.0, self.half], dtype=torch.float64)
        return torch.tensor(self.middle) + torch.cat([self.bottom * rim - up, self.top * rim + up])

    @property
    def area(self) -> float:
        return math.pi * (self.bottom**2 + self.top**2 + (self.bottom + self.top) * self._slant)

    @property
    def _slant(self) -> float:
        return math.hypot(2 * self.half, self.bottom - self.top)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Points ``(count, 3)`` uniform on its surface."""
        wall = (self.bottom + self.top) * self._slant
        areas = torch.tensor([self.bottom**2, self.top**2, wall], dtype=torch.float64)
        where = torch.multinomial(areas, count, replacement=True, generator=generator)
        u, v = torch.rand(2, count, generator=generator, dtype=torch.float64)
        # On the wall the chance of a radius grows with it, as on a disc of which it is a ring.
        on_wall = (self.bottom**2 + (self.top**2 - self.bottom**2) * u).sqrt()
        narrows = self.top - self.bottom
        height = u if abs(narrows) < NEAR else (on_wall - self.bottom) / narrows
        discs = torch.where(where == 0, self.bottom * u.sqrt(), self.top * u.sqrt())
        radius = torch.where(where == 2, on_wall, discs)
        z = self.half * torch.where(where == 2, 2 * height - 1, 2.0 * where - 1)
        turn = 2 * math.pi * v
        spots = torch.stack([radius * turn.cos(), radius * turn.sin(), z], 1)
        return torch.tensor(self.middle) + spots


@dataclass(frozen=True)
class Solid:
    """The union of parts, moved so that its bounding box has its middle at the origin.

    Args:
        parts: `Box`es and `Post`s.

    Raises:
        ValueError: no parts.
    """

    parts: tuple[Box | Post, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("A Solid is the union of at least one Box or Post; got none.")

    @property
    def middle(self) -> Tensor:
        """The middle of the bounding box of the parts as they were given, ``(3,)``."""
        low, high = torch.cat([part.corners() for part in self.parts]).aminmax(dim=0)
        return (low + high) / 2

    @property
    def radius(self) -> float:
        """Of the ball about the origin that holds the solid."""
        corners = torch.cat([part.corners() for part in self.parts]) - self.middle
        return float(torch.linalg.vector_norm(corners, dim=1).max())

    def holds(self, points: Tensor) -> Tensor:
        """Which of the points ``(..., 3)`` lie inside."""
        points = points + self.middle.to(points)
        return torch.stack([part.holds(points) for part in self.parts]).any(0)

    def voxels(
        self,
        size: int,
        R: Tensor | None = None,
        *,
        radius: float | None = None,
        oversample: int = 2,
    ) -> Tensor:
        """The part of each voxel that the solid fills, axes ``z y x``, in [0, 1], float32.

        The solid is scaled to the ball that fits into the grid, one voxel short of it, and is
        turned by `R` before it is filled in: no interpolation comes between.

        Args:
            size: voxels along each edge.
            R: a rotation ``(3, 3)``.
            radius: of the ball that is scaled to the grid; by default the solid's own.
            oversample: points along each edge of a voxel that are tested.
        """
        points = grid_points(size, oversample) * ((radius or self.radius) / (size / 2 - MARGIN))
        if R is not None:
            points = points @ SO3.check(R)  # row vectors: R⁻¹ p
        full = self.holds(points).view(size, oversample, size, oversample, size, oversample)
        return full.float().mean((1, 3, 5))

    def points(self, count: int, generator: torch.Generator) -> Tensor:
        """Points ``(count, 3)`` uniform on the surface, scaled to the unit ball, float32."""
        areas = torch.tensor([part.area for part in self.parts], dtype=torch.float64)
        kept: list[Tensor] = []
        while sum(map(len, kept)) < count:
            part_of = torch.multinomial(areas, TRIES * count, replacement=True, generator=generator)
            shares = torch.bincount(part_of, minlength=len(self.parts)).tolist()
            for number, part in enumerate(self.parts):
                if shares[number] == 0:
                    continue
                spots = part.sample(shares[number], generator)
                kept.append(spots[~self._within_another(spots, number)])
        spots = torch.cat(kept)
        chosen = torch.randperm(len(spots), generator=generator)[:count]
        return ((spots[chosen] - self.middle) / self.radius).float()

    def _within_another(self, spots: Tensor, number: int) -> Tensor:
        """Which points of one part's surface lie in another part, so not on the union's surface.

        Where two surfaces coincide, the part that comes first keeps the points.
        """
        hidden = torch.zeros(len(spots), dtype=torch.bool)
        for other, part in enumerate(self.parts):
            if other != number:
                hidden |= _grown(part, -NEAR if other > number else NEAR).holds(spots)
        return hidden


def _grown(part: Box | Post, by: float) -> Box | Post:
    if isinstance(part, Box):
        x, y, z = part.half
        return Box(part.middle, (x + by, y + by, z + by))
    return Post(part.middle, part.bottom + by, part.top + by, part.half + by)


def grid_points(size: int, oversample: int = 1) -> Tensor:
    """Where the voxels of a cubic grid stand, ``(n, n, n, 3)``: axes ``z y x``, columns ``x y z``.

    Each voxel has edge 1; ``n = size · oversample``, with ``oversample³`` points in each voxel.
    """
    n = size * oversample
    t = (torch.arange(n, dtype=torch.float64) - (n - 1) / 2) / oversample
    return torch.stack(torch.meshgrid(t, t, t, indexing="ij")[::-1], -1)

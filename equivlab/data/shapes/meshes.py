"""Surfaces of triangles, filled into voxels or sampled at points; grids and clouds beside them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Mesh", "cloud_voxels", "grid_cloud", "resize_grid", "unit_ball"]

OVERSAMPLE = 2  # a surface is marked on a grid this much finer, then averaged down
SPACING = 0.5  # between the points that mark a surface, in fine voxels
MARGIN = 1.0  # voxels left free around a shape, so that turning cuts nothing off


@dataclass(frozen=True)
class Mesh:
    """A surface of triangles; it need not be closed.

    Attributes:
        vertices: ``(V, 3)`` float64.
        faces: ``(F, 3)`` int64, numbers of vertices.
    """

    vertices: Tensor
    faces: Tensor

    def voxels(self, size: int, fill: bool = True) -> Tensor:
        """The part of each voxel that the shape fills, ``(size,)*3``, axes ``z y x``, in [0, 1].

        The middle of the bounding box comes to the middle of the grid and the shape is scaled to
        the ball that fits, one voxel short of it. Voxels that the surface touches are marked on a
        grid twice as fine, what the outside cannot reach is filled, and the result averaged.

        Args:
            size: voxels along each edge.
            fill: also the inside; what the outside reaches through holes stays empty, see
                `is_hollow`.

        Raises:
            ValueError: all vertices in one place.
        """
        surface = self._surface(self._triangles(), size)
        solid = ~_outside(surface) if fill else surface
        return F.avg_pool3d(solid[None].float(), OVERSAMPLE)[0]

    def _surface(self, triangles: Tensor, size: int) -> Tensor:
        """The voxels ``(2·size,)*3`` that triangles ``(F, 3, 3)`` in the unit ball touch."""
        points = _surface_points(triangles * (size / 2 - MARGIN) * OVERSAMPLE)
        return _mark(points, size * OVERSAMPLE)

    def _triangles(self) -> Tensor:
        """Corners ``(F, 3, 3)`` in the unit ball; vertices that no face uses do not count."""
        used, faces = self.faces.unique(return_inverse=True)
        return unit_ball(self.vertices[used])[0][faces]

    def is_hollow(self, size: int) -> bool:
        """Whether parts of the surface are open, and enclose nothing on a grid of this size.

        A part is what hangs together by its corners, and open if one of its edges belongs to a
        single triangle. A hole narrower than a voxel closes by itself.
        """
        triangles = self._triangles()
        is_open = triangles[_open_faces(triangles)]
        if len(is_open) == 0:
            return False
        surface = self._surface(is_open, size)
        return torch.equal(~_outside(surface), surface)

    def points(self, count: int, generator: torch.Generator) -> Tensor:
        """Points ``(count, 3)`` uniform on the surface, scaled to the unit ball, float32.

        Raises:
            ValueError: a surface without area, or all vertices in one place.
        """
        triangles = self._triangles()
        a, ab, ac = (
            triangles[:, 0],
            triangles[:, 1] - triangles[:, 0],
            triangles[:, 2] - triangles[:, 0],
        )
        areas = torch.linalg.vector_norm(torch.linalg.cross(ab, ac), dim=1)
        if float(areas.sum()) <= 0:
            raise ValueError("A surface without area has no points to draw. Leave this mesh out.")
        # Not torch.multinomial, which takes no more than 2^24 faces.
        edges = areas.cumsum(0)
        drawn = torch.rand(count, generator=generator, dtype=torch.float64) * edges[-1]
        face = torch.searchsorted(edges, drawn, right=True).clamp_max(len(edges) - 1)
        uv = torch.rand(count, 2, generator=generator, dtype=torch.float64)
        uv = torch.where(uv.sum(1, keepdim=True) > 1, 1 - uv, uv)  # fold the square's far half back
        return (a[face] + uv[:, :1] * ab[face] + uv[:, 1:] * ac[face]).float()


def unit_ball(points: Tensor) -> tuple[Tensor, float]:
    """Points ``(N, 3)`` moved by the middle of their bounding box and scaled to the unit ball.

    Returns:
        The points, and the radius by which they were divided.

    Raises:
        ValueError: all points in one place.
    """
    low, high = points.aminmax(dim=0)
    centred = points - (low + high) / 2
    radius = float(torch.linalg.vector_norm(centred, dim=1).max())
    if radius == 0:
        raise ValueError(
            f"A shape has some extent; all of its {len(points)} points are in one place. Leave "
            "it out."
        )
    return centred / radius, radius


def _surface_points(triangles: Tensor) -> Tensor:
    """Points over each triangle ``(F, 3, 3)``, no further than `SPACING` from one another."""
    edges = torch.linalg.vector_norm(triangles - triangles.roll(1, 1), dim=2).amax(1)
    steps = (edges / SPACING).ceil().long().clamp_min(1)
    found = []
    for n in steps.unique().tolist():
        i, j = torch.triu_indices(n + 1, n + 1)
        weights = torch.stack([i, j - i, n - j], 1).double() / n  # (·, 3), rows sum to 1
        found.append(torch.einsum("pk,fkx->fpx", weights, triangles[steps == n]).reshape(-1, 3))
    return torch.cat(found)


def _open_faces(triangles: Tensor) -> Tensor:
    """Which of the triangles ``(F, 3, 3)`` belong to a part with an open edge, ``(F,)`` bool."""
    # Corners are the same if they lie in the same place: .stl files have three for each face.
    corners = triangles.flatten(0, 1).unique(dim=0, return_inverse=True)[1].view(-1, 3)  # (F, 3)
    edges = torch.stack([corners, corners.roll(1, 1)], 2).sort(2).values  # (F, 3, 2)
    real = edges[..., 0] != edges[..., 1]
    kinds, counts = edges.flatten(0, 1).unique(dim=0, return_inverse=True, return_counts=True)[1:]
    is_open = ((counts[kinds].view(-1, 3) == 1) & real).any(1)
    part = torch.arange(int(corners.max()) + 1)  # of each corner: the smallest number it can reach
    while True:
        least = part[corners].amin(1, keepdim=True).expand(-1, 3)
        grown = part.scatter_reduce(0, corners.flatten(), least.flatten(), "amin")
        grown = grown[grown]
        if torch.equal(grown, part):
            break
        part = grown
    of_face = part[corners[:, 0]]
    open_parts = torch.zeros(len(part), dtype=torch.bool)
    open_parts[of_face[is_open]] = True
    return open_parts[of_face]


def _mark(points: Tensor, side: int) -> Tensor:
    """The voxels of a grid about the origin that hold a point, ``(side,)*3`` bool."""
    x, y, z = (points + side / 2).floor().long().clamp(0, side - 1).unbind(1)
    grid = torch.zeros(side, side, side, dtype=torch.bool)
    grid[z, y, x] = True
    return grid


def _outside(surface: Tensor) -> Tensor:
    """What can be reached from outside, face to face, without crossing the marked voxels."""
    free = F.pad(~surface, 6 * (1,), value=True)[None, None].float()
    reached = F.pad(torch.zeros_like(surface), 6 * (1,), value=True)[None, None].float()
    while True:
        grown = reached
        for kernel in ((3, 1, 1), (1, 3, 1), (1, 1, 3)):
            grown = F.max_pool3d(grown, kernel, 1, tuple(k // 2 for k in kernel)) * free
        if torch.equal(grown, reached):
            return reached[0, 0, 1:-1, 1:-1, 1:-1] > 0
        reached = grown


def cloud_voxels(points: Tensor, size: int) -> Tensor:
    """A cloud ``(N, 3)`` as a grid ``(size,)*3``, axes ``z y x``: 1 where there is a point."""
    return _mark(unit_ball(points)[0] * (size / 2 - MARGIN), size).float()


def grid_cloud(grid: Tensor) -> Tensor:
    """The middles of the filled voxels (over half) of a grid ``(D, D, D)``, in the unit ball."""
    full = grid > grid.max() / 2
    return unit_ball(torch.nonzero(full).flip(1).double())[0]


def resize_grid(grid: Tensor, size: int) -> Tensor:
    """A grid ``(D, D, D)`` at another size: averaged down, or interpolated up."""
    if grid.shape[0] == size:
        return grid.float()
    whole = grid[None, None].float()
    if grid.shape[0] > size:
        return F.interpolate(whole, size=3 * (size,), mode="area")[0, 0]
    return F.interpolate(whole, size=3 * (size,), mode="trilinear")[0, 0]

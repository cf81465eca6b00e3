"""Solids seen from a sphere around them: meshes by ray casting, voxels by marching.

From every direction ``n`` a ray runs towards the centre, and on through it. What it meets
first is a signal on the sphere: how far the surface is, and how it leans. A solid that turns
takes its signal with it, which is all that a spherical CNN asks for.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.projection.grids import sphere_grid

__all__ = ["cast_rays", "convex_hull", "project_mesh", "project_voxels"]

AT_ONCE = 2**22  # numbers in a temporary: 16 MB


def project_mesh(
    vertices: Any,
    faces: Any = None,
    *,
    bandwidth: int | None = None,
    nside: int | None = None,
    hull: bool = True,
    center: Tensor | None = None,
) -> Tensor:
    """A surface as the sphere around it sees it: distance and lean, also of its convex hull.

    ``project_mesh(R·mesh) = R·project_mesh(mesh)`` for the signal; its samples are not
    band-limited (edges and silhouettes jump), and what lies above the bandwidth is lost.

    Args:
        vertices: ``(V, 3)``, or a `trimesh.Trimesh` (``trimesh.load(path, force="mesh")``).
        faces: ``(F, 3)`` indices of the corners of triangles, in any orientation.
        bandwidth: gives ``(C, 2b, 2b)``.
        nside: instead of it, gives ``(C, 12·nside²)``.
        hull: add the same channels of the convex hull.
        center: where all rays meet, ``(3,)``; by default the centroid of the surface.

    Returns:
        ``C = 3``, with `hull` 6 channels, float32: the distance along the ray in radii of the
        smallest sphere about the centre that holds the mesh (0 touches it; 1 where the ray
        meets nothing), the cosine and the sine of the angle between ray and normal (0 and 0
        where it meets nothing).

    Raises:
        ValueError: no triangles, indices out of range, NaN, a mesh without area; flat, where
            `hull` is wanted.

    Source:
        Cohen, Geiger, Köhler & Welling, ICLR 2018, section 5.3 (SHREC'17).
    """
    if faces is None and hasattr(vertices, "faces"):
        vertices, faces = vertices.vertices, vertices.faces
    corners = _triangles(vertices, faces)  # (F, 3, 3)
    grid = sphere_grid(bandwidth, nside, "project_mesh")
    directions = grid.points()[:, 0]  # (K, 3)
    doubled = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = torch.linalg.vector_norm(doubled, dim=1)
    if not float(area.sum()) > 0:
        raise ValueError("project_mesh takes a mesh with area; all its triangles are degenerate.")
    if center is None:
        center = (corners.mean(1) * area[:, None]).sum(0) / area.sum()
    corners = corners - torch.as_tensor(center, dtype=torch.float64)
    corners = corners / torch.linalg.vector_norm(corners, dim=2).max()
    channels = _seen_by_rays(corners, directions)
    if hull:
        channels += _seen_by_rays(convex_hull(corners.reshape(-1, 3)), directions)
    return torch.stack(channels).float().reshape(-1, *grid.shape)


def cast_rays(corners: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays that run through the origin first meet triangles.

    On the line ``t·n`` lies the triangle ``v₀ v₁ v₂`` at ``t = 1/Σw`` with ``V w = n``, if all
    ``w`` have one sign. Only pairs are tried whose ray lies in the cone around the triangle.

    Args:
        corners: triangles ``(F, 3, 3)``: triangle, corner, coordinate.
        directions: unit vectors ``(K, 3)``; a ray comes in from ``+∞·n``.

    Returns:
        ``t (K,)``, the coordinate along ``n`` of the first meeting (negative beyond the
        origin, NaN where nothing is met), and the index of the triangle ``(K,)``.
    """
    corners, directions = corners.double(), directions.double()
    best = torch.full((len(directions),), -torch.inf, dtype=torch.float64)
    which = torch.zeros(len(directions), dtype=torch.long)
    scale = torch.linalg.vector_norm(corners, dim=2).amax(1)
    # Triangles seen from the side are lines, which rays miss.
    kept = torch.nonzero(torch.linalg.det(corners).abs() > 1e-14 * scale**3)[:, 0]
    inverse = torch.linalg.inv(corners[kept].mT)  # (F, 3, 3), rows give the three w
    axes, cosines = _cones(corners[kept])
    for begin in range(0, len(directions), at_once := max(1, AT_ONCE // max(1, len(kept)))):
        near = (directions[begin : begin + at_once] @ axes.mT).abs() >= cosines
        ray, triangle = torch.nonzero(near).unbind(1)
        ray += begin
        w = (inverse[triangle] @ directions[ray, :, None])[..., 0]  # (pairs, 3)
        total = w.sum(1)
        # A ray along an edge must meet one of its two triangles: a little tolerance.
        inside = ((w * total.sign()[:, None]).amin(1) >= -1e-9 * total.abs()) & (total != 0)
        t = torch.where(inside, 1 / total, -torch.inf)
        best.scatter_reduce_(0, ray, t, "amax")
        first = inside & (t == best[ray])
        which[ray[first]] = kept[triangle[first]]
    return torch.where(torch.isfinite(best), best, torch.nan), which


def _cones(corners: Tensor) -> tuple[Tensor, Tensor]:
    """A double cone from the origin around each triangle: its axis, and the cosine of its angle."""
    unit = F.normalize(corners, dim=2)
    axes = F.normalize(unit.sum(1), dim=1)  # (F, 3)
    cosines = (unit @ axes[..., None])[..., 0].amin(1) - 1e-9
    return axes, torch.where(cosines > 0.01, cosines, -1.0)  # a wide one is not convex: try all


def convex_hull(points: Tensor) -> Tensor:
    """The triangles ``(F, 3, 3)`` of the convex hull of points ``(N, 3)``.

    Raises:
        ValueError: all points lie in a plane.
    """
    from scipy.spatial import ConvexHull, QhullError

    try:
        hull = ConvexHull(points.numpy())
    except QhullError as error:
        raise ValueError(
            f"{len(points)} points in a plane have no convex hull. Take hull=False"
        ) from error
    return points[torch.from_numpy(hull.simplices).long()]


def project_voxels(
    voxels: Tensor,
    *,
    bandwidth: int | None = None,
    nside: int | None = None,
    steps: int = 96,
    level: float = 0.5,
) -> Tensor:
    """Occupancy grids as the sphere around them sees them: distance and thickness.

    Rays run from the sphere that holds the grid to the grid's centre and through to the other
    side, over trilinearly interpolated values. Equivariant up to the voxels' own shape.

    Args:
        voxels: ``(B, D, D, D)`` with axes ``x y z``; zero is empty.
        bandwidth: gives ``(B, 2, 2b, 2b)``.
        nside: instead of it, gives ``(B, 2, 12·nside²)``.
        steps: points on a ray.
        level: the value at which the surface stands.

    Returns:
        The distance to the first crossing of `level` in radii of the sphere (1 where there is
        none), and the mean value along the ray.

    Raises:
        ValueError: no cubes, no or two grids.
    """
    if voxels.dim() != 4 or len(set(voxels.shape[1:])) != 1 or voxels.numel() == 0:
        raise ValueError(
            f"project_voxels takes cubes (B, D, D, D), at least one; got {tuple(voxels.shape)}. "
            "Pad them with torch.nn.functional.pad, or add the batch axis: voxels[None]"
        )
    grid = sphere_grid(bandwidth, nside, "project_voxels")
    directions = grid.points()[:, 0].float()  # (K, 3)
    along = torch.linspace(1, -1, steps)  # from the near side to the far
    # Half a cube's diagonal is √3 half-widths; grid_sample wants the axes as z, y, x.
    place = (math.sqrt(3) * along[:, None, None] * directions).flip(-1)[None, None]
    maps = []
    for one in voxels.float():
        values = F.grid_sample(one[None, None], place.to(one.device), align_corners=False)
        values = values[0, 0, 0]  # (steps, K)
        before, after = values[:-1], values[1:]
        crosses = (before < level) & (after >= level)
        first = crosses.to(torch.uint8).argmax(0)
        low, high = (v.gather(0, first[None])[0] for v in (before, after))
        part = (level - low) / (high - low).clamp_min(1e-6)
        distance = (first + part) * 2 / (steps - 1)
        maps.append(torch.stack([torch.where(crosses.any(0), distance, 1.0), values.mean(0)]))
    return torch.stack(maps).reshape(len(voxels), 2, *grid.shape)


def _triangles(vertices: Any, faces: Any) -> Tensor:
    """The corners ``(F, 3, 3)`` of a mesh, checked."""
    v = torch.as_tensor(vertices, dtype=torch.float64)
    f = torch.as_tensor(faces) if faces is not None else torch.empty(0)
    if v.dim() != 2 or v.shape[-1] != 3 or f.dim() != 2 or f.shape[-1] != 3 or len(f) == 0:
        raise ValueError(
            f"project_mesh takes vertices (V, 3) and triangles (F, 3); got {tuple(v.shape)} and "
            f"{tuple(f.shape)}. Load one with trimesh.load(path, force='mesh')"
        )
    if not bool(torch.isfinite(v).all()):
        raise ValueError("project_mesh takes finite vertices; got NaN or infinity.")
    if int(f.min()) < 0 or int(f.max()) >= len(v):
        raise ValueError(
            f"project_mesh takes indices 0 to {len(v) - 1}; got {int(f.min())} to {int(f.max())}."
        )
    return v[f.long()]


def _seen_by_rays(corners: Tensor, directions: Tensor) -> list[Tensor]:
    """Distance from the unit sphere, cosine and sine of the lean; ``(K,)`` each."""
    t, which = cast_rays(corners, directions)
    met = torch.isfinite(t)
    a, b, c = corners[which].unbind(1)
    normal = F.normalize(torch.linalg.cross(b - a, c - a), dim=1)
    cosine = (normal * directions).sum(1).abs().clamp(max=1)
    zero = torch.zeros_like(t)
    sine = torch.sqrt(1 - cosine * cosine)
    return [
        torch.where(met, 1 - t, 1.0), torch.where(met, cosine, zero), torch.where(met, sine, zero)
    ]  # fmt: skip

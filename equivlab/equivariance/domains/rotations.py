"""Rotations of space: signals on the sphere and on SO(3), voxels, and points."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from equivlab.equivariance.causes.space import cause_in_space
from equivlab.equivariance.causes.sphere import cause_on_sphere, is_bending
from equivlab.equivariance.domains.base import Domain
from equivlab.equivariance.recording import Call
from equivlab.fields import (
    CartesianVectors,
    Field,
    HealpixMaps,
    Invariant,
    IrrepMaps,
    RotationMaps,
    SphereMaps,
    SpinMaps,
)
from equivlab.fields.sphere import SphericalField
from equivlab.nn.space import Neighbors
from equivlab.so3 import SO3

__all__ = ["PointDomain", "SphereDomain", "VoxelDomain", "turn_name"]

QUADRATURE = 1e-3  # of HEALPix, which has no exact one
RESOLUTION = 0.1  # of what a function of samples gives: more than that folds back on coarse grids


class RotationDomain(Domain[Tensor]):
    """What the three have in common: the group, and names for its elements."""

    def __init__(self, elements: Sequence[Tensor] | Tensor | None = None) -> None:
        self.group = SO3
        chosen = self.usual() if elements is None else list(elements)
        self.elements = [SO3.check(g) for g in chosen]
        self.names = _unique([turn_name(g) for g in self.elements])

    def usual(self) -> list[Tensor]:
        """The identity, and some rotations that no grid has."""
        generator = torch.Generator().manual_seed(8)
        return [SO3.identity, *SO3.random_elements(3, generator)]

    wanted = (
        "audit(model, x, SO3) takes signals on the sphere (B, C, 2b, 2b) or SO(3) (B, C, 2b, 2b, "
        "2b), HEALPix maps (B, C, 12·nside²), voxels (B, C, D, H, W), and points, a tuple such as "
        "(features, find_neighbors(positions, cutoff)); got {shape}. Say what it is: in_field="
    )

    def kinds(self, y: Tensor) -> list[Field[Tensor]]:
        if y.dim() in (1, 2):
            return [Invariant(SO3, y.shape[-1] if y.dim() == 2 else 1)]
        return []


class SphereDomain(RotationDomain):
    """Signals on the sphere and on SO(3), of full and few orders, and HEALPix maps."""

    def kinds(self, y: Tensor) -> list[Field[Tensor]]:
        side, channels = y.shape[-1] if y.dim() else 0, y.shape[1] if y.dim() > 1 else 0
        square = y.dim() > 3 and side == y.shape[-2] and side % 2 == 0
        if y.dim() == 3 and is_healpix(side):
            return [HealpixMaps(channels, math.isqrt(side // 12))]
        if square and y.dim() == 4:
            return [SphereMaps(channels, side // 2)]
        if square and y.dim() == 5 and y.shape[2] == side:
            return [RotationMaps(channels, side // 2)]
        if square and y.dim() == 5 and y.shape[2] % 2:
            spin = SpinMaps(channels, side // 2, y.shape[2] // 2)
            return [spin, SphereMaps(y.shape[2], side // 2)]
        if square and y.dim() == 5:
            return [SphereMaps(y.shape[2], side // 2)]  # many signals for each sample
        if y.dim() > 3 and set(y.shape[2:]) == {1}:  # pooled, with its axes kept
            return [Invariant(SO3, channels)]
        return super().kinds(y)

    def seen(self, field: Field[Tensor], x: Tensor) -> Tensor:
        """What lies below the bandwidth: no layer of the spectrum looks at more."""
        limited = isinstance(field, SphericalField | HealpixMaps)
        return field.act(SO3.identity, x).to(x.dtype) if limited else x

    def tolerance(self, call: Call, exact: float) -> float:
        field = getattr(call.module, "in_field", None)
        if isinstance(field, HealpixMaps) and (field.lmax or 0) <= 2 * field.nside:
            return max(exact, QUADRATURE)
        return max(exact, RESOLUTION) if is_bending(call) else exact

    def cause(self, call: Call, source: Field[Tensor] | None, own: float) -> str:
        return cause_on_sphere(call, source, own)


class VoxelDomain(RotationDomain):
    """Voxels, under rotations of the cube: a quarter turn about each axis makes all 24."""

    complete = False

    def usual(self) -> list[Tensor]:
        quarter, axes = math.pi / 2, torch.eye(3, dtype=torch.float64)
        turns = [SO3.from_axis_angle(axis, quarter).round() for axis in axes]
        return [SO3.identity, *turns, turns[0] @ turns[1], turns[2] @ turns[2]]

    def kinds(self, y: Tensor) -> list[Field[Tensor]]:
        return [IrrepMaps(f"{y.shape[1]}x0e")] if y.dim() == 5 else super().kinds(y)

    def cause(self, call: Call, source: Field[Tensor] | None, own: float) -> str:
        return cause_in_space(call, source, self.elements)


class PointDomain(RotationDomain):
    """Points and graphs: features, positions, neighbours."""

    complete = False

    def kinds(self, y: Tensor) -> list[Field[Tensor]]:
        arrows: list[Field[Tensor]] = (
            [CartesianVectors()] if y.dim() > 1 and y.shape[-1] == 3 else []
        )
        if y.dim() == 3:
            return [Invariant(SO3, y.shape[1]), *arrows]
        return [*super().kinds(y), *arrows]

    def input_kinds(self, x: Tensor) -> list[Field[Tensor]]:
        """Three numbers behind each other are a place."""
        return [*self.kinds(x)[::-1]]

    def move(
        self, g: Tensor, value: object, field_of: Callable[[Tensor], Field[Tensor] | None]
    ) -> object:
        if isinstance(value, Neighbors):
            vector = CartesianVectors().act(g, value.vector)
            return Neighbors(value.source, value.target, vector, value.count, value.cutoff)
        return super().move(g, value, field_of)

    def cause(self, call: Call, source: Field[Tensor] | None, own: float) -> str:
        return cause_in_space(call, source, self.elements)


def is_healpix(pixels: int) -> bool:
    """Is this ``12·nside²`` for a power of two?"""
    nside = math.isqrt(pixels // 12)
    return nside > 0 and 12 * nside**2 == pixels and nside & (nside - 1) == 0


def turn_name(g: Tensor) -> str:
    """A name for people, such as ``'90° about z'`` or ``'71° about (0.3, -0.8, 0.5)'``."""
    g = SO3.check(g).cpu()
    angle = math.acos(max(-1.0, min(1.0, (float(g.diagonal().sum()) - 1) / 2)))
    if angle < 1e-9:
        return "0°"
    lifted = (g + g.mT) / 2 - math.cos(angle) * torch.eye(3, dtype=g.dtype)
    axis = lifted[:, int(lifted.diagonal().argmax())]
    axis = axis / torch.linalg.vector_norm(axis)
    twist = torch.stack([g[2, 1] - g[1, 2], g[0, 2] - g[2, 0], g[1, 0] - g[0, 1]])
    if float(twist @ axis) < 0:
        axis = -axis
    for name, k in (("x", 0), ("y", 1), ("z", 2)):
        if abs(float(axis[k])) > 1 - 1e-9:
            sign = "" if float(axis[k]) > 0 else "−"
            return f"{math.degrees(angle):.0f}° about {sign}{name}"
    numbers = ", ".join(f"{float(a):.2f}" for a in axis)
    return f"{math.degrees(angle):.0f}° about ({numbers})"


def _unique(names: list[str]) -> list[str]:
    return [f"{n} #{names[:k].count(n) + 1}" if n in names[:k] else n for k, n in enumerate(names)]

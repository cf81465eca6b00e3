"""The plane, the sphere, voxels and points, as the audit sees them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral

import torch
from torch import Tensor, nn

from equivlab.equivariance.containers import tensors_of
from equivlab.equivariance.domains.base import Domain, UnknownField
from equivlab.equivariance.domains.circle import CircleDomain
from equivlab.equivariance.domains.planar import PlanarDomain
from equivlab.equivariance.domains.rotations import (
    PointDomain,
    RotationDomain,
    SphereDomain,
    VoxelDomain,
    is_healpix,
)
from equivlab.fields import CartesianVectors, HealpixMaps, IrrepMaps, IrrepPoints
from equivlab.fields.sphere import SphericalField
from equivlab.groups import CircleGroup, PointGroup
from equivlab.nn.space import Neighbors

__all__ = [
    "CircleDomain",
    "Domain",
    "PlanarDomain",
    "RotationDomain",
    "UnknownField",
    "planar_domain",
    "rotation_domain",
    "some_numbers",
    "some_rotations",
]

Elements = Sequence[object] | Tensor | None


def some_numbers(elements: Elements) -> list[int] | None:
    """The elements of a point group that somebody names, NumPy's and torch's integers too.

    Raises:
        TypeError: one that is no whole number.
        ValueError: none at all.
    """
    found: list[int] = []
    for g in _named(elements):
        number = g.item() if isinstance(g, Tensor) and g.dim() == 0 else g
        if not isinstance(number, Integral):
            raise TypeError(f"Elements of a point group are whole numbers; got {number!r}.")
        found.append(int(number))
    return found or None


def some_rotations(elements: Elements) -> list[Tensor] | None:
    """The rotations ``(3, 3)`` that somebody names.

    Raises:
        ValueError: none at all.
    """
    return [torch.as_tensor(g) for g in _named(elements)] or None


def _named(elements: Elements) -> list[object]:
    found: list[object] = [] if elements is None else list(elements)
    if elements is not None and not found:
        raise ValueError("elements names no element; leave it out for the usual ones.")
    return found


def planar_domain(
    group: PointGroup | CircleGroup, elements: Elements = None
) -> PlanarDomain | CircleDomain:
    """The plane, under a point group or all turns.

    Args:
        group: the group.
        elements: those to try: whole numbers of a point group, matrices of `SO2` and `O2`.
    """
    if isinstance(group, PointGroup):
        return PlanarDomain(group, some_numbers(elements))
    return CircleDomain(group, some_rotations(elements))


def rotation_domain(
    model: nn.Module,
    inputs: Sequence[object],
    given: object,
    elements: Sequence[Tensor] | None = None,
) -> RotationDomain:
    """The sphere, voxels or points: by the fields that were given, the layers, or the shapes.

    Args:
        model: the network.
        inputs: what it is called with.
        given: the field of the input, or several, if the user says.
        elements: rotations to try.
    """
    kind = _by_fields([*(given if isinstance(given, list | tuple) else [given])])
    own = [getattr(module, "in_field", None) for module in model.modules()]
    kind = kind or _by_fields(own) or _by_shape(inputs)
    return kind(elements)


def _by_fields(fields: Iterable[object]) -> type[RotationDomain] | None:
    for field in fields:
        if isinstance(field, SphericalField | HealpixMaps):
            return SphereDomain
        if isinstance(field, IrrepMaps):
            return VoxelDomain
        if isinstance(field, IrrepPoints | CartesianVectors):
            return PointDomain
    return None


def _by_shape(inputs: Sequence[object]) -> type[RotationDomain]:
    if any(isinstance(value, Neighbors) for value in inputs):
        return PointDomain
    first = next((x for x in tensors_of(tuple(inputs)) if x.is_floating_point()), None)
    if first is not None and first.dim() == 5:
        return VoxelDomain
    if first is not None and (first.dim() == 4 or is_healpix(first.shape[-1])):
        return SphereDomain
    return PointDomain

"""The poses of an image: the mirror or none, then a turn; and how its maps are put back.

Frames stand so close that the angles of the group and the quarter turns are among them: 5° apart,
of C16 4.5°.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from equivlab.equivariance.curve import inscribed
from equivlab.equivariance.error import equivariance_errors
from equivlab.fields import CircleMaps, RegularMaps, ScalarMaps
from equivlab.groups import CircleGroup, PointGroup
from equivlab.widgets.page.acting import Acting, image_field

__all__ = [
    "STEPS", "MapField", "all_poses", "baseline", "by_pose", "poses", "steps_of",
    "unturn_matrices",
]  # fmt: skip

STEPS = 72  # frames in a full turn, at the least
MapField = ScalarMaps | RegularMaps | CircleMaps


def steps_of(group: Acting) -> int:
    """Frames in a full turn: a multiple of 4 and of the group's turns.

    >>> from equivlab.groups import P4, P6, Cyclic
    >>> [steps_of(group) for group in (P4, P6, Cyclic(8), Cyclic(16))]
    [72, 72, 72, 80]
    """
    least = math.lcm(4, group.turns if isinstance(group, PointGroup) else 4)
    return least * math.ceil(STEPS / least)


def poses(group: Acting) -> list[tuple[Any, float]]:
    """The frames in order: the element acted with first (nothing or the mirror), the angle."""
    steps = steps_of(group)
    return [(m, 2 * math.pi * step / steps) for m in _sides(group) for step in range(steps)]


def _sides(group: Acting) -> list[Any]:
    """Nothing, and the mirror if there is one."""
    if isinstance(group, CircleGroup):
        return [group.from_angle(0.0, mirror) for mirror in (False, True)[: 1 + group.has_mirror]]
    return [0, group.order // 2] if group.has_mirror else [0]


def all_poses(field: MapField, x: Tensor, some: slice = slice(None)) -> Tensor:
    """One sample ``(1, ...)`` in every pose, ``(M·T, ...)``, or in `some` of them."""
    frames = poses(field.group)[some]
    moved = {id(m): field.act(m, x) for m, _ in frames}
    angles = torch.tensor([angle for _, angle in frames], dtype=torch.float64)
    return field.rotate(angles, torch.cat([moved[id(m)] for m, _ in frames]))


def by_pose(frames: Sequence[Tensor] | Tensor, group: Acting) -> Tensor:
    """``(N, M·T, ...)``, or a list of N, as ``(N, M, T, ...)``."""
    stacked = frames if isinstance(frames, Tensor) else torch.stack(list(frames))
    return stacked.view(len(stacked), -1, steps_of(group), *stacked.shape[2:])


def unturn_matrices(group: Acting, frequency: int = 0, parity: int = 1) -> Tensor:
    """How to mix the maps of a channel in each frame back to those of the first, ``(M·T, n, n)``.

    Args:
        group: a point group: its orientations are mixed, and `n` is its order; of `SO2` and `O2`
            the two channels of a pair, `n` is 2.
        frequency: of that pair; 0 for a number, which stays.
        parity: -1 for a number whose sign a mirror changes.
    """
    if isinstance(group, PointGroup):
        back = [group.regular_representation(group.inverse(m)) for m in _sides(group)]
        turns = [group.turn_representation(-angle) for _, angle in poses(group)]
        steps = steps_of(group)
        return torch.stack([back[frame // steps] @ turn for frame, turn in enumerate(turns)])
    found = []
    for side, angle in poses(group):
        g = group.compose(group.from_angle(angle), side)
        sign = parity if bool(torch.linalg.det(g) < 0) else 1
        found.append(group.harmonic(g, frequency).mT if frequency else sign * torch.eye(2).double())
    return torch.stack(found)


def baseline(images: Tensor, group: Acting) -> Tensor:
    """What resampling alone costs: turn each image there and back, ``(N, M, T)``."""
    inside = inscribed(group, images.shape[-1]).to(images)
    field = image_field(group, images.shape[1])
    back = torch.tensor([-angle for _, angle in poses(group)], dtype=torch.float64)
    errors = []
    for image in (images * inside).split(1):
        there = all_poses(field, image) * inside
        sides = [field.act(m, image) for m in _sides(group)]
        upright = torch.cat([one.expand(steps_of(group), -1, -1, -1) for one in sides])
        errors.append(equivariance_errors(field.rotate(back, there) * inside, upright))
    return by_pose(errors, group)

"""The rotations of RotateShape: those computed beforehand, and the page's quaternions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from equivlab.so3 import SO3

__all__ = ["AZIMUTH", "poses_of", "quaternions_of", "rotation_of"]

AZIMUTH = math.radians(28)  # of the eye; it looks from there at x to the right and z up
TILTS = (0.0, math.pi / 4, math.pi / 2)


def poses_of(turns: int) -> Tensor:
    """Rotations for an exported page: turned about z, then tilted about the eye's horizontal."""
    if turns == 0:
        return SO3.identity[None]
    right = torch.tensor([math.cos(AZIMUTH), math.sin(AZIMUTH), 0.0])
    tilts = torch.stack([SO3.from_axis_angle(right, tilt) for tilt in TILTS])
    angles = torch.arange(turns, dtype=torch.float64) * (2 * math.pi / turns)
    turned = SO3.from_zyz(angles, torch.zeros_like(angles), torch.zeros_like(angles))
    return (tilts[:, None] @ turned[None]).flatten(0, 1)  # (3 · turns, 3, 3)


def rotation_of(quaternion: Sequence[float]) -> Tensor:
    """The matrix of a quaternion ``w x y z``, which need not have length 1.

    Raises:
        ValueError: not four finite numbers, or all zero.
    """
    q = torch.as_tensor(quaternion, dtype=torch.float64)
    length = torch.linalg.vector_norm(q)
    if q.shape != (4,) or not bool(torch.isfinite(length)) or float(length) == 0:
        raise ValueError(
            f"A rotation is a quaternion [w, x, y, z]; got {list(quaternion)}. Nothing turned is "
            "[1, 0, 0, 0]."
        )
    w, axis = q[0] / length, q[1:] / length
    angle = 2 * torch.atan2(torch.linalg.vector_norm(axis), w)
    if float(torch.linalg.vector_norm(axis)) == 0:
        return SO3.identity
    return SO3.from_axis_angle(axis, angle)


def quaternions_of(R: Tensor) -> Tensor:
    """Unit quaternions ``(P, 4)`` of rotations ``(P, 3, 3)``, from the largest component on."""
    t = R.diagonal(dim1=1, dim2=2)
    trace = t.sum(1, keepdim=True)
    squares = torch.cat([trace, 2 * t - trace], 1).add(1).clamp_min(0) / 4  # w², x², y², z²
    i, j, k = [0, 1, 2], [1, 2, 0], [2, 0, 1]
    minus = R[:, k, j] - R[:, j, k]  # 4·w·(x, y, z)
    plus = R[:, j, i] + R[:, i, j]  # 4·(xy, yz, zx)
    rows = torch.stack(
        [
            torch.cat([4 * squares[:, :1], minus], 1),
            torch.stack([minus[:, 0], 4 * squares[:, 1], plus[:, 0], plus[:, 2]], 1),
            torch.stack([minus[:, 1], plus[:, 0], 4 * squares[:, 2], plus[:, 1]], 1),
            torch.stack([minus[:, 2], plus[:, 2], plus[:, 1], 4 * squares[:, 3]], 1),
        ],
        1,
    )
    q = rows[torch.arange(len(R)), squares.argmax(1)]
    unit: Tensor = q / torch.linalg.vector_norm(q, dim=1, keepdim=True)
    return unit

"""The poses of a globe that come with its page, for pages without a kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equivlab.so3 import SO3
from equivlab.widgets.globe.engine import SphereEngine

__all__ = ["Recorded", "record_poses"]

MOST_BYTES = 6_000_000


@dataclass(frozen=True)
class Recorded:
    """What networks gave at some poses of all signals.

    Attributes:
        poses: ``(P, 3, 3)``, the first at rest.
        channels: how many of the channels, from the first.
        levels: of each network ``(N, P, 2, channels, Γ, rows, columns)`` uint8.
        errors: of each network ``(N, P)``.
        shares: of each network ``(N, P, 3)`` as `ErrorBudget.shares`, where they cost nothing more.
    """

    poses: Tensor
    channels: int
    levels: list[Tensor]
    errors: list[Tensor]
    shares: list[Tensor | None]


def record_poses(engines: Sequence[SphereEngine], signals: int, turns: int) -> Recorded:
    """The features of all signals at `turns` steps about the upright axis, as far as they fit.

    Where they do not fit into a few megabytes, there are fewer steps, at last the pose at rest
    alone, and of very many channels the first.
    """
    unit = sum(2 * signals * math.prod(engine.texture_shape) for engine in engines)
    most = max(len(engine.channels) for engine in engines)
    channels = min(most, max(1, MOST_BYTES // unit))
    most_poses = MOST_BYTES // (unit * channels)
    count = next((n for n in (turns, turns // 2, turns // 3) if 2 < n <= most_poses), 1)
    angles = torch.arange(count, dtype=torch.float64) * (2 * math.pi / count)
    none = torch.zeros_like(angles)
    poses = SO3.from_zyz(angles, none, none)
    levels, errors = [], []
    shares: list[Tensor | None] = []
    for engine in engines:
        places = range(min(channels, len(engine.channels)))
        rows = [[engine.turn(n, pose, places) for pose in poses] for n in range(signals)]
        levels.append(torch.stack([torch.stack([one.levels for one in row]) for row in rows]))
        errors.append(torch.tensor([[one.error for one in row] for row in rows]))
        shares.append(_shares(engine, poses, errors[-1]) if engine.finer_is_free else None)
    return Recorded(poses, channels, levels, errors, shares)


def _shares(engine: SphereEngine, poses: Tensor, errors: Tensor) -> Tensor:
    """What the errors ``(N, P)`` of an engine consist of."""
    return torch.stack(
        [
            torch.stack(
                [
                    engine.budget(n, pose, float(error)).shares()
                    for pose, error in zip(poses, row, strict=True)
                ]
            )
            for n, row in enumerate(errors)
        ]
    )

"""The layers in space that obey their law exactly, with signals and rotations to test them by."""

from __future__ import annotations

import torch
from torch import Tensor

from equivlab.nn import (
    FieldModule,
    IrrepAvgPool3d,
    IrrepBatchNorm,
    IrrepDownsample3d,
    IrrepGate,
    IrrepNorms,
    IrrepReadout,
)
from equivlab.so3 import SO3
from tests.laws import relative

ALL_PARITIES = "2x0e + 1x0o + 2x1o + 1x1e + 1x2e + 1x2o"


CUBE = SO3.cube_rotations()


POINT_BOUND = 1e-5


def maps(channels: int, size: int, dtype: torch.dtype, batch: int = 1) -> Tensor:
    """Random voxels, the same each time."""
    generator = torch.Generator().manual_seed(size)
    shape = (batch, channels, size, size, size)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def cube_error(layer: FieldModule, x: Tensor) -> float:
    """The largest relative error of the law over the rotations of the cube."""
    y = layer(x)
    turned = layer(torch.cat([layer.in_field.act(g, x) for g in CUBE]))
    wanted = [layer.out_field.act(g, y) for g in CUBE]
    return max(map(relative, turned.split(len(x)), wanted))


def cloud(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Sixty points of three clouds, and which is whose."""
    generator = torch.Generator().manual_seed(3)
    points = 1.5 * torch.randn(60, 3, generator=generator, dtype=torch.float64)
    return points.to(dtype), torch.randint(0, 3, (60,), generator=generator)


MAP_LAYERS = [
    IrrepGate(ALL_PARITIES),
    IrrepGate("3x0e"),
    IrrepGate("2x1o"),
    IrrepBatchNorm(ALL_PARITIES),
    IrrepBatchNorm(ALL_PARITIES, center=False),
    IrrepNorms(ALL_PARITIES),
    IrrepAvgPool3d(ALL_PARITIES, 2),
    IrrepAvgPool3d(ALL_PARITIES, 4, 2, 1),
    IrrepDownsample3d(ALL_PARITIES),
    IrrepDownsample3d(ALL_PARITIES, 3),
    IrrepReadout(ALL_PARITIES),
    IrrepReadout(ALL_PARITIES, "max"),
    IrrepReadout(ALL_PARITIES, "rms"),
]

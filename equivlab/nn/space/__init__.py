"""Layers for space, SE(3): features that are irreps, on voxels and on points.

The language is e3nn's: an `e3nn.o3.Irreps` such as ``"8x0e + 4x1o"`` says what the channels are.
Every layer commutes with rotations, shifts and mirrors of space: on points with all of them, to
rounding; on voxels with the 24 rotations of the cube, to rounding, and with the others as far
as the grid resolves the features.

| voxels ``(B, C, D, H, W)`` | points ``(N, C)`` |
|---|---|
| `SteerableConv3d` | `find_neighbors`, `PointConv`, `IrrepLinear` |
| `IrrepGate`, `IrrepBatchNorm`, `IrrepNorms` | the same, with ``field=IrrepPoints`` |
| `IrrepAvgPool3d`, `IrrepDownsample3d`, `IrrepReadout` | `IrrepPointReadout` |
"""

from equivlab.fields.space import IrrepMaps, IrrepPoints, IrrepVectors
from equivlab.nn.space.clouds import IrrepPointReadout
from equivlab.nn.space.conv import SteerableConv3d
from equivlab.nn.space.gate import IrrepGate, IrrepNorms
from equivlab.nn.space.linear import IrrepLinear
from equivlab.nn.space.neighbors import Neighbors, find_neighbors
from equivlab.nn.space.norm import IrrepBatchNorm
from equivlab.nn.space.points import PointConv, RadialBasis
from equivlab.nn.space.pool import IrrepAvgPool3d, IrrepDownsample3d, IrrepReadout

__all__ = [
    "IrrepAvgPool3d",
    "IrrepBatchNorm",
    "IrrepDownsample3d",
    "IrrepGate",
    "IrrepLinear",
    "IrrepMaps",
    "IrrepNorms",
    "IrrepPointReadout",
    "IrrepPoints",
    "IrrepReadout",
    "IrrepVectors",
    "Neighbors",
    "PointConv",
    "RadialBasis",
    "SteerableConv3d",
    "find_neighbors",
]

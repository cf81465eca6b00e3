"""Layers that commute with turns and mirrors; each says which field it takes and gives."""

from equivlab.nn.base import FieldModule
from equivlab.nn.group_pool import GroupPool, InvariantReadout
from equivlab.nn.healpix import HealpixToSphere
from equivlab.nn.planar import GroupConv2d, LiftingConv2d
from equivlab.nn.planar_norm import GroupBatchNorm, GroupDropout, GroupLayerNorm
from equivlab.nn.planar_pool import GroupAvgPool2d, GroupDownsample2d, GroupMaxPool2d
from equivlab.nn.space import (
    IrrepAvgPool3d,
    IrrepBatchNorm,
    IrrepDownsample3d,
    IrrepGate,
    IrrepLinear,
    IrrepNorms,
    IrrepPointReadout,
    IrrepReadout,
    PointConv,
    SteerableConv3d,
    find_neighbours,
)
from equivlab.nn.sphere import S2Conv, S2Moments, SO3Conv, SO3Integrate, SO3Moments
from equivlab.nn.sphere_activation import SO3Activation
from equivlab.nn.sphere_norm import NormedConv, SO3BatchNorm, SpinBatchNorm
from equivlab.nn.spin import SpinActivation, SpinConv

__all__ = [
    "FieldModule",
    "GroupAvgPool2d",
    "GroupBatchNorm",
    "GroupConv2d",
    "GroupDownsample2d",
    "GroupDropout",
    "GroupLayerNorm",
    "GroupMaxPool2d",
    "GroupPool",
    "HealpixToSphere",
    "InvariantReadout",
    "IrrepAvgPool3d",
    "IrrepBatchNorm",
    "IrrepDownsample3d",
    "IrrepGate",
    "IrrepLinear",
    "IrrepNorms",
    "IrrepPointReadout",
    "IrrepReadout",
    "LiftingConv2d",
    "NormedConv",
    "PointConv",
    "S2Conv",
    "S2Moments",
    "SO3Activation",
    "SO3BatchNorm",
    "SO3Conv",
    "SO3Integrate",
    "SO3Moments",
    "SpinActivation",
    "SpinBatchNorm",
    "SpinConv",
    "SteerableConv3d",
    "find_neighbours",
]

"""Layers that commute with turns and mirrors; each says which field it takes and gives."""

from equivlab.nn.base import FieldModule
from equivlab.nn.planar.adaptive import GroupAdaptiveAvgPool2d, GroupAdaptiveMaxPool2d
from equivlab.nn.planar.align import GroupAlign2d, GroupPad2d
from equivlab.nn.planar.block_norm import GroupBlockNorm, OrientedLayerNorm
from equivlab.nn.planar.conv import GroupConv2d, LiftingConv2d
from equivlab.nn.planar.disc import DiscMask
from equivlab.nn.planar.double import CircleDouble2d, GroupDouble2d
from equivlab.nn.planar.fusing import fuse
from equivlab.nn.planar.group_pool import GroupPool, InvariantReadout
from equivlab.nn.planar.linear import GroupLinear
from equivlab.nn.planar.norm import GroupBatchNorm, GroupDropout, GroupLayerNorm
from equivlab.nn.planar.pool import GroupAvgPool2d, GroupDownsample2d, GroupMaxPool2d
from equivlab.nn.planar.restrict import GroupInduce, GroupRestrict
from equivlab.nn.planar.steerable import (
    CircleActivation,
    CircleDownsample2d,
    CircleGate,
    CircleReadout,
    SteerableConv2d,
    fourier_matrix,
)
from equivlab.nn.planar.strip import GroupStripConv2d, LiftingStripConv2d
from equivlab.nn.planar.transposed import GroupConvTranspose2d
from equivlab.nn.planar.upsample import GroupUpsample2d
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
    find_neighbors,
)
from equivlab.nn.sphere.activation import SO3Activation
from equivlab.nn.sphere.conv import S2Conv, SO3Conv
from equivlab.nn.sphere.healpix import HealpixToSphere
from equivlab.nn.sphere.moments import S2Moments, SO3Integrate, SO3Moments
from equivlab.nn.sphere.norm import NormedConv, SO3BatchNorm, SpinBatchNorm
from equivlab.nn.sphere.spin import SpinActivation, SpinConv

__all__ = [
    "CircleActivation",
    "CircleDouble2d",
    "CircleDownsample2d",
    "CircleGate",
    "CircleReadout",
    "DiscMask",
    "FieldModule",
    "GroupAdaptiveAvgPool2d",
    "GroupAdaptiveMaxPool2d",
    "GroupAlign2d",
    "GroupAvgPool2d",
    "GroupBatchNorm",
    "GroupBlockNorm",
    "GroupConv2d",
    "GroupConvTranspose2d",
    "GroupDouble2d",
    "GroupDownsample2d",
    "GroupDropout",
    "GroupInduce",
    "GroupLayerNorm",
    "GroupLinear",
    "GroupMaxPool2d",
    "GroupPad2d",
    "GroupPool",
    "GroupRestrict",
    "GroupStripConv2d",
    "GroupUpsample2d",
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
    "LiftingStripConv2d",
    "NormedConv",
    "OrientedLayerNorm",
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
    "SteerableConv2d",
    "SteerableConv3d",
    "find_neighbors",
    "fourier_matrix",
    "fuse",
]

"""Layers on the plane: group convolutions, norms, pooling and read-outs for point groups."""

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
from equivlab.nn.planar.strip import GroupStripConv2d, LiftingStripConv2d
from equivlab.nn.planar.transposed import GroupConvTranspose2d
from equivlab.nn.planar.upsample import GroupUpsample2d

__all__ = [
    "CircleDouble2d",
    "DiscMask",
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
    "InvariantReadout",
    "LiftingConv2d",
    "LiftingStripConv2d",
    "OrientedLayerNorm",
    "fuse",
]

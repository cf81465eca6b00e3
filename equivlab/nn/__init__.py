"""Layers that commute with turns and mirrors; each says which field it takes and gives."""

from equivlab.nn.base import FieldModule
from equivlab.nn.group_pool import GroupPool, InvariantReadout
from equivlab.nn.planar import GroupConv2d, LiftingConv2d
from equivlab.nn.planar_norm import GroupBatchNorm, GroupDropout, GroupLayerNorm
from equivlab.nn.planar_pool import GroupAvgPool2d, GroupDownsample2d, GroupMaxPool2d

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
    "InvariantReadout",
    "LiftingConv2d",
]

"""A small P4 network for digits, and the turns that it is trained with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equivlab.data import rotate_each
from equivlab.groups import P4
from equivlab.nn import GroupBatchNorm, GroupConv2d, InvariantReadout, LiftingConv2d


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        LiftingConv2d(P4, 1, 4, 5, stride=3),
        GroupBatchNorm(P4, 4),
        nn.ReLU(),
        nn.Dropout(0.1),
        GroupConv2d(P4, 4, 10, 3),
        InvariantReadout(P4, 10),
    )


def turned(x: Tensor, generator: torch.Generator) -> Tensor:
    return rotate_each(x, generator)[0]

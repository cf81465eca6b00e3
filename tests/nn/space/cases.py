"""The layers on voxels and points, a row each."""

from __future__ import annotations

from typing import Any

import torch

from equivlab import nn
from equivlab.fields import IrrepPoints
from tests.nn.case import CONVERTED, Case
from tests.nn.space.layers import ALL_PARITIES

TO = "2x0e + 1x0o + 1x1o + 1x1e + 1x2e"
NO_TWIN = "has no twin.*torch.export"
FEW = ((1, 3, 5, 5, 5), "3 channels; the irreps .* need")
FEW_POINTS = ((9, 3), "3 channels; the irreps .* need")


def _near(dtype: torch.dtype, size: int = 9) -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(size, 3, generator=generator, dtype=torch.float64)
    return (nn.find_neighbors(points.to(dtype), 2.0),)


def _clouds(_: torch.dtype) -> tuple[Any, ...]:
    return (torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 1]),)


LAYERS: dict[str, Case] = {
    "SteerableConv3d": Case(
        lambda: nn.SteerableConv3d(ALL_PARITIES, TO, 3, padding=1),
        bad=(FEW, ((1, 22), "It wants 5 axes, not 2")),
        plain=CONVERTED,
        size=5,
    ),
    "SteerableConv3d smooth": Case(
        lambda: nn.SteerableConv3d(ALL_PARITIES, TO, 3, profile="gaussian"),
        bad=(FEW, ((1, 22, 2, 5, 5), "3 voxels a side or more; got .* Use padding=1 with")),
        plain=CONVERTED,
        size=5,
    ),
    "IrrepGate": Case(lambda: nn.IrrepGate(ALL_PARITIES), bad=(FEW,), plain=CONVERTED, size=5),
    "IrrepGate points": Case(
        lambda: nn.IrrepGate(ALL_PARITIES, IrrepPoints), bad=(FEW_POINTS,), plain=CONVERTED
    ),
    "IrrepBatchNorm": Case(
        lambda: nn.IrrepBatchNorm(ALL_PARITIES), bad=(FEW,), plain=CONVERTED, size=5
    ),
    "IrrepBatchNorm points": Case(
        lambda: nn.IrrepBatchNorm(ALL_PARITIES, IrrepPoints), bad=(FEW_POINTS,), plain=CONVERTED
    ),
    "IrrepNorms": Case(lambda: nn.IrrepNorms(ALL_PARITIES), bad=(FEW,), plain=CONVERTED, size=5),
    "IrrepNorms points": Case(
        lambda: nn.IrrepNorms(ALL_PARITIES, IrrepPoints), bad=(FEW_POINTS,), plain=CONVERTED
    ),
    "IrrepAvgPool3d": Case(
        lambda: nn.IrrepAvgPool3d(ALL_PARITIES, 2),
        bad=(FEW, ((1, 22, 1, 1, 1), "Use a smaller kernel_size")),
        plain=CONVERTED,
        size=6,
    ),
    "IrrepDownsample3d": Case(
        lambda: nn.IrrepDownsample3d(ALL_PARITIES, size=6),
        bad=(FEW, ((1, 22, 9, 9, 9), "size=6; got")),
        plain=CONVERTED,
        size=6,
    ),
    "IrrepDownsample3d any": Case(
        lambda: nn.IrrepDownsample3d(ALL_PARITIES),
        bad=(FEW,),
        plain=r"IrrepDownsample3d\(\.\.\., size=16\)",
        size=6,
    ),
    "IrrepReadout": Case(
        lambda: nn.IrrepReadout(ALL_PARITIES),
        bad=(FEW, ((1, 22), "5 axes, not 2")),
        plain=CONVERTED,
        size=5,
    ),
    "IrrepLinear": Case(
        lambda: nn.IrrepLinear(ALL_PARITIES, TO, bias=True), bad=(FEW_POINTS,), plain=NO_TWIN
    ),
    "IrrepPointReadout": Case(
        lambda: nn.IrrepPointReadout(ALL_PARITIES),
        bad=(FEW_POINTS,),
        plain=NO_TWIN,
        size=9,
        more=_clouds,
    ),
    "PointConv": Case(
        lambda: nn.PointConv(ALL_PARITIES, TO, 2.0),
        bad=(FEW_POINTS, ((8, 22), "one feature for each point; got 8 features")),
        plain=NO_TWIN,
        size=9,
        more=_near,
    ),
}

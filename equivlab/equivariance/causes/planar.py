"""Why a layer breaks the law of turns and mirrors of images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equivlab.equivariance.causes.steps import wrong_steps
from equivlab.groups import PointGroup

__all__ = ["likely_cause"]


def likely_cause(module: nn.Module, given: object, group: PointGroup | None) -> str:
    """One sentence on why `module` breaks the law on the input `given`, and the remedy.

    The geometry (stride, padding) is looked at first, for it also spoils a layer with good
    weights; then the weights.

    Args:
        module: the layer.
        given: its input.
        group: the group that acts.
    """
    steps = wrong_steps(module, given, "GroupDownsample2d", "rows")
    ordinary = type(module).__module__.startswith("torch.") and hasattr(module, "kernel_size")
    if ordinary and group is not None and group.lattice == "hexagonal":
        return (
            "its windows are squares of the array, which no turn by 60° maps to themselves. Use "
            f"LiftingConv2d({group}, ...), then GroupConv2d; or GroupMaxPool2d, GroupAvgPool2d."
        )
    reasons = [steps, _weights(module, group)]
    return " ".join(reason for reason in reasons if reason) or (
        "its output at a pixel depends on where that pixel is, or on the order of the "
        "orientations; look for code that treats rows, columns or axis 2 by number."
    )


def _weights(module: nn.Module, group: PointGroup | None) -> str | None:
    """What is wrong with the numbers that the layer has learned, if anything is."""
    weight = getattr(module, "weight", None)
    if isinstance(weight, Tensor):
        weight = weight.detach()
    if isinstance(module, nn.Flatten):
        return (
            "it lays pixels and orientations out in a row, each in a place of its own. Pool over "
            "the group and over space instead: InvariantReadout."
        )
    if isinstance(module, nn.Linear):
        return (
            "a Linear layer has a number of its own for each of its inputs: each pixel, each "
            "orientation. Pool over the group and over space before it: InvariantReadout."
        )
    if isinstance(module, nn.Conv2d) and isinstance(weight, Tensor) and group is not None:
        moved = max(
            float(torch.linalg.vector_norm(group.move(g, weight) - weight))
            for g in group.elements
            if group.permutes(g)
        ) / float(torch.linalg.vector_norm(weight).clamp_min(1e-30))
        return (
            f"its filters differ from their turned copies by {100 * moved:.0f} %, and nothing "
            "ties them. Use LiftingConv2d, then GroupConv2d."
        )
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return (
            "its scale, shift and running statistics are one per map, so the orientations of a "
            "field differ. Use GroupBatchNorm."
        )
    if isinstance(module, nn.LayerNorm | nn.GroupNorm) and weight is not None:
        return (
            "its scale and shift differ between the orientations or the pixels. Use GroupLayerNorm."
        )
    return None

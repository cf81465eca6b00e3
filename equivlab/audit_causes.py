"""Why does a layer break the law? The likely cause in plain words, and what to do about it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from equivlab.fields import PlanarField
from equivlab.groups import PointGroup

__all__ = ["likely_cause"]


def likely_cause(module: nn.Module, given: Any, field: PlanarField | None) -> str:
    """One sentence on why `module` breaks the law on the input `given`, and the remedy.

    The geometry (stride, padding) is looked at first, for it also spoils a layer with good
    weights; then the weights.

    Args:
        module: the layer.
        given: its input.
        field: the kind of that input.
    """
    group = field.group if field is not None else None
    reasons = [_geometry(module, given), _weights(module, group)]
    return " ".join(reason for reason in reasons if reason) or (
        "its output at a pixel depends on where that pixel is, or on the order of the "
        "orientations; look for code that treats rows, columns or axis 2 by number."
    )


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value


def _geometry(module: nn.Module, given: Any) -> str | None:
    """What is wrong with the grid that the layer steps over, if anything is."""
    size = given.shape[-1] if isinstance(given, Tensor) and given.dim() >= 4 else None
    kernel = getattr(module, "kernel_size", None)
    if isinstance(module, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d) and size:
        out = _one(module.output_size)
        if out and size % out:
            return f"its {out} windows do not divide {size} rows. Use a size that {out} divides."
        return None
    if size is None or kernel is None or isinstance(module, nn.ConvTranspose2d):
        return None
    kernel, stride = _one(kernel), _one(getattr(module, "stride", 1)) or _one(kernel)
    padding, dilation = _one(getattr(module, "padding", 0)), _one(getattr(module, "dilation", 1))
    if padding == "same" and dilation * (kernel - 1) % 2:
        return (
            f"padding='same' with kernel_size={kernel} pads one side more than the other. "
            "Use an odd kernel."
        )
    padding = padding if isinstance(padding, int) else 0
    rest = (size + 2 * padding - dilation * (kernel - 1) - 1) % stride
    if rest == 0:
        return None
    return (
        f"stride {stride} with kernel {kernel} and padding {padding} on {size} rows stops {rest} "
        f"short of the edge, so a turn does not map its grid to itself. Use "
        f"{size - rest} or {size - rest + stride} rows, or GroupDownsample2d, which is exact on "
        "every size."
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
            float(torch.linalg.vector_norm(group.move(g, weight) - weight)) for g in group.elements
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

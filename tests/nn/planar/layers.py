"""Every planar layer that is no convolution, made from a group and a number of channels."""

from __future__ import annotations

from collections.abc import Callable

from equivlab.nn import (
    FieldModule,
    GroupAvgPool2d,
    GroupBatchNorm,
    GroupDownsample2d,
    GroupLayerNorm,
    GroupMaxPool2d,
    GroupPool,
    InvariantReadout,
)

Make = Callable[..., FieldModule]


OTHERS: dict[str, Make] = {
    "batch norm": GroupBatchNorm,
    "batch norm, plain": lambda *a: GroupBatchNorm(*a, affine=False, track_running_stats=False),
    "layer norm": GroupLayerNorm,
    "max pool 2": lambda *a: GroupMaxPool2d(*a, 2),
    "max pool 3 step 2": lambda *a: GroupMaxPool2d(*a, 3, 2, 1, ceil_mode=True),
    "max pool dilated": lambda *a: GroupMaxPool2d(*a, 2, 1, dilation=2),
    "average pool 2": lambda *a: GroupAvgPool2d(*a, 2),
    "average pool 3 step 1": lambda *a: GroupAvgPool2d(*a, 3, 1, 1, count_include_pad=False),
    "downsample 2": GroupDownsample2d,
    "downsample 3": lambda *a: GroupDownsample2d(*a, 3, "zeros"),
    "downsample 4": lambda *a: GroupDownsample2d(*a, 4, "reflect"),
    "downsample circular": lambda *a: GroupDownsample2d(*a, 2, "circular"),
    **{f"group pool {m}": lambda *a, m=m: GroupPool(*a, m) for m in ("max", "mean", "norm")},
    **{
        f"read-out {m} {s}": lambda *a, m=m, s=s: InvariantReadout(*a, m, s)
        for m in ("max", "mean", "norm")
        for s in ("mean", "max")
    },
}

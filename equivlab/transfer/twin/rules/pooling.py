"""Pooling, padding and interpolation: map by map, with windows and frames made exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import nn

from equivlab.nn import (
    GroupAdaptiveAvgPool2d,
    GroupAdaptiveMaxPool2d,
    GroupAvgPool2d,
    GroupDownsample2d,
    GroupMaxPool2d,
    GroupPad2d,
    GroupUpsample2d,
)
from equivlab.transfer.twin.reading import Call, Side
from equivlab.transfer.twin.rules.arguments import bind, one, setting
from equivlab.transfer.twin.rules.convolving import align
from equivlab.transfer.twin.values import Value
from equivlab.transfer.twin.writing import Rule, Writer

__all__ = ["POOLS", "POOL_FUNCTIONS", "crop", "upsample"]

PADS: dict[type[nn.Module], str] = {
    nn.ZeroPad2d: "constant", nn.ConstantPad2d: "constant", nn.ReflectionPad2d: "reflect",
    nn.ReplicationPad2d: "replicate", nn.CircularPad2d: "circular",
}  # fmt: skip


def maps_of(writer: Writer, call: Call) -> Value:
    """The maps that a call takes."""
    x = writer.value(call, call.args[0] if call.args else call.kwargs.get("input"))
    if x.kind == "numbers" or x.layout != "maps":
        writer.refuse(
            call, f"{call.name} takes axes {x.axes}, which are no rows and columns",
            "Give it maps (B, C, H, W).",
        )  # fmt: skip
    return x


def named(call: Call) -> str:
    """Where the twin of a call goes."""
    return call.path if call.layer is not None else f"{call.path}.{call.name}".lstrip(".")


def max_pool(writer: Writer, call: Call) -> Value:
    """Maxima over windows."""
    if setting(call, 6, "return_indices", False):
        writer.refuse(call, "gives the places of its maxima", "Use return_indices=False.")
    dilation = one(writer, call, setting(call, 4, "dilation", 1), "dilation")
    return window(
        writer, call, maps_of(writer, call), dilation, setting(call, 5, "ceil_mode", False)
    )


def average_pool(writer: Writer, call: Call) -> Value:
    """Averages over windows; one as large as the map is an average over all of it."""
    x = maps_of(writer, call)
    kernel = setting(call, 1, "kernel_size")
    if isinstance(kernel, tuple) and all(isinstance(side, Side) for side in kernel):
        return globally(writer, call, x, GroupAdaptiveAvgPool2d, 1)
    return window(writer, call, x, 1, setting(call, 4, "ceil_mode", False))


def window(writer: Writer, call: Call, x: Value, dilation: int, ceil_mode: bool) -> Value:
    kernel = one(writer, call, setting(call, 1, "kernel_size"), "kernel_size")
    given = setting(call, 2, "stride")
    step = kernel if given is None or given == () else one(writer, call, given, "stride")
    margin = one(writer, call, setting(call, 3, "padding", 0), "padding")
    path, blurs = named(call), writer.settings.strides == "blur" and step > 1
    taken = 1 if blurs else step
    part: Any
    if call.name in ("MaxPool2d", "max_pool2d"):
        part = GroupMaxPool2d(writer.group, x.width, kernel, taken, margin, dilation)
    else:
        counts = setting(call, 5, "count_include_pad", True)
        divisor = setting(call, 6, "divisor_override")
        part = GroupAvgPool2d(
            writer.group, x.width, kernel, taken, margin,
            count_include_pad=counts, divisor_override=divisor,
        )  # fmt: skip
    x = writer.lifted(x, path)
    if step > 1 and not blurs:
        x = align(writer, x, path, part, bool(ceil_mode))
    writer.say(call, type(part).__name__, path)
    x = x.at(writer.add(path, part, x))
    if blurs:
        down = GroupDownsample2d(writer.group, x.width, step)
        x = x.at(writer.add(f"{path}_downsample", down, x))
    return x


def adaptive(kind: type[nn.Module], place: int) -> Rule:
    """Pooling to a given size."""

    def rule(writer: Writer, call: Call) -> Value:
        wanted = setting(call, place, "output_size", 1)
        sides = wanted if isinstance(wanted, tuple | list) else (wanted, wanted)
        return globally(
            writer,
            call,
            maps_of(writer, call),
            kind,
            one(writer, call, tuple(sides), "output_size"),
        )

    return rule


def globally(writer: Writer, call: Call, x: Value, kind: Any, size: int) -> Value:
    x = writer.lifted(x, named(call))
    writer.say(call, kind.__name__, named(call))
    return x.at(writer.add(named(call), kind(writer.group, x.width, size), x))


def pad_layer(writer: Writer, call: Call) -> Value:
    """One of torch's layers that pad."""
    plain: Any = call.layer
    mode = next(mode for kind, mode in PADS.items() if isinstance(plain, kind))
    value = float(getattr(plain, "value", 0.0))
    return padded(writer, call, maps_of(writer, call), plain.padding, mode, value)


def pad_function(writer: Writer, call: Call) -> Value:
    """`torch.nn.functional.pad`."""
    given = bind(call, input=None, pad=(), mode="constant", value=None)
    x = maps_of(writer, call)
    return padded(writer, call, x, given["pad"], given["mode"], float(given["value"] or 0.0))


def padded(
    writer: Writer, call: Call, x: Value, sides: Sequence[int], mode: str, value: float
) -> Value:
    """As much on every side: what one side has more is shared by half a pixel."""
    left, right, top, bottom = (int(n) for n in (*sides, 0, 0, 0, 0)[:4])
    uneven = max(abs(left - right), abs(top - bottom)) > 1
    if left + right != top + bottom or uneven or any(sides[4:]):
        writer.refuse(
            call, f"pads {tuple(sides)}, more to one side than to another",
            "Pad the same number of pixels on all four sides.",
        )  # fmt: skip
    total, name = left + right, named(call)
    if not total:
        return x
    torch_mode = "zeros" if mode == "constant" else mode
    part = GroupPad2d(writer.group, x.width, total, torch_mode, value, lifted=x.kind != "image")
    writer.say(call, "GroupPad2d", name)
    return x.at(writer.add(name, part, x))


def crop(writer: Writer, call: Call, x: Value, cuts: list[tuple[int, int]]) -> Value:
    """Rows and columns cut away, before and after."""
    (above, below), (left, right) = cuts
    return padded(writer, call, x, (-left, -right, -above, -below), "constant", 0.0)


def interpolate(writer: Writer, call: Call) -> Value:
    """`torch.nn.functional.interpolate`, `torch.nn.Upsample`."""
    size, factor = setting(call, 1, "size"), setting(call, 2, "scale_factor")
    mode, corners = setting(call, 3, "mode", "nearest"), setting(call, 4, "align_corners")
    if setting(call, 6, "antialias", False) or mode not in (
        "nearest", "nearest-exact", "bilinear", "bicubic", "area",
    ):  # fmt: skip
        writer.refuse(call, f"interpolates by {mode!r} with antialias", "Use mode='bilinear'.")
    if isinstance(factor, tuple | list):
        if len(set(factor)) != 1:
            writer.refuse(call, f"has scale_factor={factor!r}", "Use one for both axes.")
        factor = float(factor[0])
    x = maps_of(writer, call)
    return upsample(writer, call, x, size, factor, mode, corners)


def upsample(
    writer: Writer, call: Call, x: Value, size: Any, factor: Any, mode: str, corners: Any = None
) -> Value:
    """Maps of another size, perhaps that of other maps."""
    like = None
    if isinstance(size, tuple | list) and all(isinstance(n, Side) for n in size):
        rows, columns = size
        other = writer.values.get(rows.ref)
        if rows.ref == columns.ref and other is not None and other.layout == "maps":
            like = other if (rows.axis, columns.axis) == (2, 3) else None
    if isinstance(size, tuple | list):
        size = tuple(int(n) for n in size)
    if x.kind == "image":
        sides = size if size is None or isinstance(size, tuple) else (int(size), int(size))
        node = writer.graph.call_function(F.interpolate, (x.node, sides, factor, mode, corners))
        return x.at(node)
    whole, times = (None, None) if like is not None else (size, factor)
    part = GroupUpsample2d(writer.group, x.width, whole, times, mode, corners)
    name = writer.place(named(call), part)
    writer.say(call, "GroupUpsample2d", name)
    inputs = (x.node,) if like is None else (x.node, like.node)
    return x.at(writer.graph.call_module(name, inputs))


AVERAGE, MAXIMUM = (adaptive(kind, 1) for kind in (GroupAdaptiveAvgPool2d, GroupAdaptiveMaxPool2d))
POOLS: dict[type[nn.Module], Rule] = {
    nn.MaxPool2d: max_pool,
    nn.AvgPool2d: average_pool,
    nn.AdaptiveAvgPool2d: AVERAGE,
    nn.AdaptiveMaxPool2d: MAXIMUM,
    nn.Upsample: interpolate,
    **dict.fromkeys(PADS, pad_layer),
}
POOL_FUNCTIONS: dict[str, Rule] = {
    "max_pool2d": max_pool,
    "avg_pool2d": average_pool,
    "adaptive_avg_pool2d": AVERAGE,
    "adaptive_max_pool2d": MAXIMUM,
    "interpolate": interpolate,
    "upsample": interpolate,
    "pad": pad_function,
}

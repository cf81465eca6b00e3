"""Convolutions and linear layers: the first lifts, the others go from group to group."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from equivlab.nn import (
    GroupAlign2d,
    GroupConv2d,
    GroupConvTranspose2d,
    GroupDownsample2d,
    GroupLinear,
    GroupPad2d,
    GroupPool,
    GroupStripConv2d,
    LiftingConv2d,
    LiftingStripConv2d,
)
from equivlab.transfer.twin.reading import Call, Weight
from equivlab.transfer.twin.rules.arguments import bind, one
from equivlab.transfer.twin.values import Value
from equivlab.transfer.twin.writing import Rule, Writer

__all__ = ["CONVOLUTIONS", "CONVOLUTION_FUNCTIONS", "align"]


@dataclass(frozen=True)
class Filters:
    """A convolution of the plain network: its numbers, and how it steps."""

    path: str
    weight: Tensor  # (O, I/groups, k, k)
    bias: Tensor | None
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1
    padding_mode: str = "zeros"
    extra: Any = 0  # output_padding


def weights_of(writer: Writer, call: Call, weight: Any, bias: Any) -> tuple[str, Tensor, Any]:
    """The layer that owns the numbers of a function, and they."""
    if not isinstance(weight, Weight) or not (bias is None or isinstance(bias, Weight)):
        writer.refuse(
            call, f"{call.name} takes a weight that is computed, not a parameter",
            "Bake it in before (fuse or remove what standardises it), or use an ordinary layer.",
        )  # fmt: skip
    kept = writer.original(weight.name)
    if tuple(kept.shape) != weight.shape:
        writer.refuse(call, f"{weight.name} is used in another shape", "Store it in that shape.")
    owner = weight.name.rpartition(".")[0]
    return owner or call.path, kept, None if bias is None else writer.original(bias.name)


def conv_layer(writer: Writer, call: Call) -> Value:
    """`torch.nn.Conv2d`."""
    plain: Any = writer.model.get_submodule(call.path)
    filters = Filters(
        call.path, plain.weight, plain.bias, plain.stride, plain.padding, plain.dilation,
        plain.groups, plain.padding_mode,
    )  # fmt: skip
    return convolve(writer, call, writer.value(call, call.args[0]), filters)


def conv_function(writer: Writer, call: Call) -> Value:
    """`torch.nn.functional.conv2d`, whose weight is some layer's."""
    given = bind(
        call, input=None, weight=None, bias=None, stride=1, padding=0, dilation=1, groups=1
    )
    owner, weight, bias = weights_of(writer, call, given["weight"], given["bias"])
    rest = (given["stride"], given["padding"], given["dilation"], given["groups"])
    filters = Filters(owner, weight, bias, *rest)
    return convolve(writer, call, writer.value(call, given["input"]), filters)


def convolve(writer: Writer, call: Call, x: Value, filters: Filters) -> Value:
    """The convolution of the twin, with its stride made exact."""
    if x.kind == "numbers" or x.layout != "maps":
        writer.refuse(
            call, f"{call.name} looks at axes {x.axes}, which are no rows and columns",
            "Convolve maps (B, C, H, W).",
        )  # fmt: skip
    step = one(writer, call, filters.stride, "stride")
    spread = one(writer, call, filters.dilation, "dilation")
    sides = (int(filters.weight.shape[2]), int(filters.weight.shape[3]))
    groups, fields, channels = blocks(writer, call, x, filters)
    lifts = x.kind == "image"
    home = writer.home(filters.weight)
    blurs = writer.settings.strides == "blur" and step > 1
    shared: dict[str, Any] = {
        "bias": filters.bias is not None, "groups": groups, "dilation": spread,
        "device": home.device, "dtype": home.dtype, "stride": 1 if blurs else step,
    }  # fmt: skip
    margins = paddings(writer, call, filters, sides, spread)
    part: nn.Module
    if sides[0] == sides[1]:
        margin = one(writer, call, margins, "padding")
        kind = LiftingConv2d if lifts else GroupConv2d
        part = kind(
            writer.group, x.width, sum(fields), sides[0], padding=margin,
            padding_mode=filters.padding_mode, **shared,
        )  # fmt: skip
    else:
        strip = LiftingStripConv2d if lifts else GroupStripConv2d
        if filters.padding_mode != "zeros":
            writer.refuse(call, f"pads with {filters.padding_mode!r}", "Use padding_mode='zeros'.")
        try:
            part = strip(writer.group, x.width, sum(fields), sides, padding=margins, **shared)
        except ValueError as error:
            writer.refuse(call, str(error), "Use such a filter.")
    if step > 1 and not blurs:
        x = align(writer, x, filters.path, part)
    given = {"weight": filters.weight, "bias": filters.bias}
    node = writer.layer(call, filters.path, part, x, given)
    out = Value(node, "regular", fields, channels)
    if blurs:
        down = GroupDownsample2d(writer.group, out.width, step)
        out = out.at(writer.add(f"{filters.path}_downsample", down, out))
    return out


def align(writer: Writer, x: Value, path: str, window: Any, ceil_mode: bool = False) -> Value:
    """`x` on a size at which the window steps exactly."""
    part = GroupAlign2d(
        writer.group, x.width, window.kernel_size, window.stride, window.padding, window.dilation,
        ceil_mode, lifted=x.kind != "image",
    )  # fmt: skip
    return x.at(writer.add(f"{path}_align", part, x))


def blocks(
    writer: Writer, call: Call, x: Value, filters: Filters
) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Groups, fields and channels of the result."""
    outs, per_block = filters.weight.shape[:2]
    ins, groups = per_block * filters.groups, filters.groups
    if x.width != ins and x.kind == "image":
        writer.refuse(call, f"takes {ins} channels; the image has {x.width}", "Say it: like=.")
    if groups == ins > 1 and x.kind == "regular":  # depthwise: each field by itself
        times = outs // ins
        if times == 1:
            return x.width, x.fields, x.channels
        return x.width, (x.width * times,), (outs,)
    fields = writer.fields(outs)
    if x.width % groups or fields % groups:
        writer.refuse(
            call, f"has groups={groups}, which do not divide its {x.width} and {fields} fields",
            "Use match='fields', with as many fields as channels.",
        )  # fmt: skip
    return groups, (fields,), (outs,)


def paddings(
    writer: Writer, call: Call, filters: Filters, sides: tuple[int, ...], spread: int
) -> tuple[int, int]:
    """Rows and columns that are padded at each end."""
    if filters.padding == "valid":
        return 0, 0
    if filters.padding == "same":
        totals = [spread * (side - 1) for side in sides]
        if any(total % 2 for total in totals):
            writer.refuse(
                call, f"pads {totals} pixels in all, one end more than the other ('same')",
                "Use odd kernels, or give the padding as a number.",
            )  # fmt: skip
        return totals[0] // 2, totals[1] // 2
    value = filters.padding
    margins = tuple(value) if isinstance(value, tuple | list) else (value, value)
    return margins if len(margins) == 2 else (margins[0], margins[0])


def transposed_layer(writer: Writer, call: Call) -> Value:
    """`torch.nn.ConvTranspose2d`."""
    plain: Any = writer.model.get_submodule(call.path)
    if len(call.args) > 1 or call.kwargs:
        writer.refuse(call, "is told an output_size", "Give output_padding to the layer instead.")
    filters = Filters(
        call.path, plain.weight, plain.bias, plain.stride, plain.padding, plain.dilation,
        plain.groups, plain.padding_mode, plain.output_padding,
    )  # fmt: skip
    return transpose(writer, call, writer.value(call, call.args[0]), filters)


def transposed_function(writer: Writer, call: Call) -> Value:
    """`torch.nn.functional.conv_transpose2d`."""
    given = bind(
        call, input=None, weight=None, bias=None, stride=1, padding=0, output_padding=0, groups=1,
        dilation=1,
    )  # fmt: skip
    owner, weight, bias = weights_of(writer, call, given["weight"], given["bias"])
    filters = Filters(
        owner, weight, bias, given["stride"], given["padding"], given["dilation"],
        given["groups"], extra=given["output_padding"],
    )  # fmt: skip
    return transpose(writer, call, writer.value(call, given["input"]), filters)


def transpose(writer: Writer, call: Call, x: Value, filters: Filters) -> Value:
    """The transposed convolution, cut evenly at both ends."""
    x = writer.lifted(x, call.path)
    groups = filters.groups
    # (I, O/groups, k, k) to the layout of a convolution, (O, I/groups, k, k):
    ordered = filters.weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    filters = replace(filters, weight=ordered)
    groups, fields, channels = blocks(writer, call, x, filters)
    cut = 2 * one(writer, call, filters.padding, "padding")
    cut -= one(writer, call, filters.extra, "output_padding")
    home = writer.home(filters.weight)
    part = GroupConvTranspose2d(
        writer.group, x.width, sum(fields), tuple(ordered.shape[2:]),
        one(writer, call, filters.stride, "stride"), max(cut, 0) // 2,
        one(writer, call, filters.dilation, "dilation"), groups,
        bias=filters.bias is not None, device=home.device, dtype=home.dtype,
    )  # fmt: skip
    given = {"weight": filters.weight, "bias": filters.bias}
    out = Value(writer.layer(call, filters.path, part, x, given), "regular", fields, channels)
    rest = -cut if cut < 0 else -(cut % 2)
    if rest:
        pad = GroupPad2d(writer.group, out.width, rest)
        out = out.at(writer.add(f"{filters.path}_pad", pad, out))
    return out


def linear_layer(writer: Writer, call: Call) -> Value:
    """`torch.nn.Linear`."""
    plain: Any = writer.model.get_submodule(call.path)
    filters = Filters(call.path, plain.weight, plain.bias)
    return linear(writer, call, writer.value(call, call.args[0]), filters)


def linear_function(writer: Writer, call: Call) -> Value:
    """`torch.nn.functional.linear`."""
    given = bind(call, input=None, weight=None, bias=None)
    owner, weight, bias = weights_of(writer, call, given["weight"], given["bias"])
    return linear(writer, call, writer.value(call, given["input"]), Filters(owner, weight, bias))


def linear(writer: Writer, call: Call, x: Value, filters: Filters) -> Value:
    """A linear layer: one that sees all of a small map; the last one, of invariant numbers."""
    outs = len(filters.weight)
    last = writer.number in writer.last
    if x.kind == "regular" and x.layout == "vector" and last:
        pool = GroupPool(writer.group, x.width, writer.settings.readout)
        x = x.at(writer.add(f"{filters.path}_pool", pool, x))
        x = Value(flat_node(writer, x.node), "numbers", x.fields, x.channels, "vector")
    if x.kind == "numbers":
        home = writer.home(filters.weight)
        part = nn.Linear(
            x.width, outs, filters.bias is not None, device=home.device, dtype=home.dtype
        )
        given = {"weight": filters.weight, "bias": filters.bias}
        node = writer.layer(call, filters.path, part, x, given)
        return Value(node, "numbers", (outs,), (outs,), "vector")
    if x.layout not in ("vector", "flat", "last"):
        writer.refuse(
            call, f"is a linear layer along axis {x.axes[-1]} of {x.axes}, which is no channels",
            "Mix channels only: permute them to the last axis, or flatten the maps.",
        )  # fmt: skip
    rows, columns = (1, 1) if x.layout != "flat" else side_of(writer, call)
    if rows != columns:
        writer.refuse(call, f"takes flattened maps of {rows}×{columns}", "Make them square.")
    shaped = filters.weight.view(outs, -1, rows, columns)
    if x.kind == "regular" and x.layout != "last":
        return dense(writer, call, x, replace(filters, weight=shaped))
    as_maps = convolve(writer, call, x.at(x.node, "maps"), replace(filters, weight=shaped))
    return as_maps.at(as_maps.node, "last" if x.layout == "last" else "vector")


def dense(writer: Writer, call: Call, x: Value, filters: Filters) -> Value:
    """All of a small map at once."""
    fields = writer.fields(len(filters.weight))
    home = writer.home(filters.weight)
    part = GroupLinear(
        writer.group, x.width, fields, filters.weight.shape[-1],
        bias=filters.bias is not None, device=home.device, dtype=home.dtype,
    )  # fmt: skip
    given = {"weight": filters.weight, "bias": filters.bias}
    node = writer.layer(call, filters.path, part, x, given)
    return Value(node, "regular", (fields,), (len(filters.weight),), "vector")


def side_of(writer: Writer, call: Call) -> tuple[int, int]:
    """Rows and columns of the maps that were flattened for this call."""
    (ref, *_) = call.refs()
    while len(writer.reading.shape(ref)) == 2 and ref.call >= 0:
        (ref, *_) = writer.reading.calls[ref.call].refs()
    rows, columns = writer.reading.shape(ref)[2:]
    return rows, columns


def flat_node(writer: Writer, node: fx.Node) -> fx.Node:
    """``(B, C, 1, 1)`` to ``(B, C)``."""
    return writer.graph.call_function(torch.squeeze, (node, (-2, -1)))


CONVOLUTIONS: dict[type[nn.Module], Rule] = {
    nn.Conv2d: conv_layer,
    nn.ConvTranspose2d: transposed_layer,
    nn.Linear: linear_layer,
}
CONVOLUTION_FUNCTIONS: dict[str, Rule] = {
    "conv2d": conv_function,
    "conv_transpose2d": transposed_function,
    "linear": linear_function,
}

"""What permutes, flattens, joins, cuts and reduces axes."""

from __future__ import annotations

import math
import operator
from typing import Any

import torch
from torch import nn

from equivlab.transfer.twin.parts import REDUCTIONS, FieldReduce, FieldSplit
from equivlab.transfer.twin.reading import Call, Ref, Side
from equivlab.transfer.twin.rules.arguments import bind
from equivlab.transfer.twin.rules.pooling import crop, upsample
from equivlab.transfer.twin.values import Layout, Value
from equivlab.transfer.twin.writing import Rule, Writer

__all__ = ["SHAPES", "SHAPE_FUNCTIONS"]

TOKENS = "Keep maps (B, C, H, W) and mix channels by 1×1 convolutions."


def first(writer: Writer, call: Call) -> Value:
    """The tensor that a call is about."""
    return writer.value(call, call.args[0] if call.args else call.kwargs.get("input"))


def the_same(writer: Writer, call: Call) -> Value:
    """Nothing is computed."""
    return first(writer, call)


def reshaped(writer: Writer, call: Call) -> Value:
    """`view`, `flatten` and their kin: known by the shapes before and after."""
    x = first(writer, call)
    before, after = writer.reading.shape(call.refs()[0]), call.shapes[0]
    layout = new_layout(x, before, after)
    if layout is None:
        writer.refuse(
            call, f"makes {after} of {before}, axes {x.axes}; so channels, places and perhaps "
            "tokens would be mixed",
            TOKENS,
        )  # fmt: skip
    if x.kind == "image" and "plane" in (layout, x.layout) and layout != x.layout:
        function = torch.squeeze if layout == "plane" else torch.unsqueeze
        return x.at(writer.graph.call_function(function, (x.node, 1)), layout)
    if x.kind == "numbers" and layout != x.layout:
        writer.refuse(call, f"makes {after} of numbers {before}", "Keep them (B, C).")
    return x.at(x.node, layout)


def new_layout(x: Value, before: tuple[int, ...], after: tuple[int, ...]) -> Layout | None:
    """How the axes are to be read afterwards, if that can be said."""
    if before == after:
        return x.layout
    if before[0] != after[0] or math.prod(before) != math.prod(after):
        return None
    width, rank = sum(x.channels), len(after)
    places = math.prod(before) // (before[0] * width)
    if x.layout == "plane":
        return "maps" if rank == 4 and after == (before[0], 1, *before[1:]) else None
    if x.layout == "maps" and rank == 3 and width == 1 and after[1:] == before[2:]:
        return "plane" if x.kind == "image" else None
    if after == (before[0], width) and places == 1:
        return "vector"
    if rank == 4 and after[1:] == (width, 1, 1) and places == 1:
        return "maps"
    if rank == 4 and after[1:] == (1, 1, width) and places == 1:
        return "last"
    if x.layout != "maps":
        return None
    if rank == 2:
        return "flat"
    return "line" if after == (before[0], width, places) else None


def permuted(writer: Writer, call: Call) -> Value:
    """`permute` and `transpose` between ``(B, C, H, W)`` and ``(B, H, W, C)``."""
    x = first(writer, call)
    rank = len(x.axes)
    given = [n for arg in call.args[1:] for n in (arg if isinstance(arg, tuple | list) else [arg])]
    given += list(call.kwargs.get("dims", ()))
    order = [int(n) % rank for n in given]
    if call.name != "permute":
        first_axis, second = order[:2] if len(order) == 2 else (0, 0)
        order = list(range(rank))
        order[first_axis], order[second] = second, first_axis
    axes = "".join(x.axes[n] for n in order)
    layouts: dict[str, Layout] = {"BCHW": "maps", "BHWC": "last", x.axes: x.layout}
    if axes not in layouts or x.layout not in ("maps", "last") or x.kind == "numbers":
        writer.refuse(call, f"brings axes {x.axes} into the order {axes}", TOKENS)
    if x.kind == "image" and axes != x.axes:
        writer.refuse(call, "permutes the axes of an image", "Permute what a convolution gives.")
    return x.at(x.node, layouts[axes])


def joined(writer: Writer, call: Call) -> Value:
    """`torch.cat` along the channels."""
    given = bind(call, tensors=(), dim=0)
    parts = [writer.value(call, part) for part in given["tensors"]]
    wide = any(x.kind == "regular" for x in parts)
    if wide:
        parts = [writer.lifted(x, call.path) for x in parts]
    layouts = {x.layout for x in parts}
    lead, axis = parts[0], int(call.kwargs.get("axis", given["dim"]))
    if len(layouts) != 1 or lead.axes[axis % len(lead.axes)] != "C":
        writer.refuse(
            call, f"joins axis {lead.axes[axis % len(lead.axes)]} of {lead.axes}",
            "Join channels: dim=1.",
        )  # fmt: skip
    node = writer.graph.call_function(torch.cat, ([x.node for x in parts], 1))
    fields = tuple(n for x in parts for n in x.fields)
    channels = tuple(n for x in parts for n in x.channels)
    return Value(node, lead.kind, fields, channels, lead.layout)


def divided(writer: Writer, call: Call) -> list[Value]:
    """`chunk` and `split` along the channels."""
    x = first(writer, call)
    axis = int(call.kwargs.get("dim", call.args[2] if len(call.args) > 2 else 0))
    if x.kind != "regular" or x.axes[axis % len(x.axes)] != "C":
        writer.refuse(call, f"cuts axis {axis} of {x.axes}", "Cut channels of maps: dim=1.")
    sizes = [shape[axis] for shape in call.shapes]
    return cut(writer, call, x, sizes)


def cut(writer: Writer, call: Call, x: Value, sizes: list[int]) -> list[Value]:
    """Blocks of plain channels of the given sizes, one after another."""
    found: list[tuple[int, Value]] = []
    start = 0
    for size in sizes:
        piece = x.cut(start, start + size)
        if piece is None:
            writer.refuse(
                call, f"cuts {sum(x.channels)} channels at {start} and {start + size}, where "
                f"{x.width} fields have no such place",
                "Use match='fields', with as many fields as channels.",
            )  # fmt: skip
        low, high, value = piece
        found.append((high - low, value))
        start += size
    part = FieldSplit(writer.group, tuple(count for count, _ in found))
    whole = writer.add(f"{call.path}.split".lstrip("."), part, x)
    get = [writer.graph.call_function(operator.getitem, (whole, n)) for n in range(len(found))]
    return [value.at(node) for node, (_, value) in zip(get, found, strict=True)]


def indexed(writer: Writer, call: Call) -> Value:
    """Square brackets: channels, a crop, or axes of length 1."""
    x = first(writer, call)
    before, after = writer.reading.shape(call.refs()[0]), call.shapes[0]
    index = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    if any(not (i is None or i is Ellipsis or isinstance(i, slice | int)) for i in index):
        writer.refuse(call, "picks by a tensor or list", "Pick by whole slices.")
    if math.prod(before) == math.prod(after):
        return reshaped(writer, call)
    taken = sum(i is not None and i is not Ellipsis for i in index)
    dots = index.index(Ellipsis) if Ellipsis in index else len(index)
    whole = [*index[:dots], *([slice(None)] * (len(before) - taken)), *index[dots + 1 :]]
    spans = [
        range(n)[i] if isinstance(i, slice) else range(int(i) % n, int(i) % n + 1)
        for i, n in zip((i for i in whole if i is not None), before, strict=True)
        if i is not None
    ]
    if x.kind == "image" and x.layout == "maps" and isinstance(whole[1], int):
        node = writer.graph.call_function(torch.select, (x.node, 1, whole[1]))
        return Value(node, "image", (1,), (1,), "plane")
    if x.layout != "maps" or None in whole or any(s.step != 1 for s in spans) or len(after) != 4:
        writer.refuse(call, f"picks {index} of axes {x.axes}", "Cut channels, or an even frame.")
    rows = [(s.start, n - s.stop) for s, n in zip(spans[2:], before[2:], strict=True)]
    if any(side for edge in rows for side in edge):
        x = crop(writer, call, x, rows)
    channels = spans[1]
    if len(channels) == before[1]:
        return x
    if x.kind == "image":
        node = writer.graph.call_function(torch.narrow, (x.node, 1, channels.start, len(channels)))
        return Value(node, "image", (len(channels),), (len(channels),))
    sizes = [channels.start, len(channels), before[1] - channels.stop]
    pieces = cut(writer, call, x, [n for n in sizes if n])
    return pieces[1 if channels.start else 0]


def reduced(writer: Writer, call: Call) -> Value:
    """`mean`, `sum`, `amax`, a norm, over all places or over the channels."""
    x = first(writer, call)
    place = 2 if call.name == "norm" else 1
    dims = call.kwargs.get("dim", call.args[place] if len(call.args) > place else None)
    keep = bool(call.kwargs.get("keepdim", len(call.args) > place + 1 and call.args[place + 1]))
    listed = [] if dims is None else list(dims) if isinstance(dims, tuple | list) else [dims]
    axes = "".join(sorted(x.axes[int(n)] for n in listed))
    if x.kind != "numbers" and axes in ("HW", "L"):
        x = writer.lifted(x, call.path)
        extra = {k: v for k, v in call.kwargs.items() if k not in ("dim", "keepdim", "input")}
        if call.name == "norm" and len(call.args) > 1:
            extra["p"] = call.args[1]
        options = {**extra, "dim": (-2, -1), "keepdim": True}
        node = writer.graph.call_method(call.name, (x.node,), options)
        after: Layout = "vector" if not keep or x.layout == "line" else x.layout
        return x.at(node, after)
    if x.kind == "regular" and axes == "C" and keep and call.name in REDUCTIONS:
        part = FieldReduce(writer.group, x.width, call.name)
        node = writer.add(f"{call.path}.{call.name}".lstrip("."), part, x)
        return Value(node, "regular", (1,), (1,), x.layout)
    if x.kind != "image" or axes != "C" or not keep or call.name not in REDUCTIONS:
        writer.refuse(
            call, f"{call.name} reduces axes {axes or 'BCHW'} of {x.axes}",
            "Reduce rows and columns together, or channels with keepdim=True.",
        )  # fmt: skip
    node = writer.graph.call_function(REDUCTIONS[call.name], (x.node, 1), {"keepdim": True})
    return Value(node, "image", (1,), (1,))


def expanded(writer: Writer, call: Call) -> Value:
    """`expand` from one pixel to many: the same number at each."""
    x = first(writer, call)
    before, after = writer.reading.shape(call.refs()[0]), call.shapes[0]
    if before == after:
        return x
    if x.layout != "maps" or before[1] != after[1] or before[2:] != (1, 1) or x.kind == "image":
        writer.refuse(call, f"expands {before} to {after}", "Let arithmetic broadcast it.")
    other = call.args[1] if len(call.args) > 1 else None
    sides: Any = [n for arg in call.args[1:] for n in (arg if isinstance(arg, tuple) else [arg])]
    if isinstance(other, Ref):
        sides = [Side.of(n, other, axis) for axis, n in enumerate(after)]
    return upsample(writer, call, x, tuple(sides[2:]), None, "nearest")


def softmax(writer: Writer, call: Call) -> Value:
    """Of class scores, after the last layer."""
    x = first(writer, call)
    if x.kind != "numbers":
        writer.refuse(
            call, f"{call.name} is taken of maps, axes {x.axes}", "Take it of the scores outside."
        )
    function = torch.log_softmax if "log" in call.name.lower() else torch.softmax
    return x.at(writer.graph.call_function(function, (x.node, -1)))


SHAPES: dict[type[nn.Module], Rule] = {
    nn.Flatten: reshaped,
    nn.Unflatten: reshaped,
    nn.Softmax: softmax,
    nn.LogSoftmax: softmax,
}
SHAPE_FUNCTIONS: dict[str, Rule] = {
    **dict.fromkeys(("contiguous", "clone", "alias"), the_same),
    **dict.fromkeys(
        (
            "flatten",
            "view",
            "reshape",
            "squeeze",
            "unsqueeze",
            "unflatten",
            "reshape_as",
            "view_as",
        ),
        reshaped,
    ),
    **dict.fromkeys(("permute", "transpose", "swapaxes"), permuted),
    **dict.fromkeys(("cat", "concat", "concatenate"), joined),
    **dict.fromkeys(("chunk", "split", "tensor_split"), divided),
    **dict.fromkeys(("mean", "sum", "amax", "amin", "norm", "std", "var"), reduced),
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), expanded),
    **dict.fromkeys(("softmax", "log_softmax"), softmax),
    "getitem": indexed,
}

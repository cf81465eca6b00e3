"""An equivariant network from an ordinary one, by its layers and its code."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn

from equivlab.fields import Invariant, ScalarMaps
from equivlab.groups import PointGroup
from equivlab.nn import GroupPool
from equivlab.transfer.twin.checking import Sizes, check
from equivlab.transfer.twin.module import EquivariantTwin
from equivlab.transfer.twin.reading import Reading, Ref
from equivlab.transfer.twin.recording import read
from equivlab.transfer.twin.refusing import ConversionError, attention_in
from equivlab.transfer.twin.report import TwinReport
from equivlab.transfer.twin.rules import flat_node, rule_for
from equivlab.transfer.twin.starting import Starter
from equivlab.transfer.twin.values import Value
from equivlab.transfer.twin.widths import Match, Widths, constraints, last_layers
from equivlab.transfer.twin.writing import Settings, Writer

__all__ = ["equivariant_twin"]

#: Sizes that are tried where none is said.
SIZES = (64, 65, 96, 97, 128, 224, 256, 299, 33, 32, 28)
Out = Invariant[int] | ScalarMaps


def equivariant_twin(
    model: nn.Module,
    group: PointGroup,
    like: Tensor | int | tuple[int, ...] | None = None,
    *,
    match: Match | None = None,
    init: Literal["from_plain", "fresh"] | None = None,
    strides: Literal["align", "blur"] = "align",
    readout: Literal["mean", "max"] = "mean",
    seed: int = 0,
) -> EquivariantTwin:
    """Rewrite an ordinary convolutional network as one on a group.

    ``twin(act(g, x)) == act(g, twin(x))`` to rounding, on every size on which it runs. The code of
    the network is followed call by call on an image without content: the first convolution lifts,
    the others go from group to group; norms, pooling, joins, gates, interpolation and heads become
    those of fields; the orientations are pooled before the last layer. With ``init='from_plain'``
    the twin starts as the plain network's vote, ::

        twin(x) == mean over g of act(g⁻¹, model(act(g, x)))

    in `eval()`, where no stride, no padding and no window had to be mended.

    Args:
        model: an ordinary network that takes one image; it is only looked at.
        group: `P4` or `P4M`, or another whose elements map pixels to pixels.
        like: an image ``(B, C, H, W)`` that it takes, or the shape of one, or its pixels a side.
        match: what the twin has in common with it: as many ``'parameters'`` (the default, nearly:
            ``C/√|G|`` fields for ``C`` channels), as many maps (``'width'``: ``C/|G|``), or as many
            ``'fields'`` as there are channels.
        init: ``'from_plain'`` keeps its weights, as `from_plain` does, and wants
            ``match='fields'``; ``'fresh'`` draws new ones of the same size. By default what
            `match` allows.
        strides: ``'align'`` takes a mean over 2×2 before a stride that would miss the end of the
            map, ``'blur'`` convolves without stride and blurs (`GroupDownsample2d`).
        readout: over the orientations before the last layer.
        seed: of new weights.

    Returns:
        The twin, in the mode of `model`, where it lives; ``twin.report`` says what became of each
        layer and what it starts with.

    Raises:
        ConversionError: a part that has no twin, with its name, its line and what to do; or that
            breaks the law, which is measured before anything is returned.
        ValueError: arguments that do not fit.

    >>> from equivlab.groups import P4
    >>> plain = nn.Sequential(
    ...     nn.Conv2d(1, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3)
    ... )
    >>> twin = equivariant_twin(plain, P4, like=28)
    >>> twin(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 3])
    """
    model = getattr(model, "_orig_mod", model)  # what torch.compile wraps
    match = match or ("fields" if init == "from_plain" else "parameters")
    init = init or ("from_plain" if match == "fields" else "fresh")
    _check_arguments(model, group, match, init, strides, readout)
    reading = _read(model, like)
    settings = Settings(group, strides, readout, oriented=init == "from_plain")
    widths = _widths(model, reading, settings, match)
    writer = _write(model, reading, settings, widths, Starter(init == "from_plain", seed))
    network, out_field, shown = _finish(writer)
    values: dict[str, tuple[Value, Sizes]] = {x.node.name: (x, None) for x in shown}
    for ref, x in writer.values.items():
        if values.get(x.node.name, (x, None))[1] is None:
            values[x.node.name] = x, _size(x, reading.shape(ref))
    error = check(network, group, reading.image, values)
    unused = _unused(model, reading)
    plain = sum(p.numel() for n, p in model.named_parameters() if not n.startswith(unused))
    own = sum(p.numel() for p in network.parameters())
    report = TwinReport(
        tuple(writer.rows), (plain, own), error, reading.image[-1],
        tuple(n.removesuffix(".") for n in unused),
    )  # fmt: skip
    in_field = ScalarMaps(group, reading.image[1])
    return EquivariantTwin(network, in_field, out_field, report).train(model.training)


def _check_arguments(
    model: nn.Module, group: PointGroup, match: str, init: str, strides: str, readout: str
) -> None:
    choices = {
        "match": (match, ("parameters", "width", "fields")),
        "init": (init, ("from_plain", "fresh")),
        "strides": (strides, ("align", "blur")),
        "readout": (readout, ("mean", "max")),
    }
    for name, (given, known) in choices.items():
        if given not in known:
            raise ValueError(
                f"equivariant_twin: {name} is one of {', '.join(known)}; got {given!r}."
            )
    if init == "from_plain" and match != "fields":
        raise ValueError(
            f"equivariant_twin: init='from_plain' keeps each channel as a field, so it wants "
            f"match='fields'; got match={match!r}. Leave out one of the two."
        )
    if not isinstance(group, PointGroup) or group.lattice != "square":
        raise ValueError(
            "equivariant_twin wants a group whose filters are square pixels, P4 or P4M; got "
            f"{group!r}."
        )
    if not any(True for _ in model.parameters()):
        raise ValueError(f"equivariant_twin: {type(model).__name__} has no parameters.")


def _read(model: nn.Module, like: Tensor | int | tuple[int, ...] | None) -> Reading:
    """The calls of the network on an image of the size that is said, or of the first that works."""
    if isinstance(like, bool) or not isinstance(like, Tensor | int | tuple | torch.Size | None):
        raise ValueError(f"equivariant_twin: like is an image or its size; got {like!r}.")
    if like is None:
        failed: list[ConversionError] = []
        for size in SIZES:
            try:
                return read(model, (1, _channels(model), size, size))
            except ConversionError as error:
                failed.append(error)
        raise failed[0]
    shape = tuple(like.shape) if isinstance(like, Tensor) else like
    if isinstance(shape, int):
        shape = (1, _channels(model), shape, shape)
    elif len(shape) == 3:
        shape = (1, *shape)
    if len(shape) != 4 or shape[-1] != shape[-2] or min(shape) < 1:
        raise ValueError(
            "equivariant_twin: like is a square image (B, C, H, H), its shape, or its pixels a "
            f"side; got {tuple(shape)}."
        )
    return read(model, (1, *shape[1:]))


def _channels(model: nn.Module) -> int:
    """Channels of the image: those of the first convolution."""
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            return part.in_channels
    raise ConversionError(
        "", "", f"{type(model).__name__} has no nn.Conv2d",
        attention_in(model) or "Say what it takes, like=(1, 3, 64, 64); it must convolve images.",
    )  # fmt: skip


def _write(
    model: nn.Module, reading: Reading, settings: Settings, widths: Widths, starter: Starter | None
) -> Writer:
    """All calls, one after another."""
    last = last_layers(reading)
    writer = Writer(model, reading, settings, widths, last, starter)
    image = writer.graph.placeholder("x")
    channels = (reading.image[1],)
    writer.values[Ref(-1)] = Value(image, "image", channels, channels)
    for number, call in enumerate(reading.calls):
        writer.number = number
        if not call.refs():
            writer.refuse(
                call, f"{call.name} computes with parameters alone",
                "Bake the result in, such as standardised weights, or use layers of torch.nn.",
            )  # fmt: skip
        rule: Callable[..., Any] | None = rule_for(call)
        if rule is None:
            writer.refuse(
                call, f"{call.name} has no twin",
                "Replace it by layers of torch.nn that treat all places of a map alike.",
            )  # fmt: skip
        made = rule(writer, call)
        for part, value in enumerate(made if isinstance(made, list) else [made]):
            writer.values[Ref(number, part)] = value
    return writer


def _widths(model: nn.Module, reading: Reading, settings: Settings, match: Match) -> Widths:
    """Fields for channels; for equal parameters, by counting those of twins without content."""
    order = settings.group.order
    if match == "fields":
        return Widths(1.0)
    bounds = constraints(reading)
    if match == "width":
        return Widths(1 / order, *bounds)
    unused = _unused(model, reading)
    plain = sum(p.numel() for n, p in model.named_parameters() if not n.startswith(unused))
    best, scale = Widths(1 / math.sqrt(order), *bounds), 1 / math.sqrt(order)
    off = math.inf
    for _ in range(4):
        trial = Widths(scale, *bounds)
        writer = _write(model, reading, settings, trial, None)
        count = sum(p.numel() for part in writer.parts.values() for p in part.parameters())
        ratio = plain / max(count, 1)
        if abs(math.log(ratio)) < off:
            best, off = trial, abs(math.log(ratio))
        if off < 0.01:
            break
        scale = min(1.0, scale * math.sqrt(ratio))
    return best


def _finish(writer: Writer) -> tuple[fx.GraphModule, Out | None, list[Value]]:
    """The graph as a module, with what it gives."""
    shown: dict[Ref, Value] = {}

    def give(out: Any) -> Any:
        if isinstance(out, Ref):
            shown[out] = _given(writer, out)
            return shown[out].node
        if isinstance(out, dict):
            return {key: give(part) for key, part in out.items()}
        if isinstance(out, tuple | list):
            return (
                type(out)(*map(give, out)) if hasattr(out, "_fields") else type(out)(map(give, out))
            )
        raise ConversionError(
            "", "", f"gives {type(out).__name__}", "Give tensors, in a tuple, list or dictionary."
        )

    writer.graph.output(give(writer.reading.output))
    root = nn.Module()
    for name, part in writer.parts.items():
        *holders, leaf = name.split(".")
        holder = root
        for each in holders:
            if not hasattr(holder, each):
                holder.add_module(each, nn.Module())
            holder = getattr(holder, each)
        holder.add_module(leaf, part)
    network = fx.GraphModule(root, writer.graph, class_name="Twin")
    values = list(shown.values())
    field: Out | None = None
    if isinstance(writer.reading.output, Ref):
        kind = Invariant if values[0].kind == "numbers" else ScalarMaps
        field = kind(writer.group, values[0].width)
    return network, field, values


def _given(writer: Writer, ref: Ref) -> Value:
    """What the twin gives for a tensor that the plain network gives: without orientations."""
    x = writer.value(writer.reading.calls[ref.call], ref)
    if x.kind == "regular":
        if x.layout in ("flat", "line"):
            writer.refuse(
                writer.reading.calls[ref.call], "is given flattened", "Give maps (B, C, H, W)."
            )
        pool = GroupPool(writer.group, x.width, writer.settings.readout)
        x = replace(x.at(writer.add("pool_orientations", pool, x)), kind="image")
    if x.layout == "last":
        x = x.at(writer.graph.call_method("permute", (x.node, (0, 2, 3, 1))))
        return replace(x, layout="plane")
    if x.layout == "vector" and x.kind == "image":
        return replace(x.at(flat_node(writer, x.node)), kind="numbers")
    return x


def _size(x: Value, shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Rows and columns of the maps that stand for a tensor of that shape, if it shows them."""
    if "H" in x.axes:
        row = x.axes.index("H")
        return shape[row], shape[row + 1]
    return (1, 1) if x.layout == "vector" else None


def _unused(model: nn.Module, reading: Reading) -> tuple[str, ...]:
    """Modules with parameters that no call reaches, the outermost of them, as prefixes."""
    found: list[str] = []
    for name, part in model.named_modules():
        inside = any(used == name or used.startswith(f"{name}.") for used in reading.used)
        known = any(name.startswith(prefix) for prefix in found)
        if name and not inside and not known and any(True for _ in part.parameters()):
            found.append(f"{name}.")
    return tuple(found)

"""The twin as it grows: a graph of calls, the layers in it, and what is said of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

import torch
from torch import Tensor, fx, nn

from equivlab.groups import PointGroup
from equivlab.transfer.twin.parts import FieldValues, TrivialLift
from equivlab.transfer.twin.reading import Call, Reading, Ref, Weight
from equivlab.transfer.twin.refusing import ConversionError, attention_in
from equivlab.transfer.twin.report import Row
from equivlab.transfer.twin.starting import Starter
from equivlab.transfer.twin.values import Value
from equivlab.transfer.twin.widths import Widths

__all__ = ["Home", "Rule", "Settings", "Writer"]

#: Writes what stands for one call; one value, or one for each tensor that comes out.
Rule = Callable[["Writer", Call], "Value | list[Value]"]


@dataclass(frozen=True)
class Settings:
    """What the user chose."""

    group: PointGroup
    strides: Literal["align", "blur"]
    readout: Literal["mean", "max"]
    oriented: bool  # norms of one sample take each orientation by itself


@dataclass(frozen=True)
class Home:
    """Where new layers live: as those that they stand for, or without content on ``meta``."""

    device: torch.device
    dtype: torch.dtype


@dataclass
class Writer:
    """What rules use to write a twin.

    Attributes:
        model: the plain network, only looked at.
        reading: its calls.
        settings: what the user chose.
        widths: fields for channels.
        last: calls whose channels are kept.
        starter: gives new layers their numbers; None where only their size is asked for.
    """

    model: nn.Module
    reading: Reading
    settings: Settings
    widths: Widths
    last: set[int]
    starter: Starter | None
    graph: fx.Graph = field(default_factory=fx.Graph)
    parts: dict[str, nn.Module] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    layers: dict[str, str] = field(default_factory=dict)  # plain names to those in the twin
    values: dict[Ref, Value] = field(default_factory=dict)
    number: int = 0  # of the call that is being written

    @property
    def group(self) -> PointGroup:
        """The group of the twin."""
        return self.settings.group

    def refuse(self, call: Call, why: str, remedy: str) -> NoReturn:
        """Say what cannot be converted."""
        raise ConversionError(call.path, call.line, why, attention_in(self.model) or remedy)

    def value(self, call: Call, given: Any) -> Value:
        """The value that an argument stands for."""
        found = self.values.get(given) if isinstance(given, Ref) else None
        if found is None:
            self.refuse(
                call, f"{call.name} takes {given!r} where maps are wanted",
                "Give it maps that come from the image.",
            )  # fmt: skip
        return found

    def fields(self, channels: int) -> int:
        """Fields for the channels that the present call makes."""
        return channels if self.number in self.last else self.widths(channels)

    def original(self, name: str) -> Tensor:
        """The parameter or buffer of the plain network."""
        path, _, leaf = name.rpartition(".")
        found: Tensor = getattr(self.model.get_submodule(path), leaf)
        return found

    def home(self, like: Tensor | None) -> Home:
        """Where a layer goes that stands for one with the weight `like`."""
        if like is None:
            like = next(iter(self.model.parameters()))
        device = torch.device("meta") if self.starter is None else like.device
        return Home(device, like.dtype)

    def place(self, path: str, part: nn.Module) -> str:
        """Keep a module under a name like `path`, and return that name."""
        name = path or type(part).__name__.lower()
        for cut in range(name.count(".")):  # a layer is no container
            holder = ".".join(name.split(".")[: cut + 1])
            if holder in self.parts:
                name = holder + "_" + name[len(holder) + 1 :].replace(".", "_")
                break
        taken = {*self.parts, *(p for n in self.parts for p in _holders(n))}
        free, number = name, 1
        while free in taken or any(holder in self.parts for holder in _holders(free)):
            number += 1
            free = f"{name}_{number}"
        self.parts[free] = part
        return free

    def add(self, path: str, part: nn.Module, *inputs: Value) -> fx.Node:
        """A call of a new module."""
        return self.graph.call_module(self.place(path, part), tuple(x.node for x in inputs))

    def layer(
        self, call: Call, path: str, part: nn.Module, x: Value, given: dict[str, Tensor | None]
    ) -> fx.Node:
        """A call of a new layer that starts from the numbers of a plain one.

        A layer that is called twice has one twin, which must fit both times.
        """
        if path in self.layers:
            there = self.parts[self.layers[path]]
            if repr(there) != repr(part):
                self.refuse(
                    call, f"is called twice, as {there} and as {part}",
                    "Use two layers, or match='fields'.",
                )  # fmt: skip
            return self.graph.call_module(self.layers[path], (x.node,))
        name = self.layers[path] = self.place(path, part)
        start = "" if self.starter is None else self.starter.start(part, given)
        self.rows.append(Row(name, path, call.name, _said(part), start))
        return self.graph.call_module(name, (x.node,))

    def say(self, call: Call, became: str, name: str = "") -> None:
        """A row of the report for something without numbers."""
        self.rows.append(Row(name or call.path, call.path, call.name, became, ""))

    def lifted(self, x: Value, path: str) -> Value:
        """Regular maps, also where an image is given."""
        if x.kind != "image":
            return x
        lift = TrivialLift(self.group, x.width)
        return Value(self.add(f"{path}.lift".lstrip("."), lift, x), "regular", x.fields, x.channels)

    def per_field(self, call: Call, weight: Weight, x: Value) -> Value:
        """A parameter that holds a number for each channel of `x`."""
        kept = self.original(weight.name)
        axis = x.axes.index("C")
        rank = len(x.axes)
        shape = (1,) * (rank - len(weight.shape)) + weight.shape
        if len(shape) != rank or math.prod(shape) != shape[axis] or shape[axis] != sum(x.channels):
            self.refuse(
                call, f"{call.name} takes the parameter {weight.name} of shape {weight.shape}, "
                "which holds more than a number for each channel",
                "Numbers for each place follow no turn: use one for each channel, (C, 1, 1).",
            )  # fmt: skip
        if weight.name not in self.layers:
            home = self.home(kept)
            learned = isinstance(kept, nn.Parameter)
            numbers = torch.ones(x.width, device=home.device, dtype=home.dtype)
            part = FieldValues(self.group, numbers, learned)
            name = self.layers[weight.name] = self.place(weight.name, part)
            if (
                not learned
                and x.fields != x.channels
                and not bool((kept == kept.flatten()[0]).all())
            ):
                self.refuse(
                    call, f"the buffer {weight.name} holds a number for each channel, and there "
                    f"are {x.width} fields for {sum(x.channels)} channels",
                    "Use match='fields', or make it a parameter.",
                )  # fmt: skip
            start = "" if self.starter is None else self.starter.start(part, {"value": kept})
            self.rows.append(Row(name, weight.name, "parameter", "one number a field", start))
        node = self.graph.call_module(self.layers[weight.name], ())
        return Value(node, "regular", x.fields, x.channels, x.layout)

    def number_of(self, weight: Weight) -> fx.Node:
        """A parameter or buffer taken over as it is."""
        path, _, leaf = weight.name.rpartition(".")
        name = self.layers.get(weight.name)
        if name is None:
            kept = self.original(weight.name)
            holder = nn.Module()
            if isinstance(kept, nn.Parameter):
                copied = kept if self.starter is None else nn.Parameter(kept.detach().clone())
                holder.register_parameter(leaf, copied)
            else:
                holder.register_buffer(leaf, kept.clone())
            name = self.layers[weight.name] = self.place(f"{path}.own_{leaf}".lstrip("."), holder)
            start = "kept" if isinstance(kept, nn.Parameter) else ""
            self.rows.append(Row(name, weight.name, type(kept).__name__, "the same", start))
        node = self.graph.get_attr(f"{name}.{leaf}")
        if tuple(self.original(weight.name).shape) != weight.shape:
            node = self.graph.call_method("reshape", (node, weight.shape))
        return node


def _holders(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def _said(part: nn.Module) -> str:
    fields = [getattr(part, name, None) for name in ("in_field", "out_field")]
    if None in fields:
        return type(part).__name__
    text = " -> ".join(dict.fromkeys(str(f) for f in fields))
    return f"{type(part).__name__} {text}"

"""What is done to each number by itself, or to two numbers of one place."""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from equivlab.transfer.twin.parts import FieldRepeat
from equivlab.transfer.twin.reading import DROPS_BRANCHES, Call, Ref, Weight
from equivlab.transfer.twin.values import Value
from equivlab.transfer.twin.writing import Rule, Writer

__all__ = ["POINTWISE", "POINTWISE_FUNCTIONS", "branch_layer"]

ACTIVATIONS = (
    nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh,
    nn.Identity, nn.LeakyReLU, nn.LogSigmoid, nn.Mish, nn.ReLU, nn.SELU, nn.SiLU, nn.Sigmoid,
    nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanh, nn.Tanhshrink, nn.Threshold,
)  # fmt: skip
UNARY: dict[str, Callable[..., Tensor]] = {
    **{
        name: getattr(torch, name)
        for name in [
            "abs",
            "neg",
            "exp",
            "log",
            "log1p",
            "expm1",
            "sqrt",
            "rsqrt",
            "square",
            "sigmoid",
            "tanh",
            "relu",
            "clamp",
            "clamp_min",
            "clamp_max",
            "sin",
            "cos",
            "erf",
            "reciprocal",
            "sign",
            "celu",
            "selu",
        ]
    },
    **{
        name: getattr(F, name)
        for name in [
            "relu6",
            "elu",
            "gelu",
            "hardshrink",
            "hardsigmoid",
            "hardswish",
            "hardtanh",
            "leaky_relu",
            "logsigmoid",
            "mish",
            "silu",
            "softplus",
            "softshrink",
            "softsign",
            "tanhshrink",
            "threshold",
        ]
    },
    "clip": torch.clamp,
    "float": Tensor.float,
    "detach": Tensor.detach,
}
BINARY: dict[str, Callable[..., Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "subtract": torch.sub,
    "mul": torch.mul,
    "multiply": torch.mul,
    "div": torch.div,
    "truediv": torch.div,
    "divide": torch.div,
    "pow": torch.pow,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "addcmul": torch.addcmul,
    "addcdiv": torch.addcdiv,
    "lerp": torch.lerp,
}
SYMBOLS: dict[str, Callable[..., Tensor]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv,
    "div": operator.truediv, "pow": operator.pow,
}  # fmt: skip


def activation(writer: Writer, call: Call) -> Value:
    """An activation without numbers, of a layer."""
    x = writer.value(call, call.args[0])
    if isinstance(call.layer, nn.Identity):
        return x
    part: Any = copy.deepcopy(writer.model.get_submodule(call.path))
    if hasattr(part, "inplace"):
        part.inplace = False  # the plain network may read again what it wrote over
    return x.at(writer.add(call.path, part, x))


def branch_layer(writer: Writer, call: Call) -> Value:
    """Stochastic depth: a coin for each sample."""
    return activation(writer, call)


def leaky(writer: Writer, call: Call) -> Value:
    """`torch.nn.PReLU`: ``max(x, 0) + slope · min(x, 0)``, a slope for each field."""
    plain: Any = writer.model.get_submodule(call.path)
    x = writer.value(call, call.args[0])
    weight = Weight(f"{call.path}.weight", tuple(plain.weight.shape))
    slope: fx.Node
    if plain.weight.numel() == 1 or x.kind != "regular":
        slope = writer.number_of(Weight(weight.name, ())) if plain.weight.numel() == 1 else (
            writer.refuse(call, "has slopes for an image", "Use one slope.")
        )  # fmt: skip
    else:
        rank = [1] * len(x.axes)
        rank[x.axes.index("C")] = plain.weight.numel()
        slope = writer.per_field(call, Weight(weight.name, tuple(rank)), x).node
    graph = writer.graph
    low = graph.call_function(torch.clamp, (x.node,), {"max": 0})
    low = graph.call_function(torch.mul, (slope, low))
    high = graph.call_function(torch.relu, (x.node,))
    return x.at(graph.call_function(torch.add, (high, low)))


def unary(writer: Writer, call: Call) -> Value:
    """A function of each number."""
    x = writer.value(call, call.args[0])
    kwargs = {key: value for key, value in call.kwargs.items() if key not in ("inplace", "out")}
    rest = list(call.args[1:])
    if call.name in ("relu", "silu", "mish", "selu") and rest:  # inplace, by place
        rest = []
    function = F.selu if call.name == "selu" else UNARY[call.name]
    return x.at(writer.graph.call_function(function, (x.node, *rest), kwargs))


def binary(writer: Writer, call: Call) -> Value:
    """A function of two numbers of one place, or three; one of them may be a parameter."""
    given = [*call.args]
    values = [writer.value(call, arg) for arg in given if isinstance(arg, Ref)]
    if not values:
        writer.refuse(
            call, f"{call.name} computes with parameters alone",
            "Bake the result in, or use a layer of torch.nn.",
        )  # fmt: skip
    wide = any(x.kind == "regular" for x in values)
    lead = max(values, key=lambda x: (x.kind == "regular", sum(x.channels)))
    if any(x.kind == "numbers" for x in values) and wide:
        writer.refuse(call, f"{call.name} takes maps and pooled numbers", "Keep the axes.")
    nodes = [operand(writer, call, arg, lead, wide) for arg in given]
    kwargs = {key: value for key, value in call.kwargs.items() if key not in ("inplace", "out")}
    function = BINARY[call.name]
    if not kwargs and not isinstance(nodes[1] if len(nodes) > 1 else 0, str):
        function = SYMBOLS.get(call.name, function)
    return lead.at(writer.graph.call_function(function, tuple(nodes), kwargs))


def operand(writer: Writer, call: Call, given: Any, lead: Value, wide: bool) -> Any:
    """What an argument is in the twin."""
    if isinstance(given, Weight):
        if math.prod(given.shape) == 1 and writer.original(given.name).numel() == 1:
            return writer.number_of(Weight(given.name, ()))
        if wide:
            return writer.per_field(call, given, lead).node
        shape = (1,) * (len(lead.axes) - len(given.shape)) + given.shape
        if any(n > 1 for axis, n in zip(lead.axes, shape, strict=True) if axis in "HW"):
            writer.refuse(
                call, f"{call.name} takes the parameter {given.name} of shape {given.shape}, a "
                "number for each place",
                "Use one for each channel, (C, 1, 1).",
            )  # fmt: skip
        return writer.number_of(given)
    if not isinstance(given, Ref):
        return given
    x = writer.value(call, given)
    if wide and x.kind == "image":
        x = writer.lifted(x, call.path)
    if x.axes != lead.axes:
        writer.refuse(
            call, f"{call.name} takes axes {x.axes} and {lead.axes}", "Bring both into one order."
        )
    if x.fields != lead.fields and x.width not in (1, lead.width):
        writer.refuse(
            call, f"{call.name} takes {x.width} and {lead.width} fields, where the plain network "
            f"has {sum(x.channels)} and {sum(lead.channels)} channels",
            "Use match='fields', with as many fields as channels.",
        )  # fmt: skip
    if wide and x.width < lead.width:
        part = FieldRepeat(writer.group, lead.width)
        return writer.add(f"{call.path}.repeat".lstrip("."), part, x)
    return x.node


POINTWISE: dict[type[nn.Module], Rule] = {
    **dict.fromkeys(ACTIVATIONS, activation),
    nn.PReLU: leaky,
}
POINTWISE_FUNCTIONS: dict[str, Rule] = {
    **dict.fromkeys(UNARY, unary),
    **dict.fromkeys(BINARY, binary),
}
BRANCHES = dict.fromkeys(DROPS_BRANCHES, branch_layer)

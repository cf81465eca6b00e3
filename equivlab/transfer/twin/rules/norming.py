"""Norms and dropout: one number, one coin for a field."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from equivlab.nn import (
    GroupBatchNorm,
    GroupBlockNorm,
    GroupDropout,
    GroupLayerNorm,
    OrientedLayerNorm,
)
from equivlab.transfer.twin.reading import Call, Weight
from equivlab.transfer.twin.rules.arguments import bind
from equivlab.transfer.twin.values import Value
from equivlab.transfer.twin.writing import Rule, Writer

__all__ = ["NORMS", "NORM_FUNCTIONS"]


def state(plain: nn.Module) -> dict[str, Tensor | None]:
    """Parameters and statistics of a plain layer."""
    return dict(plain.state_dict(keep_vars=True))


def as_it_is(writer: Writer, call: Call, x: Value) -> Value:
    """A layer that does to an image, or to numbers, what no element disturbs."""
    if call.layer is None:
        writer.refuse(call, f"{call.name} is called on an image", "Use a layer of torch.nn.")
    if call.path not in writer.layers:
        part = copy.deepcopy(writer.model.get_submodule(call.path))
        writer.layers[call.path] = writer.place(call.path, part)
        writer.say(call, "the same", writer.layers[call.path])
    return x.at(writer.graph.call_module(writer.layers[call.path], (x.node,)))


def batch_norm_layer(writer: Writer, call: Call) -> Value:
    """`torch.nn.BatchNorm2d` and its kin."""
    return batch_norm(writer, call, writer.value(call, call.args[0]), call.path)


def batch_norm_function(writer: Writer, call: Call) -> Value:
    """`torch.nn.functional.batch_norm` with the statistics of a layer of that class."""
    given = bind(call, input=None, running_mean=None, running_var=None, weight=None, bias=None)
    names = [given[key] for key in ("running_mean", "running_var", "weight", "bias")]
    owners = {w.name.rpartition(".")[0] for w in names if isinstance(w, Weight)}
    owner = owners.pop() if len(owners) == 1 else None
    if owner is None or not isinstance(writer.model.get_submodule(owner), _BatchNorm):
        writer.refuse(
            call, "normalises by numbers that are not those of a batch norm",
            "Use torch.nn.BatchNorm2d.",
        )  # fmt: skip
    return batch_norm(writer, call, writer.value(call, given["input"]), owner)


def batch_norm(writer: Writer, call: Call, x: Value, path: str) -> Value:
    plain: Any = writer.model.get_submodule(path)
    if x.kind != "regular":
        return as_it_is(writer, call, x)
    if x.layout not in ("maps", "vector"):
        writer.refuse(call, f"normalises axes {x.axes}", "Normalise maps (B, C, H, W).")
    given = state(plain)
    like = next((v for v in given.values() if v is not None and v.is_floating_point()), None)
    home = writer.home(like)
    part = GroupBatchNorm(
        writer.group, x.width, plain.eps, plain.momentum, plain.affine, plain.track_running_stats,
        home.device, home.dtype,
    )  # fmt: skip
    return x.at(writer.layer(call, path, part, x, given))


def layer_norm_layer(writer: Writer, call: Call) -> Value:
    """`torch.nn.LayerNorm`."""
    plain: Any = writer.model.get_submodule(call.path)
    x = writer.value(call, call.args[0])
    given = state(plain)
    return layer_norm(writer, call, x, call.path, plain.normalized_shape, plain.eps, given)


def layer_norm_function(writer: Writer, call: Call) -> Value:
    """`torch.nn.functional.layer_norm`."""
    given = bind(call, input=None, normalized_shape=(), weight=None, bias=None, eps=1e-5)
    own = {key: given[key] for key in ("weight", "bias")}
    for weight in own.values():
        if weight is not None and not isinstance(weight, Weight):
            writer.refuse(call, "normalises by a computed weight", "Use torch.nn.LayerNorm.")
    numbers = {k: None if w is None else writer.original(w.name) for k, w in own.items()}
    owner = next((w.name.rpartition(".")[0] for w in own.values() if w is not None), call.path)
    x = writer.value(call, given["input"])
    return layer_norm(writer, call, x, owner, given["normalized_shape"], given["eps"], numbers)


def layer_norm(
    writer: Writer,
    call: Call,
    x: Value,
    path: str,
    shape: Any,
    eps: float,
    given: dict[str, Tensor | None],
) -> Value:
    if x.kind == "numbers":
        return as_it_is(writer, call, x)
    weight = given.get("weight")
    home = writer.home(weight)
    part: nn.Module
    if x.kind == "regular" and len(shape) == 1 and x.axes[-1] == "C":
        kind = OrientedLayerNorm if writer.settings.oriented else GroupLayerNorm
        bias = given.get("bias") is not None
        part = kind(writer.group, x.width, eps, weight is not None, bias, home.device, home.dtype)
    elif x.kind == "regular" and len(shape) == 3 and x.layout == "maps" and weight is None:
        oriented = writer.settings.oriented
        part = GroupBlockNorm(writer.group, x.width, 1, eps, False, oriented=oriented)
    else:
        writer.refuse(
            call, f"normalises the last axes {tuple(shape)} of {x.axes} with a number for each "
            "place, which a turn would exchange",
            "Normalise channels at each pixel (axis C last), or use BatchNorm2d or GroupNorm.",
        )  # fmt: skip
    return x.at(writer.layer(call, path, part, x, given))


def group_norm_layer(writer: Writer, call: Call) -> Value:
    """`torch.nn.GroupNorm`."""
    plain: Any = writer.model.get_submodule(call.path)
    x = writer.value(call, call.args[0])
    return block_norm(writer, call, x, plain.num_groups, state(plain))


def group_norm_function(writer: Writer, call: Call) -> Value:
    """`torch.nn.functional.group_norm`, traced out of a layer of that class."""
    owner = writer.model.get_submodule(call.path)
    if not isinstance(owner, nn.GroupNorm):
        writer.refuse(call, "normalises blocks outside of a layer", "Use torch.nn.GroupNorm.")
    return group_norm_layer(writer, call)


def instance_norm_layer(writer: Writer, call: Call) -> Value:
    """`torch.nn.InstanceNorm2d`."""
    plain: Any = writer.model.get_submodule(call.path)
    if plain.track_running_stats:
        writer.refuse(call, "keeps statistics of batches", "Use track_running_stats=False.")
    x = writer.value(call, call.args[0])
    return block_norm(writer, call, x, None, state(plain))


def block_norm(
    writer: Writer, call: Call, x: Value, blocks: int | None, given: dict[str, Tensor | None]
) -> Value:
    """Blocks of fields, or each by itself."""
    if x.kind != "regular":
        return as_it_is(writer, call, x)
    plain: Any = writer.model.get_submodule(call.path)
    blocks = x.width if blocks in (None, sum(x.channels)) else blocks
    if x.layout not in ("maps", "vector") or blocks is None or x.width % blocks:
        writer.refuse(
            call, f"normalises {blocks} blocks of the {x.width} fields of {x.axes}",
            "Use match='fields', or another number of blocks.",
        )  # fmt: skip
    home = writer.home(given.get("weight"))
    part = GroupBlockNorm(
        writer.group, x.width, blocks, plain.eps, plain.affine,
        oriented=writer.settings.oriented, device=home.device, dtype=home.dtype,
    )  # fmt: skip
    return x.at(writer.layer(call, call.path, part, x, given))


def dropout_layer(writer: Writer, call: Call) -> Value:
    """Dropout of any kind: of whole fields."""
    plain: Any = writer.model.get_submodule(call.path)
    x = writer.value(call, call.args[0])
    return as_it_is(writer, call, x) if x.kind != "regular" else drop(writer, call, x, plain.p)


def dropout_function(writer: Writer, call: Call) -> Value:
    """`torch.nn.functional.dropout`; whether it drops is decided by `train()`, as in a layer."""
    given = bind(call, input=None, p=0.5)
    x = writer.value(call, given["input"])
    if x.kind == "regular":
        return drop(writer, call, x, given["p"])
    part = nn.Dropout(given["p"])
    return x.at(writer.add(f"{call.path}.dropout".lstrip("."), part, x)) if given["p"] else x


def drop(writer: Writer, call: Call, x: Value, p: float) -> Value:
    if not p:
        return x
    path = call.path if call.layer is not None else f"{call.path}.dropout".lstrip(".")
    part = GroupDropout(writer.group, x.width, p)
    name = writer.place(path, part)
    writer.say(call, f"GroupDropout p={p}", name)
    return x.at(writer.graph.call_module(name, (x.node,)))


NORMS: dict[type[nn.Module], Rule] = {
    _BatchNorm: batch_norm_layer,
    nn.LayerNorm: layer_norm_layer,
    nn.GroupNorm: group_norm_layer,
    nn.InstanceNorm2d: instance_norm_layer,
    nn.Dropout: dropout_layer,
    nn.Dropout2d: dropout_layer,
}
NORM_FUNCTIONS: dict[str, Rule] = {
    "batch_norm": batch_norm_function,
    "layer_norm": layer_norm_function,
    "group_norm": group_norm_function,
    "dropout": dropout_function,
    "dropout2d": dropout_function,
    "feature_dropout": dropout_function,
}

"""Who broke the law? Layers whose own break is neither rounding nor what a grid must cost."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from equivlab.equivariance.arguments import Arguments
from equivlab.equivariance.containers import map_tensors
from equivlab.equivariance.error import equivariance_error
from equivlab.equivariance.measuring import FAILURES, MeasuredLayer
from equivlab.equivariance.recording import OUTPUT
from equivlab.fields.base import Field, G

__all__ = ["causes_of", "is_rounding", "verdict_on"]

ENLARGED = 30  # times the own breaks: a network may make so much of them, by a norm for example


def causes_of(
    layers: Sequence[MeasuredLayer[G]], field_of: Mapping[int, Field[G]], exact: float
) -> list[str]:
    """One sentence for each layer that breaks the law by itself, in the order of their calls.

    Nobody is accused where the whole obeys to rounding, and no part of a layer that obeys.
    """
    whole = layers[-1]
    if max(whole.errors) <= exact:
        return []
    suspects = [*layers[:-1]] or [whole]  # a single layer is its own network
    guilty = [one for one in suspects if _breaks(one, layers, field_of, exact)]
    cleared = [one.call.name for one in suspects if any(one.call.module.children())]
    names = {one.call.name for one in guilty}
    cleared = [name for name in cleared if name not in names and _obeys(name, layers, exact)]
    found = []
    for one in guilty:
        name = one.call.name
        inside = any(name.startswith(f"{other}.") for other in cleared)
        explained = any(other.startswith(f"{name}.") for other in names)
        if not inside and not explained:
            found.append(f"{name}: {_cause(one, exact)}")
    return found


def _obeys(name: str, layers: Sequence[MeasuredLayer[G]], exact: float) -> bool:
    return all(one.own <= exact for one in layers if one.call.name == name)


def _cause(layer: MeasuredLayer[G], exact: float) -> str:
    if layer.repeats_badly(exact):
        return (
            "it gives another answer when it runs again on the same input, in eval() too. Draw "
            "random numbers in training only: if self.training: ..."
        )
    return layer.domain.cause(layer.call, layer.source, layer.own)


def _breaks(
    layer: MeasuredLayer[G],
    layers: Sequence[MeasuredLayer[G]],
    field_of: Mapping[int, Field[G]],
    exact: float,
) -> bool:
    if not layer.own > exact or layer.call.name == OUTPUT != layers[0].call.name:
        return False
    allowed = layer.domain.tolerance(layer.call, exact)
    if layer.own <= allowed or is_rounding(layer, field_of):
        return False
    if allowed == exact:
        return True
    # What lies above the degrees at which the next layer looks does no harm.
    for other in layers:
        if other.given is layer.y and other.field is not None and other.own <= exact:
            seen = layer.break_of(other.field, field_of, other.call.module)
            return not seen <= allowed
    return True


def is_rounding(layer: MeasuredLayer[G], field_of: Mapping[int, Field[G]]) -> bool:
    """Is the break gone in double precision? Then the layer is right, and its numbers are short."""
    call, field = layer.call, layer.field
    if layer.given is None or layer.given.dtype == torch.float64 or field is None:
        return False
    memory: dict[int, Tensor] = {}

    def double(x: Tensor) -> Tensor:
        if not x.is_floating_point():
            return x
        return memory.setdefault(id(x), x.double())

    try:
        module: nn.Module = copy.deepcopy(call.module).double()
        inputs = tuple(map_tensors(double, one) for one in call.inputs)
        named = {name: map_tensors(double, one) for name, one in call.named.items()}
        finer = type(call)(call.name, module, inputs, call.output, named)
        given = memory.get(id(layer.given))
        again = MeasuredLayer(finer, layer.domain, None, given)
        again.source = layer.source
        fields = {id(new): field_of[at] for at, new in memory.items() if at in field_of}
        off = again.break_of(field, fields)
    except FAILURES:
        return False
    return not math.isnan(off) and off < 0.1 * layer.own


def verdict_on(
    model: nn.Module,
    arguments: Arguments[G],
    layers: Sequence[MeasuredLayer[G]],
    look: Callable[[object], Tensor],
    exact: float,
) -> str:
    """What to say where no single layer is to blame."""
    whole = layers[-1]
    worst = max(whole.errors)
    if worst <= exact:
        return "Equivariant to rounding."
    own = [one for one in layers[:-1] if one.own > exact < one.domain.tolerance(one.call, exact)]
    if own and worst <= ENLARGED * sum(one.own for one in own):
        most = max(own, key=lambda one: one.own)
        return (
            "Equivariant as far as its grids hold the signals: the layers' own breaks are at most "
            f"{most.own:.1e} ({most.call.name}), and {worst:.1e} is left at the end."
        )
    if _whole_is_rounding(model, arguments, whole, look):
        return f"Equivariant to rounding, which the network enlarges to {worst:.1e}."
    return (
        "No single layer breaks the law, so code between the layers does: look in "
        "forward for slices, reshapes and functions of the position."
    )


def _whole_is_rounding(
    model: nn.Module,
    arguments: Arguments[G],
    whole: MeasuredLayer[G],
    look: Callable[[object], Tensor],
) -> bool:
    """Does a copy in double precision keep the law a hundred times better?"""
    field, domain = whole.field, arguments.domain
    if field is None or whole.y is None or whole.y.dtype == torch.float64:
        return False
    try:
        finer = copy.deepcopy(model).double()
        exactly = arguments.mapped(lambda _, x: x.double() if x.is_floating_point() else x)
        y = look(exactly.call(finer))
        off = [
            equivariance_error(
                domain.seen(field, look(exactly.turned(g).call(finer))), field.act(g, y)
            )
            for g in domain.elements
        ]
    except FAILURES:
        return False
    return max(off) < 0.01 * max(whole.errors)

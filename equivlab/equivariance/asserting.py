"""The law as an assertion, for tests: which element breaks it, by how much, and in which layer.

>>> import torch
>>> from equivlab.groups import P4
>>> from equivlab.nn import LiftingConv2d
>>> assert_equivariant(LiftingConv2d(P4, 1, 4, 3), torch.randn(1, 1, 9, 9))
>>> assert_equivariant(torch.nn.Conv2d(1, 4, 3), torch.randn(1, 1, 9, 9), group=P4)
Traceback (most recent call last):
AssertionError: Conv2d breaks the law layer(act(g, x)) == act(g, layer(x)).
...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from equivlab.equivariance.arguments import Arguments, look_at, prepare, split
from equivlab.equivariance.auditing import EXACT, HALF, audit
from equivlab.equivariance.containers import tensors_of
from equivlab.equivariance.domains import (
    PlanarDomain,
    planar_domain,
    rotation_domain,
    some_rotations,
)
from equivlab.equivariance.error import equivariance_error
from equivlab.equivariance.measuring import FAILURES, first_tensor
from equivlab.equivariance.recording import record
from equivlab.fields.base import Field, G
from equivlab.groups import CircleGroup, PointGroup
from equivlab.so3 import SO3, RotationGroup

__all__ = ["assert_equivariant", "law_errors"]

Looking = int | str | Callable[[object], object] | None


def assert_equivariant(
    layer: nn.Module,
    x: object,
    *,
    group: PointGroup | CircleGroup | RotationGroup | None = None,
    elements: Sequence[object] | Tensor | None = None,
    tolerance: float | None = None,
    in_field: object = None,
    out_field: object = None,
    output: Looking = None,
) -> None:
    """Raise `AssertionError` unless ``layer(act(g, x)) == act(g, layer(x))`` to rounding.

    The layer runs as it is, in `train()` or `eval()`, without gradients; `x` is left as it was.

    Args:
        layer: a layer or a whole model.
        x: its input; a tuple of several, or a dictionary by name, as for `audit`.
        group: the group that acts; by default that of the layer's `in_field`, or of `in_field`.
        elements: which of its elements; by default as for `audit`.
        tolerance: the largest relative error allowed; by default 1e-5 in single and 1e-12 in
            double precision.
        in_field: what the input is, if the layer does not say; a list for several inputs.
        out_field: what comes out, if neither layer nor shape says.
        output: which tensor to look at where there are several, as for `audit`.

    Raises:
        AssertionError: the law is broken; the message says for which elements, how far, which layer
            does it and what the likely cause is.
        TypeError: `group` is none, or an element of a point group is no whole number.
        ValueError: nobody says which group acts, or the input is no field.
    """
    found = law_errors(
        layer, x, group=group, elements=elements,
        in_field=in_field, out_field=out_field, output=output,
    )  # fmt: skip
    first = next(iter(_floating(x)), None)
    dtype = torch.float32 if first is None else first.dtype
    allowed = EXACT.get(dtype, HALF) if tolerance is None else tolerance
    if max(found.values()) <= allowed:
        return
    lines = [f"{type(layer).__name__} breaks the law layer(act(g, x)) == act(g, layer(x))."]
    for name, error in found.items():
        mark = "  broken" if not error <= allowed else ""
        lines.append(f"  {name}: relative error {error:.1e}{mark}")
    lines.append(f"  allowed: {allowed:.1e} ({str(dtype).removeprefix('torch.')})")
    lines += [f"  {said}" for said in _blame(layer, x, group, in_field, out_field, output)]
    raise AssertionError("\n".join(lines))


def law_errors(
    layer: nn.Module,
    x: object,
    *,
    group: PointGroup | CircleGroup | RotationGroup | None = None,
    elements: Sequence[object] | Tensor | None = None,
    in_field: object = None,
    out_field: object = None,
    output: Looking = None,
) -> dict[str, float]:
    """The relative error of the law for each element, by its name.

    Arguments and errors as `assert_equivariant`, which compares these with its tolerance.
    """
    inputs, named = split(x)
    group = group or _group_of(layer, in_field)
    look = look_at(output)
    if isinstance(group, PointGroup | CircleGroup):
        plane = planar_domain(group, elements)
        if isinstance(plane, PlanarDomain):
            arguments = prepare(layer, inputs, named, in_field, plane)
            return _errors(layer, arguments, out_field, look)
        return _errors(layer, prepare(layer, inputs, named, in_field, plane), out_field, look)
    if not isinstance(group, RotationGroup):
        raise TypeError(
            f"The law is one of a group, such as P4 or SO2, or SO3; got group={group!r}."
        )
    turns = some_rotations(elements)
    space = rotation_domain(layer, [*inputs, *named.values()], in_field, turns)
    return _errors(layer, prepare(layer, inputs, named, in_field, space), out_field, look)


@torch.no_grad()
def _errors(
    layer: nn.Module,
    arguments: Arguments[G],
    out_field: object,
    look: Callable[[object], Tensor],
) -> dict[str, float]:
    domain = arguments.domain
    y = look(arguments.call(layer))
    fields = _out_fields(layer, arguments, y, out_field, look)
    of_each: list[list[float]] = [[] for _ in fields]
    for g in domain.elements:
        turned = look(arguments.turned(g).call(layer))
        for field, errors in zip(fields, of_each, strict=True):
            try:
                wanted = field.act(g, y)
                found = domain.seen(field, turned)
            except FAILURES:  # a guess from the shape that was wrong
                found, wanted = turned, y.new_empty(0)
            errors.append(equivariance_error(found, wanted))
    best = min(of_each, key=max)
    return dict(zip(domain.names, best, strict=True))


def _out_fields(
    layer: nn.Module,
    arguments: Arguments[G],
    y: Tensor,
    said: object,
    look: Callable[[object], Tensor],
) -> Sequence[Field[G]]:
    domain = arguments.domain
    field = domain.adapt(said) or domain.adapt(getattr(layer, "out_field", None))
    field = field or _handed_on(layer, arguments, look)
    fields = [field] if field is not None else domain.kinds(y)
    if not fields:
        raise ValueError(f"Nobody says what an output {tuple(y.shape)} is. Say it: out_field=")
    return fields


def _handed_on(
    layer: nn.Module, arguments: Arguments[G], look: Callable[[object], Tensor]
) -> Field[G] | None:
    """What a layer inside says of the tensor that comes out, where that is handed on."""
    *inside, whole = record(layer, *arguments.inputs, **arguments.named)
    y = look(whole.output)
    for call in reversed(inside):
        if first_tensor(call.output) is y:
            field = arguments.domain.adapt(getattr(call.module, "out_field", None))
            if field is not None:
                return field
    return None


def _group_of(layer: nn.Module, in_field: object) -> PointGroup | CircleGroup | RotationGroup:
    said = [*(in_field if isinstance(in_field, list | tuple) else [in_field])]
    for field in [*said, *(getattr(module, "in_field", None) for module in layer.modules())]:
        group = getattr(field, "group", None)
        if isinstance(group, PointGroup | CircleGroup | RotationGroup):
            return group
    raise ValueError(
        f"{type(layer).__name__} does not say which group acts on its input. Say it: group=P4, "
        f"group=P4M or group={SO3}."
    )


def _floating(x: object) -> list[Tensor]:
    return [one for one in tensors_of(x) if one.is_floating_point()]


def _blame(
    layer: nn.Module,
    x: object,
    group: PointGroup | CircleGroup | RotationGroup | None,
    in_field: object,
    out_field: object,
    output: Looking,
) -> list[str]:
    """What the audit says of it, if it can."""
    try:
        report = audit(
            layer, x, group or _group_of(layer, in_field),
            angles=0, in_field=in_field, out_field=out_field, output=output,
        )  # fmt: skip
    except FAILURES:
        return []
    return [f"likely cause: {cause}" for cause in report.causes] or [report.cause]

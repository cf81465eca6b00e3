"""How equivariant is a network? Any `nn.Module`, by layer, group element and angle.

>>> import torch
>>> from equivlab.groups import P4
>>> from equivlab.nn import GroupPool, LiftingConv2d
>>> net = torch.nn.Sequential(LiftingConv2d(P4, 1, 4, 3), torch.nn.ReLU(), GroupPool(P4, 4))
>>> report = audit(net, torch.randn(2, 1, 15, 15), P4, angles=0)
>>> report.max_error < 1e-5
True
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn

from equivlab.audit_causes import likely_cause
from equivlab.audit_report import AuditReport
from equivlab.fields import Invariant, PlanarField, RegularMaps, ScalarMaps
from equivlab.groups import PointGroup
from equivlab.recording import Call, evaluating, record

__all__ = ["AuditReport", "audit", "disc"]

EXACT = {torch.float32: 1e-5, torch.float64: 1e-12}  # rounding of a deep network stays below


def audit(
    model: nn.Module,
    x: Tensor,
    group: PointGroup,
    *,
    angles: int | Sequence[float] = 24,
    out_field: PlanarField | None = None,
    fields: Mapping[str, PlanarField] | None = None,
    mode: str = "bilinear",
    dtype: torch.dtype | None = None,
) -> AuditReport:
    """Measure how far a network is from the law ``model(act(g, x)) == act(g, model(x))``.

    For every layer and group element: the relative error ``|layer(g·x) − g·layer(x)| /
    |layer(x)|`` of what comes out of it (all that went wrong up to there), and the layer's own
    break (what it does wrong when its input is turned exactly). For any angle: the error of
    the whole network on the input inside the inscribed disc, beside the *baseline*, the error
    of turning the input there and back, which is what resampling alone costs.

    The kind of field that a layer gives is its ``out_field``; without one it is read off the
    shape: five axes with ``|G|`` at axis 2 are regular maps, two are invariant, four are scalar
    maps, or regular maps with those two axes flattened where that and only that obeys the law.
    The model runs in `eval()` without gradients and is left as it was.

    Args:
        model: any module that takes one tensor and gives one.
        x: its input, ``(B, C, H, W)`` images or ``(B, C, G, H, W)`` regular maps.
        group: `P4` or `P4M`.
        angles: how many angles in a full turn, or a list of them in radians; 0 for none.
        out_field: the field of the model's output, if its shape does not tell.
        fields: the same for layers, by name.
        mode: interpolation between pixels, `equivlab.fields.rotate_maps`.
        dtype: run a copy of the model in this type; `torch.float64` tells rounding from defects.

    Returns:
        A report: ``.table``, ``.curve``, ``.max_error``, ``.causes``, ``.plot()``.

    Raises:
        TypeError: the model does not give one tensor.
        ValueError: an input that is empty, not finite or no field, or an output that is not
            finite.
    """
    if not isinstance(group, PointGroup):
        raise TypeError(f"audit takes a group, P4 or P4M; got {group!r}.")
    in_field: PlanarField | None = getattr(model, "in_field", None) or _field_of(x, group)
    if in_field is None:
        shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(
            f"audit takes images (B, C, H, W) or regular maps (B, C, {group.order}, H, W); "
            f"got {shape}. Add the batch axis: x[None]"
        )
    in_field.validate(x, "audit", finite=True)
    if dtype is not None:
        model, x = copy.deepcopy(model).to(dtype), x.to(dtype)
    known = dict(fields or {}) | ({"output": out_field} if out_field else {})
    with evaluating(model):
        calls = record(model, x)
        _check_output(calls[-1].output)
        rows = _errors(model, x, in_field, calls, known)
        curve = _curve(model, x, in_field, rows[-1].field, angles, mode)
    exact = EXACT.get(x.dtype, 1e-2)
    causes = [
        f"{row.call.name}: {likely_cause(row.call.module, row.call.inputs[0], row.in_field)}"
        for row in rows[:-1] or rows  # a single layer is its own network
        if row.own > exact
    ]
    names = [group.element_name(g) for g in group.elements]
    table = pd.DataFrame([row.in_table(names) for row in rows]).set_index("layer")
    return AuditReport(table, curve, names, causes, exact)


def _check_output(y: object) -> None:
    if not isinstance(y, Tensor):
        raise TypeError(
            f"audit takes a model that gives one tensor; got {type(y).__name__}. Wrap it in a "
            "module whose forward returns the tensor to look at."
        )
    if not bool(torch.isfinite(y).all()):
        raise ValueError(
            "The model gives NaN or infinity on x, so no error can be told. Look for the layer "
            "with torch.isfinite, and check that x is scaled as in training."
        )


def _field_of(y: object, group: PointGroup) -> PlanarField | None:
    """The field that the shape of `y` suggests."""
    if not isinstance(y, Tensor) or not y.is_floating_point() or y.dim() < 2:
        return None
    channels = y.shape[1]
    if y.dim() == 5 and y.shape[2] == group.order:
        return RegularMaps(group, channels)
    return {4: ScalarMaps, 2: Invariant}[y.dim()](group, channels) if y.dim() in (2, 4) else None


class FlatRegularMaps(ScalarMaps):
    """Regular maps whose channel and group axes are one, ``(B, C·G, H, W)``."""

    def act(self, g: int, x: Tensor) -> Tensor:
        maps = x.unflatten(1, (-1, self.group.order))
        return RegularMaps(self.group, maps.shape[1]).act(g, maps).flatten(1, 2)

    def rotate(self, angle: float | Tensor, x: Tensor, mode: str = "bilinear") -> Tensor:
        maps = x.unflatten(1, (-1, self.group.order))
        return RegularMaps(self.group, maps.shape[1]).rotate(angle, maps, mode).flatten(1, 2)


def relative_error(found: Tensor, wanted: Tensor) -> float:
    """``|found − wanted| / |wanted|``; infinite where the shapes differ."""
    if found.shape != wanted.shape:
        return math.inf
    scale = float(torch.linalg.vector_norm(wanted.double()))
    off = float(torch.linalg.vector_norm(found.double() - wanted.double()))
    return off / scale if scale > 0 else (0.0 if off == 0 else math.inf)


@dataclass(frozen=True)
class _Row:
    """What is found out about one call of a layer."""

    call: Call
    field: PlanarField | None
    in_field: PlanarField | None
    errors: list[float]
    own: float

    def in_table(self, names: list[str]) -> dict[str, object]:
        y = self.call.output
        row: dict[str, object] = {
            "layer": self.call.name,
            "type": type(self.call.module).__name__,
            "field": "unknown" if self.field is None else type(self.field).__name__,
            "shape": tuple(y.shape) if isinstance(y, Tensor) else None,
        }
        row |= zip(names, self.errors, strict=True)
        return row | {"max": max(self.errors), "own": self.own}


def _candidates(
    call: Call, group: PointGroup, known: Mapping[str, PlanarField]
) -> list[PlanarField]:
    """What the output of a layer may be, the likeliest first."""
    given: PlanarField | None = known.get(call.name) or getattr(call.module, "out_field", None)
    return [given] if given is not None else _kinds(call.output, group)


def _kinds(y: object, group: PointGroup) -> list[PlanarField]:
    """What a tensor may be, by its shape; the likeliest first."""
    field = _field_of(y, group)
    if isinstance(field, ScalarMaps) and field.channels % group.order == 0:
        return [field, FlatRegularMaps(group, field.channels)]
    return [] if field is None else [field]


def _given(call: Call) -> object:
    return call.inputs[0] if call.inputs else None


def _errors(
    model: nn.Module,
    x: Tensor,
    in_field: PlanarField,
    calls: list[Call],
    known: Mapping[str, PlanarField],
) -> list[_Row]:
    """For every call: its field, its error for each element, and its own break."""
    group = in_field.group
    choices = [_candidates(call, group, known) for call in calls]
    found: list[list[list[float]]] = [[[] for _ in fields] for fields in choices]
    inputs = [_kinds(_given(call), group) for call in calls]
    of_inputs: list[list[list[float]]] = [[[] for _ in fields] for fields in inputs]
    for g in group.elements:
        moved = record(model, in_field.act(g, x))
        for n, (call, other) in enumerate(zip(calls, moved, strict=True)):
            for field, one in zip(choices[n], found[n], strict=True):
                one.append(relative_error(other.output, field.act(g, call.output)))
            for field, one in zip(inputs[n], of_inputs[n], strict=True):
                one.append(relative_error(other.inputs[0], field.act(g, call.inputs[0])))
    rows = []
    of_tensor: dict[int, PlanarField] = {id(x): in_field}
    for n, (call, fields, errors) in enumerate(zip(calls, choices, found, strict=True)):
        source: PlanarField | None = getattr(call.module, "in_field", None)
        source = source or of_tensor.get(id(_given(call)))
        if source is None and inputs[n]:  # made by code between the layers: seen by how it moves
            worst = [max(one) for one in of_inputs[n]]
            source = inputs[n][_choice(None, of_inputs[n], worst)]
        own = [_own_break(call, source, field) for field in fields]
        best = _choice(source, errors, own)
        if not fields:
            rows.append(_Row(call, None, source, [math.nan] * group.order, math.nan))
            continue
        of_tensor[id(call.output)] = fields[best]
        rows.append(_Row(call, fields[best], source, errors[best], own[best]))
    return rows


def _choice(source: PlanarField | None, errors: list[list[float]], own: list[float]) -> int:
    """Scalar (0) or flattened regular maps (1)? As the input, unless only the other obeys."""
    if len(own) < 2:
        return 0
    breaks = [max(e) if math.isnan(o) else o for o, e in zip(own, errors, strict=True)]
    first = 1 if isinstance(source, FlatRegularMaps) else 0
    return 1 - first if breaks[1 - first] < 1e-3 * breaks[first] else first


def _own_break(call: Call, source: PlanarField | None, field: PlanarField | None) -> float:
    """The largest error of one layer whose input is acted on exactly; NaN if it is not known."""
    if source is None or field is None or len(call.inputs) != 1:
        return math.nan
    given = call.inputs[0]
    return max(
        relative_error(call.module(source.act(g, given)), field.act(g, call.output))
        for g in source.group.elements
    )


def disc(size: int) -> Tensor:
    """A mask ``(size, size)``: 1 where a pixel's centre is in the inscribed circle, else 0.

    Not softened: masking twice is masking once, so nothing is lost at multiples of 90°.
    """
    at = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    return (torch.hypot(at[:, None], at[None, :]) <= size / 2).double()


def _curve(
    model: nn.Module,
    x: Tensor,
    in_field: PlanarField,
    out_field: PlanarField | None,
    angles: int | Sequence[float],
    mode: str,
) -> pd.DataFrame:
    """Error and baseline against the angle, columns ``angle_deg error baseline``."""
    if isinstance(angles, int):
        angles = [2 * math.pi * step / angles for step in range(angles)] if angles else []
    rows: list[tuple[float, float, float]] = []
    if out_field is not None and x.shape[-1] == x.shape[-2] and len(angles):
        inside = disc(x.shape[-1]).to(x)
        round_x = x * inside
        reference = model(round_x)
        for angle in angles:
            turned = in_field.rotate(angle, round_x, mode) * inside
            back = in_field.rotate(-angle, turned, mode) * inside
            found, wanted = model(turned), out_field.rotate(angle, reference, mode)
            if found.dim() >= 4:
                seen = disc(found.shape[-1]).to(x)
                found, wanted = found * seen, wanted * seen
            error, baseline = relative_error(found, wanted), relative_error(back, round_x)
            rows.append((math.degrees(angle), error, baseline))
    return pd.DataFrame(rows, columns=["angle_deg", "error", "baseline"], dtype=float)

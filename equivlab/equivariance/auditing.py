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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equivlab.equivariance.accusing import causes_of, verdict_on
from equivlab.equivariance.arguments import Arguments, look_at, prepare, split
from equivlab.equivariance.containers import map_tensors
from equivlab.equivariance.curve import angles_of, planar_curve, space_curve
from equivlab.equivariance.domains import (
    Domain,
    PlanarDomain,
    RotationDomain,
    planar_domain,
    rotation_domain,
    some_rotations,
)
from equivlab.equivariance.measuring import MeasuredLayer, measure
from equivlab.equivariance.recording import OUTPUT, bare, evaluating
from equivlab.equivariance.report import AuditReport, make_report
from equivlab.fields.base import Field, G
from equivlab.groups import CircleGroup, PointGroup
from equivlab.so3 import RotationGroup

__all__ = ["EXACT", "AuditReport", "audit"]

EXACT = {torch.float32: 1e-5, torch.float64: 1e-12}  # rounding of a deep network stays below
HALF = 1e-2  # of half precision


def audit(
    model: nn.Module,
    x: object,
    group: PointGroup | CircleGroup | RotationGroup,
    *,
    angles: int | Sequence[float] | None = None,
    in_field: object = None,
    out_field: object = None,
    fields: Mapping[str, object] | None = None,
    output: int | str | Callable[[object], object] | None = None,
    elements: Sequence[object] | Tensor | None = None,
    mode: str = "bilinear",
    dtype: torch.dtype | None = None,
) -> AuditReport:
    """Measure how far a network is from the law ``model(act(g, x)) == act(g, model(x))``.

    For every layer and group element: the relative error ``|layer(g·x) − g·layer(x)| /
    |layer(x)|`` of what comes out of it (all that went wrong up to there), and the layer's own
    break (what it does wrong when its input is turned exactly). For images at any angle: the error
    of the whole network on the input inside the inscribed disc, beside the *baseline*, the error
    of turning the input there and back, which is what resampling alone costs.

    The kind of field that a layer gives is its ``out_field``; without one it is read off the
    shape, and what goes in unless only another kind obeys the law. On the sphere what lies below
    the bandwidth is compared, for no layer looks at more. The model runs in `eval()` without
    gradients and is left as it was, and so is `x`.

    Args:
        model: any module.
        x: its input: ``(B, C, H, W)`` images or ``(B, C, G, H, W)`` regular maps; signals on the
            sphere or SO(3), HEALPix maps, voxels, points. A tuple of several inputs, such as
            features and `Neighbors`, or a dictionary of them by name.
        group: `P4`, `C8`, `SO2` and the like for the plane, `P6` or `P6M` for hexagons, `SO3` for
            all else.
        angles: how many angles in a full turn, or a list of them in radians; 0 for none. By
            default 24 for images (more where the group has more); in space it turns about one
            tilted axis, where it is asked for.
        in_field: the field of the input, if neither the model nor the shape tells; a list, with
            None for whole numbers, where there are several.
        out_field: the field of the model's output, if its shape does not tell.
        fields: the same for layers, by name.
        output: what to look at where the model gives several tensors: a key, a number, or a
            function of what it gives.
        elements: which group elements to try. By default all that permute pixels (of P4 and P4M
            that is all), three random rotations, and on voxels those that make the 24 of the cube.
        mode: interpolation between pixels, `equivlab.fields.rotate_maps`.
        dtype: run a copy of the model in this type; `torch.float64` tells rounding from defects.

    Returns:
        A report: ``.table``, ``.curve``, ``.max_error``, ``.causes``, ``.plot()``.

    Raises:
        TypeError: no group, or the model does not give one tensor and `output` is missing.
        ValueError: an input that is empty, not finite or no field, a name in `fields` or in
            `in_field` that there is not, or an output that is not finite.
    """
    inputs, named = split(x)
    if dtype is not None:
        model = copy.deepcopy(model).to(dtype)
        inputs = tuple(map_tensors(_to(dtype), one) for one in inputs)
        named = {name: map_tensors(_to(dtype), one) for name, one in named.items()}
    asked = _Question(inputs, named, in_field, out_field, fields or {}, look_at(output))
    if isinstance(group, PointGroup | CircleGroup):
        plane = planar_domain(group, elements)
        around = angles_of(plane.usual_angles if angles is None else angles)
        if isinstance(plane, PlanarDomain):
            return asked.planar(model, plane, around, mode)
        return asked.planar(model, plane, around, mode)
    if isinstance(group, RotationGroup):
        turns = some_rotations(elements)
        domain = rotation_domain(model, [*inputs, *named.values()], in_field, turns)
        return asked.space(model, domain, angles_of(0 if angles is None else angles))
    raise TypeError(f"audit takes a group, such as P4 or SO2, or SO3; got {group!r}.")


@dataclass(frozen=True)
class _Question:
    """What the user wants to know, and all that is said about it."""

    inputs: tuple[object, ...]
    named: dict[str, object]
    in_field: object
    out_field: object
    fields: Mapping[str, object]
    look: Callable[[object], Tensor]

    def planar(
        self, model: nn.Module, domain: Domain[G], angles: list[float], mode: str
    ) -> AuditReport:
        """Of images, with the curve of one image."""
        model = bare(model)
        with evaluating(model):
            arguments, layers, said = self._measured(model, domain)
            tensors, rows = arguments.tensors(), []
            if len(arguments.inputs) == 1 and len(tensors) == 1 and arguments.fields[0] is not None:
                rows = planar_curve(
                    lambda x: self.look(model(x.clone())), tensors[0], arguments.fields[0],
                    layers[-1].field, angles, mode,
                )  # fmt: skip
        return make_report(layers, rows, domain.names, *said)

    def space(self, model: nn.Module, domain: RotationDomain, angles: list[float]) -> AuditReport:
        """Of signals in space and on the sphere."""
        model = bare(model)
        with evaluating(model):
            arguments, layers, said = self._measured(model, domain)
            rows = space_curve(
                lambda some: self.look(some.call(model)),
                arguments,
                layers[-1].field,
                angles,
            )
        return make_report(layers, rows, domain.names, *said)

    def _measured(
        self, model: nn.Module, domain: Domain[G]
    ) -> tuple[Arguments[G], list[MeasuredLayer[G]], tuple[list[str], float, str]]:
        arguments = prepare(model, self.inputs, self.named, self.in_field, domain)
        first = next((x for x in arguments.tensors() if x.is_floating_point()), None)
        exact = 1e-5 if first is None else EXACT.get(first.dtype, HALF)
        known = {name: _said(domain, field) for name, field in self.fields.items()}
        if self.out_field is not None:
            known[OUTPUT] = _said(domain, self.out_field)
        layers, field_of = measure(model, arguments, known, self.look, exact)
        names = [one.call.name for one in layers]
        if not known.keys() <= set(names):
            raise ValueError(
                f"fields names {', '.join(sorted(known.keys() - set(names)))}, and the layers that "
                f"are called are {', '.join(names)}."
            )
        _check_output(layers[-1].y)
        causes = causes_of(layers, field_of, exact)
        verdict = "" if causes else verdict_on(model, arguments, layers, self.look, exact)
        return arguments, layers, (causes, exact, verdict)


def _said(domain: Domain[G], field: object) -> Field[G]:
    known = domain.adapt(field)
    if known is None:
        raise ValueError(f"{field!r} is no field on which {domain.group} acts.")
    return known


def _check_output(y: Tensor | None) -> None:
    if y is None or not bool(torch.isfinite(y).all()):
        raise ValueError(
            "The model gives NaN or infinity on x, so no error can be told. Look for the layer "
            "with torch.isfinite, and check that x is scaled as in training."
        )


def _to(dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    return lambda x: x.to(dtype) if x.is_floating_point() else x
